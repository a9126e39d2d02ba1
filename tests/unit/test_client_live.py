"""The client's live stream: over the death of the gateway nothing is lost or repeated, and it ends with the session."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from ekiden_client import Entry, NotAGateway, NotFound, Patience, SessionFailed, SessionWaits, StillRunning, Unreachable
from ekiden_client.server_events import ServerEvent, server_events
from tests.fakes.wire import CutStream, Wire

SESSION = "ses_0199c0ffee0077778888999900001111"
TIME = "2026-11-22T09:30:00.000Z"
GONE = httpx.Response(404, headers={"content-type": "application/problem+json"}, content='{"detail": "No."}')
REFUSED = httpx.ConnectError("refused")


async def read(*chunks: str) -> list[ServerEvent]:
    async def text() -> AsyncIterator[str]:
        for chunk in chunks:
            yield chunk

    return [event async for event in server_events(text())]


async def test_server_events_are_read_as_the_standard_says() -> None:
    text = ': ping\n\nid: 7\nevent: moved\ndata: {"a":\ndata:  1}\n\ndata:x\n\nid: 9\ndata: cut off'

    assert await read(text) == [ServerEvent("7", "moved", '{"a":\n 1}'), ServerEvent("7", "message", "x")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_lines_end_as_they_may_and_chunks_wherever_they_want(end: str) -> None:
    text = end.join(["id: 1", "data: a", "", "id: 2", "data: b", "", ""])

    assert await read(*text) == [ServerEvent("1", "message", "a"), ServerEvent("2", "message", "b")]


async def test_a_text_with_line_ends_of_its_own_kind_stays_whole() -> None:
    told = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"

    assert await read(f"data: {told}\n\n") == [ServerEvent("", "message", told)]


def entry(version: int, status: str = "THINKING", **more: Any) -> str:
    document = {"id": version, "at": TIME, "status": status, "events": []} | more
    return f"id: {version}\nevent: session\ndata: {json.dumps(document)}\n\n"


def stream(*pieces: str, cut: bool = True) -> Callable[[], httpx.Response]:
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    return lambda: httpx.Response(200, headers=headers, stream=CutStream(*pieces, cut=cut))


def status(word: str, version: int, **more: Any) -> httpx.Response:
    session = {"id": SESSION, "status": word, "version": version, "createdAt": TIME} | more
    return httpx.Response(200, json={"session": session})


async def note(entries: AsyncIterator[Entry], seen: list[int]) -> None:
    async for each in entries:
        seen.append(each.version)  # noqa: PERF401 (the stream ends with an error; what came before counts)


def places(wire: Wire) -> list[str | None]:
    return [request.headers.get("last-event-id") for request in wire.requests if request.url.path.endswith("/events")]


async def test_nothing_is_lost_or_repeated_over_a_reconnect() -> None:
    wire = Wire(
        stream(": hello\n\n", entry(0), entry(1)[:-5]),
        REFUSED,
        stream(entry(1), cut=False),
        stream(entry(1), entry(2), entry(3)),
        REFUSED,
    )
    seen: list[int] = []
    async with wire.client() as client, aclosing(client.sessions.events(SESSION)) as entries:
        with pytest.raises(Unreachable):
            await note(entries, seen)

    assert seen == [0, 1, 2, 3]
    assert places(wire)[:5] == [None, "0", "0", "1", "3"]


async def test_a_reconnect_is_tried_only_as_long_as_there_is_patience() -> None:
    away: list[float | None] = []
    wire = Wire(stream(entry(0)), REFUSED)
    async with wire.client(Patience(60, absent_seconds=5)) as client:
        with pytest.raises(Unreachable):
            await note(client.sessions.events(SESSION, away=away.append), [])

    assert away[0] is None, "it answered at first"
    waited = [seconds for seconds in away if seconds is not None]
    assert waited == sorted(waited)
    assert 4 < waited[-1] <= 5


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (GONE, NotFound),
        (httpx.Response(404, text="<html>"), NotAGateway),
        (httpx.Response(200, text="<html>"), NotAGateway),
    ],
)
async def test_what_does_not_pass_ends_the_stream_at_once(answer: httpx.Response, error: type[Exception]) -> None:
    wire = Wire(answer)
    async with wire.client() as client:
        with pytest.raises(error):
            await note(client.sessions.events(SESSION), [])

    assert len(wire.requests) == 1


async def test_it_ends_with_the_session_and_not_at_an_end_that_was_not_the_last() -> None:
    wire = Wire(
        stream(entry(0), entry(1, "FAILED")),
        status("COMPLETED", 3),
        stream(entry(2), entry(3, "COMPLETED")),
        status("COMPLETED", 3),
    )
    async with wire.client() as client:
        versions = [each.version async for each in client.sessions.events(SESSION)]

    assert versions == [0, 1, 2, 3]


END = "event: end\ndata: {}\n\n"
OVER = httpx.Response(204)


async def test_past_a_failure_it_goes_on_until_the_gateway_says_that_nothing_follows() -> None:
    wire = Wire(stream(entry(0), entry(1, "FAILED")), stream(entry(2), entry(3, "COMPLETED"), END, entry(4)))
    async with wire.client() as client:
        versions = [each.version async for each in client.sessions.events(SESSION, past_failure=True)]

    assert versions == [0, 1, 2, 3]
    assert places(wire) == [None, "1"]


async def test_whoever_comes_back_with_everything_told_is_at_the_end_and_not_at_a_strangers() -> None:
    away: list[float | None] = []
    wire = Wire(stream(entry(0), entry(1, "CANCELLED"), cut=False), OVER)
    async with wire.client() as client:
        entries = client.sessions.events(SESSION, past_failure=True, away=away.append)
        assert [each.version async for each in entries] == [0, 1]

    assert len(wire.requests) == 2
    assert away == [None, None], "it was there all the time"


async def test_waiting_ends_with_a_stream_that_has_nothing_more_to_say() -> None:
    wire = Wire(status("THINKING", 3), OVER, status("COMPLETED", 4))
    async with wire.client() as client:
        assert (await client.sessions.wait(SESSION)).session.status == "COMPLETED"


async def test_waiting_goes_on_when_the_session_that_was_over_has_been_restarted() -> None:
    wire = Wire(
        status("THINKING", 3), OVER, status("THINKING", 5), stream(entry(6, "COMPLETED"), END), status("COMPLETED", 6)
    )
    async with wire.client() as client:
        assert (await client.sessions.wait(SESSION)).session.status == "COMPLETED"

    assert places(wire) == ["3", "5"]


async def test_a_reader_who_has_seen_some_takes_up_behind_them() -> None:
    wire = Wire(stream(entry(5), entry(6, "COMPLETED")), status("COMPLETED", 6))
    async with wire.client() as client:
        versions = [each.version async for each in client.sessions.events(SESSION, after=4)]

    assert versions == [5, 6]
    assert places(wire) == ["4"]


async def test_waiting_ends_when_it_has_ended_or_a_person_is_asked() -> None:
    gate = {"waitingReason": "approval"}
    wire = Wire(
        status("THINKING", 1),
        stream(entry(2, "WAITING", waitingReason="retry"), entry(3, "WAITING", **gate)),
        status("WAITING", 3, **gate),
    )
    async with wire.client() as client:
        stopped = await client.sessions.wait(SESSION)

    assert stopped.session.waits_for_a_person
    assert places(wire) == ["1"], "what was before is not looked at again"


async def test_waiting_does_not_end_for_a_stop_that_is_over_already() -> None:
    wire = Wire(
        status("THINKING", 1),
        stream(entry(2, "FAILED"), entry(3), entry(4, "COMPLETED")),
        status("THINKING", 3),
        status("COMPLETED", 4),
    )
    async with wire.client() as client:
        assert (await client.sessions.wait(SESSION)).session.status == "COMPLETED"


async def test_a_wait_with_a_limit_leaves_the_session_running() -> None:
    wire = Wire(status("THINKING", 1), stream(cut=False))
    async with wire.client() as client:
        with pytest.raises(StillRunning) as raised:
            await client.sessions.wait(SESSION, timeout_seconds=0)

    assert raised.value.session_id == SESSION


@pytest.mark.parametrize(
    ("word", "more", "error"),
    [
        ("FAILED", {"failure": {"error": "RunFailed", "message": "No.", "taskId": None}}, SessionFailed),
        ("WAITING", {"waitingReason": "budget"}, SessionWaits),
    ],
)
async def test_a_run_without_drafts_says_where_the_session_stands(
    word: str, more: dict[str, Any], error: type[SessionFailed | SessionWaits]
) -> None:
    created = httpx.Response(201, json={"sessionId": SESSION, "status": "THINKING", "createdAt": TIME})
    async with Wire(created, status(word, 9, **more)).client() as client:
        with pytest.raises(error, match=SESSION) as raised:
            await client.run("AI")

    assert raised.value.status.session.status == word
