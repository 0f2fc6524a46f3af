"""Other people's wire formats as our events: pure translations, called by web."""
