"""Pure functions that work out what a browser does not say: address, browser, place, referrer, bot."""
