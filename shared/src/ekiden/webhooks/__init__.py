"""Webhooks: what is told to whom, how it is signed, when it is tried again, and where it may be sent."""
