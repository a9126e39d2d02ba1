"""Watching a session whose stream is over first: the looks keep their pace, and nobody waits for words."""

import time

import httpx
import pytest

from ekiden_cli import watch
from ekiden_cli.watch import Watch
from ekiden_client import EkidenClient, Entry, NotFound, SessionStatus

SESSION = "ses_0199c0ffee0077778888999900001111"
LOOK_SECONDS = 0.1


class Silent:
    def show_entry(self, entry: Entry) -> None: ...

    def show_away(self, seconds: float | None) -> None: ...

    def show_status(self, status: SessionStatus) -> None: ...


@pytest.fixture(autouse=True)
def _short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_LOOK_SECONDS", LOOK_SECONDS)
    monkeypatch.setattr(watch, "_LAST_WORDS_SECONDS", 3600.0)


def gateway(events: httpx.Response, *statuses: str) -> tuple[EkidenClient, list[str]]:
    """A gateway that answers one status after the other, and the last one from then on."""
    told: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return httpx.Response(events.status_code, headers=events.headers, content=events.content)
        told.append(statuses[min(len(told), len(statuses) - 1)])
        session = {"id": SESSION, "status": told[-1], "version": 7, "createdAt": "2026-11-22T09:30:00Z"}
        return httpx.Response(200, json={"session": session})

    return EkidenClient("http://gateway", key="", transport=httpx.MockTransport(answer)), told


async def test_a_listener_that_has_ended_does_not_make_the_looks_spin() -> None:
    client, told = gateway(httpx.Response(204), *["THINKING"] * 4, "COMPLETED")
    began = time.monotonic()
    async with client:
        status = await Watch(client, SESSION, Silent()).until_it_stops()

    assert status.session.status == "COMPLETED"
    assert len(told) == 5
    assert time.monotonic() - began >= 2 * LOOK_SECONDS, (
        "only the first look may come at once, at the end of the stream"
    )


async def test_nobody_waits_for_the_last_words_of_a_stream_that_is_over() -> None:
    client, told = gateway(httpx.Response(204), "COMPLETED")
    async with client:
        await Watch(client, SESSION, Silent()).until_it_stops()

    assert told == ["COMPLETED"]


async def test_what_ends_the_listener_with_an_error_ends_the_watch() -> None:
    gone = httpx.Response(404, headers={"content-type": "application/problem+json"}, content=b'{"detail": "No."}')
    client, _ = gateway(gone, "THINKING")
    async with client:
        with pytest.raises(NotFound):
            await Watch(client, SESSION, Silent()).until_it_stops()
