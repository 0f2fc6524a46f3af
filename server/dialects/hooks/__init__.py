"""Webhooks of other services as events: each vendor's signature and payload, pure; `vendors.py` is the table."""
