"""A call of the client: its errors say what to do next, and it is asked again only where that is safe."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from ekiden_client import (
    ChangedMeanwhile,
    Conflict,
    EkidenClient,
    Forbidden,
    GatewayBug,
    Invalid,
    Misconfigured,
    NotAGateway,
    NotFound,
    OverQuota,
    Patience,
    Problem,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from ekiden_client.patience import LONGEST_PAUSE_SECONDS, Again, next_pause
from tests.fakes.wire import Wire

SESSION = "ses_0199c0ffee0077778888999900001111"
TIME = "2026-11-22T09:30:00.000Z"
CREATED = {"sessionId": SESSION, "status": "PENDING", "createdAt": TIME}
STEP: dict[str, Any] = {"sessionId": SESSION, "status": "THINKING"}


def problem(status: int, *, after: str | None = None, **body: Any) -> httpx.Response:
    headers = {"content-type": "application/problem+json"} | ({"retry-after": after} if after else {})
    return httpx.Response(status, headers=headers, content=json.dumps({"status": status} | body))


def found(body: object = CREATED) -> httpx.Response:
    return httpx.Response(200, json=body)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (412, ChangedMeanwhile),
        (413, Invalid),
        (422, Invalid),
        (429, OverQuota),
        (500, GatewayBug),
        (503, Unavailable),
        (418, Problem),
    ],
)
async def test_a_status_becomes_the_error_that_says_what_to_do(status: int, error: type[Problem]) -> None:
    async with Wire(problem(status, title="No", detail="Not like this.")).client() as client:
        with pytest.raises(error, match=r"Not like this\.") as raised:
            await client.sessions.status(SESSION)

    assert type(raised.value) is error


async def test_a_problem_keeps_its_stable_type_and_whatever_else_the_gateway_says() -> None:
    ways = [{"action": "continue", "method": "POST", "url": "/x", "description": "Pass the gate."}]
    answer = problem(
        409, type="/problems/conflicting-state", detail="It waits.", state="WAITING", requestId="r1", whatWorks=ways
    )
    async with Wire(answer).client() as client:
        with pytest.raises(Conflict) as raised:
            await client.sessions.start(SESSION)

    assert raised.value.type == "/problems/conflicting-state"
    assert raised.value.request_id == "r1"
    assert raised.value.what_works == ways
    assert raised.value.document()["state"] == "WAITING"


async def test_every_field_that_is_wrong_is_named_once() -> None:
    rows = [{"field": "theme", "message": "is missing"}, {"field": "style", "message": "is none of insight"}]
    async with Wire(problem(422, detail="theme: is missing", errors=rows)).client() as client:
        with pytest.raises(Invalid) as raised:
            await client.sessions.create()

    assert str(raised.value) == "theme: is missing\nstyle: is none of insight"
    assert raised.value.errors == (("theme", "is missing"), ("style", "is none of insight"))


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), httpx.ReadTimeout("late"), httpx.ReadError("cut")])
async def test_a_gateway_that_does_not_answer_is_unreachable(failure: httpx.HTTPError) -> None:
    async with Wire(failure).client() as client:
        with pytest.raises(Unreachable, match="http://gateway") as raised:
            await client.sessions.status(SESSION)

    assert raised.value.sent is not isinstance(failure, httpx.ConnectError), "whether it may have been done is told"


@pytest.mark.parametrize("body", ["<html>a router</html>", "[1, 2]", '{"sessions": 1}'])
async def test_another_server_at_the_address_is_no_gateway(body: str) -> None:
    wire = Wire(httpx.Response(200, text=body))
    async with wire.client() as client:
        with pytest.raises(NotAGateway, match="not the gateway"):
            await client.sessions.status(SESSION)

    assert len(wire.requests) == 1, "asking again would not make it one"


async def test_another_servers_page_for_what_it_does_not_know_is_no_problem_of_the_gateway() -> None:
    async with Wire(httpx.Response(404, text="Not Found")).client() as client:
        with pytest.raises(NotAGateway, match="no problem document"):
            await client.workflows.list()


@pytest.mark.parametrize("url", ["localhost:8000", "http://", "http://[::1", "http://host:port", "ftp://host", "/x"])
def test_an_address_that_cannot_be_one_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(Misconfigured, match="no address"):
        EkidenClient(url, key="")


@pytest.mark.parametrize("key", ["with space", "鍵", "line\nbreak"])
def test_a_key_that_cannot_be_one_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        EkidenClient("http://gateway", key=key)

    assert key not in str(raised.value)


async def test_the_key_goes_along_as_bearer_token_and_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EKIDEN_API_KEY", "from-the-environment")
    wire = Wire(found({"items": []}))
    for key in ("secret", None, ""):
        async with EkidenClient("http://gateway", key=key, transport=wire) as client:
            await client.sessions.page(status="WAITING", limit=5)

    assert [request.headers.get("authorization") for request in wire.requests] == [
        "Bearer secret",
        "Bearer from-the-environment",
        None,
    ]


# ── asking again ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "lost",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("cut"),
        httpx.ReadTimeout("late"),
        problem(502),
        problem(503, after="2"),
        problem(504),
        problem(429, after="3"),
        problem(409, after="2"),
    ],
)
async def test_a_command_whose_reply_is_lost_is_sent_again_under_the_same_key(
    lost: httpx.Response | httpx.HTTPError,
) -> None:
    wire = Wire(lost, lost, found())
    async with wire.client() as client:
        assert (await client.sessions.create("AI")).id == SESSION

    assert len(wire.requests) == 3
    assert len(wire.keys) == 1
    assert None not in wire.keys
    assert len({request.content for request in wire.requests}) == 1


async def test_every_call_has_a_key_of_its_own_unless_one_is_given() -> None:
    wire = Wire(found())
    async with wire.client() as client:
        await client.sessions.create("AI")
        await client.sessions.create("AI")
        await client.sessions.create("AI", idempotency_key="mine")

    assert len(wire.keys) == 3
    assert "mine" in wire.keys


@pytest.mark.parametrize(
    "refused", [problem(401), problem(404), problem(409), problem(422), problem(429), problem(500)]
)
async def test_what_does_not_pass_by_itself_is_not_asked_again(refused: httpx.Response) -> None:
    wire = Wire(refused)
    async with wire.client() as client:
        with pytest.raises(Problem):
            await client.sessions.start(SESSION)

    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("lost", "tries"),
    [(httpx.ReadError("cut"), 1), (problem(503, after="1"), 1), (problem(504), 1), (httpx.ConnectError("refused"), 2)],
)
async def test_what_has_no_key_is_asked_again_only_when_nothing_can_have_been_done(
    lost: httpx.Response | httpx.HTTPError, tries: int
) -> None:
    wire = Wire(lost, found({"dropped": 1}))
    async with wire.client() as client:
        if tries == 1:
            with pytest.raises((Unreachable, Unavailable)):
                await client.dead_letters.drop("dl_1")
        else:
            await client.dead_letters.drop("dl_1")

    assert len(wire.requests) == tries


async def test_a_change_that_names_a_state_is_not_sent_again_as_its_own_echo_would_refuse_it() -> None:
    wire = Wire(httpx.ReadError("cut"))
    async with wire.client() as client:
        with pytest.raises(Unreachable):
            await client.sessions.edit_draft(SESSION, 1, content="…", etag='"g1.0"')

    assert len(wire.requests) == 1
    assert wire.requests[0].headers["if-match"] == '"g1.0"'


async def test_it_waits_as_long_as_the_gateway_asks_for() -> None:
    wire = Wire(problem(429, after="7"), found({"items": []}))
    async with wire.client() as client:
        await client.workflows.list()

    assert 7 <= wire.clock.seconds <= 7 + LONGEST_PAUSE_SECONDS


async def test_a_wait_beyond_the_patience_is_told_at_once() -> None:
    wire = Wire(problem(429, after="3600"))
    async with wire.client() as client:
        with pytest.raises(OverQuota) as raised:
            await client.workflows.list()

    assert raised.value.retry_after_seconds == 3600
    assert wire.clock.seconds == 0


async def test_a_date_to_wait_for_is_understood_too() -> None:
    async with Wire(problem(429, after="Wed, 21 Oct 2015 07:28:00 GMT")).client(Patience(0, 0)) as client:
        with pytest.raises(OverQuota) as raised:
            await client.workflows.list()

    assert raised.value.retry_after_seconds == 0, "it has passed"


@pytest.mark.parametrize(("failure", "seconds"), [(httpx.ReadError("cut"), 20), (httpx.ConnectError("refused"), 5)])
async def test_patience_has_an_end_and_a_place_where_nobody_listens_its_own(
    failure: httpx.HTTPError, seconds: float
) -> None:
    wire = Wire(failure)
    async with wire.client(Patience(seconds=20, absent_seconds=5)) as client:
        with pytest.raises(Unreachable):
            await client.workflows.list()

    assert seconds - LONGEST_PAUSE_SECONDS <= wire.clock.seconds <= seconds
    assert len(wire.requests) > 3


def test_pauses_grow_and_none_is_shorter_than_a_tenth_of_a_second() -> None:
    error, patience = Unavailable(503), Patience(1e9, 1e9)
    pauses = [next_pause(error, tries, 0.0, patience, Again.SAFE, luck=1.0) for tries in range(1, 9)]

    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert next_pause(error, 5, 0.0, patience, Again.SAFE, luck=0.0) == 0.1
    assert next_pause(Unavailable(503, retry_after_seconds=0.0), 1, 0.0, patience, Again.SAFE, luck=0.0) == 0.1


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_all_pages_of_a_list_are_one_iterator() -> None:
    def page(*numbers: int, following: str | None) -> httpx.Response:
        rows = [CREATED | {"sessionId": f"ses_{number}"} for number in numbers]
        return found({"items": rows, "nextCursor": following})

    wire = Wire(page(1, 2, following="behind 2"), page(following="behind"), page(3, following=None))
    async with wire.client() as client:
        ids = [session.id async for session in client.sessions.all(status=["WAITING", "FAILED"])]

    assert ids == ["ses_1", "ses_2", "ses_3"]
    assert [request.url.params.get("cursor") for request in wire.requests] == [None, "behind 2", "behind"]
    assert {tuple(request.url.params.get_list("status")) for request in wire.requests} == {("WAITING", "FAILED")}


async def test_an_iterator_that_is_left_early_asks_for_no_further_page() -> None:
    wire = Wire(found({"items": [CREATED, CREATED], "nextCursor": "more"}))

    async def first(client: EkidenClient) -> AsyncGenerator[str]:
        async for session in client.sessions.all():
            yield session.id

    async with wire.client() as client:
        assert await anext(first(client)) == SESSION

    assert len(wire.requests) == 1


# ── secrets and changes ──────────────────────────────────────────────────────────────────────────────────────

HOOK = {"id": "whk_1", "url": "https://example.org", "createdAt": TIME, "secret": "whsec_shown_once"}


async def test_a_secret_is_not_rotated_twice_for_a_reply_that_was_lost() -> None:
    wire = Wire(httpx.ReadError("lost"), found(HOOK))
    async with wire.client() as client:
        assert (await client.webhooks.rotate_secret("whk_1")).secret == HOOK["secret"]

    assert len(wire.requests) == 2
    assert len(wire.keys - {None}) == 1, "under another key it would take the receiver's secret out of use"


async def test_revoking_a_key_is_asked_again_until_it_is_sure() -> None:
    wire = Wire(httpx.ReadError("lost"), httpx.Response(204))
    async with wire.client() as client:
        await client.keys.revoke("key_1")

    assert len(wire.requests) == 2


async def test_a_secret_is_for_whoever_asks_for_it_and_not_for_a_log() -> None:
    async with Wire(found(HOOK)).client() as client:
        made = await client.webhooks.create("https://example.org")

    assert made.secret == "whsec_shown_once"
    assert made.secret not in repr(made)


async def test_only_what_is_named_is_changed_and_none_is_a_value() -> None:
    wire = Wire(found({"id": "key_1", "client": "a", "createdAt": TIME}))
    async with wire.client() as client:
        await client.keys.limit("key_1", rate_per_minute=None)

    assert json.loads(wire.requests[0].content) == {"ratePerMinute": None}
