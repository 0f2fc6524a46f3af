"""The questions, each written once, for every engine."""
