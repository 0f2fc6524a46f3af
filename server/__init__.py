"""Footfall's server: receives events, works out what a browser does not say, keeps and shows them."""

__version__ = "0.1.0"
