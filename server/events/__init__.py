"""The vocabulary: the catalogue of system events, the event model and its wire form."""
