"""Webhooks out: which events go where, the outbox that they wait in, and who carries them."""
