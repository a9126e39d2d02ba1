"""Keys and quotas, as far as they need nobody: secrets, header fields, estimates, which routes say what."""

import json
from typing import Any

import pytest

from ekiden.errors import Unreachable
from ekiden.masking import MASK, hide
from ekiden.store.api_keys import ApiKeyStore
from ekiden.store.database import Database
from ekiden.store.request_rates import Balance
from ekiden_gateway.admission import LONGEST_SECONDS, SHORTEST_SECONDS, UNMEASURED_SECONDS, retry_after
from ekiden_gateway.callers import Caller, Callers, Limits
from ekiden_gateway.documents import DOCUMENTS
from ekiden_gateway.keys import EVERYBODY, Keyring, Scope, digest_of, may_be_stored, new_secret
from ekiden_gateway.rates import fields
from ekiden_gateway.repeats import ROUTES

SECRET = "a-long-enough-secret"
GIVEN = new_secret()
OPENAPI: dict[str, Any] = json.loads(DOCUMENTS["openapi.json"]())
OPERATIONS = {
    operation["operationId"]: (method, operation)
    for methods in OPENAPI["paths"].values()
    for method, operation in methods.items()
}


def kinds(operation: dict[str, Any], status: str) -> set[str]:
    answer = operation["responses"].get(status, {})
    return set(answer.get("$ref", "").rpartition("/")[2].split("-or-")) - {""}


def test_a_secret_is_recognised_and_masked_wherever_it_gets() -> None:
    secret = new_secret()
    assert may_be_stored(secret)
    assert new_secret() != secret
    for text in (f"key {secret}.", json.dumps({"a": secret}), f"/api?key={secret}"):
        assert secret not in hide(text)
        assert MASK in hide(text)


@pytest.mark.parametrize(
    "secret",
    ["", "ek_", SECRET, GIVEN + "x", GIVEN[:-1], f" {GIVEN}", "ek_" + "ä" * 43],
    ids=["none", "prefix", "of the environment", "longer", "shorter", "space", "other letters"],
)
def test_the_database_is_asked_for_nothing_else(secret: str) -> None:
    assert not may_be_stored(secret)


def test_a_client_changes_its_secret_with_two_of_them() -> None:
    ring = Keyring.read(f"a:{SECRET}:read,a:{SECRET}-next:read,write,b:{SECRET}-b")
    assert [key.digest for key in ring.of("a")] == [digest_of(SECRET), digest_of(f"{SECRET}-next")]
    for secret in (SECRET, f"{SECRET}-next"):
        found = ring.find(secret)
        assert found is not None
        assert found.client == "a"


@pytest.mark.parametrize(
    ("balance", "policy", "left", "wait"),
    [
        (Balance(taken=True, tokens=19.0, per_minute=20), '"requests";q=20;w=60', '"requests";r=19;t=3', 0),
        (Balance(taken=True, tokens=0.4, per_minute=20), '"requests";q=20;w=60', '"requests";r=0;t=59', 2),
        (Balance(taken=False, tokens=0.0, per_minute=1), '"requests";q=1;w=60', '"requests";r=0;t=60', 60),
        (
            Balance(taken=False, tokens=0.999999, per_minute=100_000),
            '"requests";q=100000;w=60',
            '"requests";r=0;t=60',
            1,
        ),
    ],
    ids=["one gone", "none left", "refused", "almost"],
)
def test_the_fields_say_how_it_stands(balance: Balance, policy: str, left: str, wait: int) -> None:
    assert fields(balance) == {"RateLimit-Policy": policy, "RateLimit": left}
    assert balance.next_seconds == wait


@pytest.mark.parametrize(
    ("over", "leased", "median", "seconds"),
    [
        (100, 50, 70.0, 140),
        (1, 200, 0.5, SHORTEST_SECONDS),
        (10_000, 1, 70.0, LONGEST_SECONDS),
        (5, 0, 10.0, 50),
        (5, 3, None, UNMEASURED_SECONDS),
    ],
    ids=["in the middle", "soon", "far away", "nobody works", "never measured"],
)
def test_a_full_queue_says_how_long_it_takes(over: int, leased: int, median: float | None, seconds: int) -> None:
    assert retry_after(over, leased, median) == seconds


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_whatever_changes_something_says_that_it_is_counted_and_reading_never_is(name: str) -> None:
    method, operation = OPERATIONS[name]
    assert ("too-many-requests" in kinds(operation, "429")) == (method != "get" and "security" in operation)


def test_whatever_takes_an_idempotency_key_is_asked_whether_it_did_it_before_and_nothing_else_is() -> None:
    taking = {
        name
        for name, (_, operation) in OPERATIONS.items()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
    }
    assert taking == set(ROUTES)


def test_what_begins_a_session_says_that_there_may_be_no_room() -> None:
    full = {"too-many-sessions", "at-capacity"}
    saying = {name for name, (_, op) in OPERATIONS.items() if full <= kinds(op, "429") | kinds(op, "503")}
    assert saying == {"createSession", "startSession", "recoverSession", "replaySession", "fireSchedule"}


async def test_whoever_listens_is_let_go_on_by_a_key_of_the_same_client_that_may_read() -> None:
    found, database = callers(Keyring.read(f"a:{SECRET}:read,write"))
    listening = await found.who(SECRET)
    assert listening is not None
    for ring, goes_on in (
        (f"a:{SECRET}:read", True),
        (f"a:{SECRET}:write", False),
        (f"b:{SECRET}", False),
        (f"a:{SECRET}-next", None),  # only the database could know it
    ):
        later, nowhere = callers(Keyring.read(ring))
        if goes_on is None:
            with pytest.raises(Unreachable):
                await later.may_still_read(listening)
        else:
            assert await later.may_still_read(listening) is goes_on, ring
        await nowhere.close()
    await database.close()


# ── a database that is away ──────────────────────────────────────────────────────────────────────────────


def callers(ring: Keyring, *, unlocked: bool = False) -> tuple[Callers, Database]:
    database = Database("mongodb://127.0.0.1:1/?directConnection=true", "nowhere", timeout_ms=50)
    keys = ApiKeyStore(database)
    return Callers(ring, keys, database.clock, unlocked=unlocked, defaults=Limits(sessions=3)), database


async def test_it_makes_nobody_a_stranger_and_opens_no_door() -> None:
    found, database = callers(Keyring.read(f"a:{SECRET}"))
    with pytest.raises(Unreachable):
        await found.who(GIVEN)
    with pytest.raises(Unreachable):
        await found.limits("a")
    assert await found.who("made-up-by-somebody") is None
    assert await found.who(SECRET) == Caller("a", "a", frozenset(Scope))
    await database.close()


async def test_whether_a_gateway_without_keys_is_open_is_not_known_then() -> None:
    found, database = callers(Keyring())
    for secret in ("", GIVEN, "made-up-by-somebody"):
        with pytest.raises(Unreachable):
            await found.who(secret)
    await database.close()


async def test_a_gateway_that_was_opened_by_a_word_asks_nobody() -> None:
    found, database = callers(Keyring.read(f"a:{SECRET}"), unlocked=True)
    for secret in ("", GIVEN, SECRET):
        assert await found.who(secret) == Caller(EVERYBODY, EVERYBODY, frozenset(Scope))
    assert await found.limits(EVERYBODY) == Limits(sessions=3)
    await database.close()
