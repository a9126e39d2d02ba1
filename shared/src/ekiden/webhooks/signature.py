"""Signatures as Standard Webhooks has them, made by its own library, and the secrets they are made with."""

import base64
import secrets
from collections.abc import Iterable
from datetime import datetime

from standardwebhooks import Webhook

SECRET_BYTES = 32
"""The standard asks for 24 to 64."""
PREFIX = "whsec_"


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed(message_id: str, at: datetime, body: str, known: Iterable[str]) -> dict[str, str]:
    """Return the headers of a delivery, with one signature for each secret that still counts; `at` is in UTC."""
    signatures = [Webhook(secret).sign(message_id, at, body) for secret in known]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
