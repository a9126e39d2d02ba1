"""Signatures, checked with the verifier that receivers use."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from ekiden.masking import hide
from ekiden.webhooks.endpoint import KEPT_SIGNING, MOST_SECRETS, Secret, Webhook
from ekiden.webhooks.signature import new_secret, signed

NOW = datetime.now(UTC)
BODY = '{"type":"session.completed","data":{"theme":"AIと働き方"}}'


def webhook(*secrets: Secret) -> Webhook:
    return Webhook("whk_1", "me", "https://example.com/", "example.com", NOW, NOW, secrets)


def test_a_receiver_can_verify_what_it_gets() -> None:
    secret = new_secret()
    headers = signed("msg_1", datetime.now(UTC), BODY, [secret])  # the verifier looks at the clock
    assert Verifier(secret).verify(BODY.encode(), headers) == {
        "type": "session.completed",
        "data": {"theme": "AIと働き方"},
    }


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_what_was_tampered_with_is_not_verified(name: str) -> None:
    secret, now = new_secret(), datetime.now(UTC)
    headers = signed("msg_1", now, BODY, [secret])
    Verifier(secret).verify(BODY, headers)
    changed = {name: {"webhook-id": "msg_2", "webhook-timestamp": str(int(now.timestamp()) + 1)}[name]}
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(BODY, headers | changed)
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(BODY + " ", headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(new_secret()).verify(BODY, headers)


def test_for_a_day_after_a_rotation_both_secrets_verify() -> None:
    old, new = new_secret(), new_secret()
    rotated = webhook(*webhook(Secret(old)).rotated(new, NOW))
    headers = signed("msg_1", datetime.now(UTC), BODY, rotated.signing(NOW + KEPT_SIGNING - timedelta(seconds=1)))
    for secret in (old, new):
        Verifier(secret).verify(BODY, headers)
    assert rotated.signing(NOW + KEPT_SIGNING) == (new,)


def test_a_second_rotation_gives_the_first_secret_no_second_day() -> None:
    half = NOW + KEPT_SIGNING / 2
    twice = webhook(*webhook(*webhook(Secret("a")).rotated("b", NOW)).rotated("c", half))
    assert twice.signing(half) == ("c", "b", "a")
    assert twice.signing(NOW + KEPT_SIGNING) == ("c", "b")


def test_however_often_it_is_rotated_a_header_stays_short() -> None:
    found = webhook(Secret("first"))
    for number in range(20):
        found = webhook(*found.rotated(f"secret {number}", NOW))
    assert len(found.signing(NOW)) == MOST_SECRETS
    assert found.signing(NOW)[0] == "secret 19"


def test_a_secret_is_long_and_random() -> None:
    secret = new_secret()
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret != new_secret()


def test_a_secret_shows_itself_to_no_log() -> None:
    secret = "whsec_2zmUKkd+flLPpcPePysR50lO/eUNOqKjovxj5TJbeXA="
    assert secret not in repr(webhook(Secret(secret)))
    assert hide(f"posted with {secret}.") == "posted with ***."
