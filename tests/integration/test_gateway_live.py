"""Live events for real: over reconnects, a killed gateway, lost wake-ups and clients that vanish."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import httpx
import pytest
from benchmarks.listener import Listener

from ekiden.domain.ids import SessionId
from ekiden.domain.messages import Pause
from ekiden.domain.session import Status
from ekiden.store.database import Database
from ekiden.store.sessions import SessionStore
from ekiden_gateway.app import SILENT_SECONDS
from ekiden_gateway.views.session import BASE
from ekiden_native.ports import free_port
from tests.contract.watched_contract import WatchedContract, WatchedLab
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import Site, Stream, site, streaming, until
from tests.integration.test_session_store import new, step

__all__ = ["site"]  # a gateway of this module's own
SSE = {"Accept": "text/event-stream"}


class MongoLab(WatchedLab):
    def __init__(self, database: Database) -> None:
        self.store = self.histories = self.counting = SessionStore(database)

    async def begin(self, owner: str) -> SessionId:
        return (await new(self.store, owner)).id

    async def move(self, session_id: SessionId, status: Status) -> None:
        session = await self.store.load(session_id)
        assert session is not None
        assert await self.store.apply(session, step(session, None, status=status), Pause(session.created_at))


@pytest.fixture
def lab(database: Database) -> WatchedLab:
    return MongoLab(database)


class TestSessionStore(WatchedContract):
    """On a database."""


async def test_a_proxy_is_told_to_pass_events_on_at_once(site: Site) -> None:
    session_id = await site.create()
    for path in (f"{BASE}/{session_id}/events", f"{BASE}/counts"):
        async with site.client.stream("GET", path, headers=SSE) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-cache", "no")
            assert (await anext(response.aiter_lines())).startswith("retry: ")


async def test_a_stream_ends_with_its_session_and_is_not_begun_again(site: Site) -> None:
    session_id = await site.create()
    async with site.client.stream("GET", f"{BASE}/{session_id}/events", headers=SSE) as response:
        await site.post(session_id, "cancel")
        async with asyncio.timeout(10):
            lines = [line async for line in response.aiter_lines()]
    assert [line for line in lines if line.startswith("id: ")] == ["id: 0", "id: 1"]
    assert lines[-3:] == ["event: end", "data: {}", ""]
    again = await site.client.get(f"{BASE}/{session_id}/events", headers=SSE | {"Last-Event-ID": "1"})
    assert (again.status_code, again.content) == (204, b"")
    async with streaming(site, session_id, **{"Last-Event-ID": "0"}) as stream:
        assert (await stream.next())[0] == 1
    assert [event["id"] for event in (await site.get(session_id, "/events?after=1"))["events"]] == []


@pytest.mark.parametrize("seen", ["2", "999999999"])
async def test_an_id_that_the_session_has_not_come_to_is_told_the_whole_history(site: Site, seen: str) -> None:
    session_id = await site.create(start=True)
    async with streaming(site, session_id, **{"Last-Event-ID": seen}) as stream:
        assert [(await stream.next())[0] for _ in range(2)] == [0, 1]


async def test_a_lost_wake_up_costs_seconds_and_nothing_else(site: Site) -> None:
    session_id = await site.create()
    store = SessionStore(site.database)
    async with streaming(site, session_id) as stream:
        assert (await stream.next())[0] == 0
        for version in (1, 2):
            session = await store.load(SessionId(session_id))
            assert session is not None
            await store.apply(session, step(session, None), Pause(session.created_at))  # and nobody tells of it
            assert (await stream.next())[0] == version


async def test_clients_that_vanish_leave_nothing_behind(site: Site) -> None:
    session_id = await site.create()
    feeds, counts = site.server.parts.feeds, site.server.parts.counts
    async with AsyncExitStack() as open_ones:
        reading: list[AsyncIterator[str]] = []
        for path in [f"{BASE}/{session_id}/events", f"{BASE}/counts"] * 10:
            response = await open_ones.enter_async_context(site.client.stream("GET", path, headers=SSE))
            reading.append(response.aiter_lines())
            await anext(reading[-1])
        await until(lambda: counts._watchers.total() == 10)
        assert [feed.listeners for feed in feeds._feeds.values()] == [10]
    await until(lambda: not feeds._feeds and not counts._watchers)


async def test_a_client_that_takes_nothing_is_cut_off_by_the_kernel(site: Site) -> None:
    session_id = await site.create()
    async with streaming(site, session_id):
        for connection in site.server.server_state.connections:
            accepted: Any = connection.transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == SILENT_SECONDS * 1000


async def test_counts_are_live(site: Site) -> None:
    before = (await site.client.get(f"{BASE}/counts")).json()
    async with site.client.stream("GET", f"{BASE}/counts", headers=SSE) as response:
        stream = Stream(response)
        assert (await stream.next())[1] == before
        session_id = await site.create()  # of which nobody is told
        now = before | {"total": before["total"] + 1, "pending": before["pending"] + 1}
        assert (await stream.next())[1] == now
        await site.post(session_id, "process-async")
        now |= {"pending": before["pending"], "thinking": before["thinking"] + 1}
        assert (await stream.next())[1] == now


async def test_a_hundred_listeners_resume_where_a_killed_gateway_left_them(site: Site, infra: Infra) -> None:
    """The sessions move at another gateway all the while."""
    sessions = [await site.create(start=True) for _ in range(10)]
    port = free_port(set())
    listeners = [Listener("127.0.0.1", port, f"{BASE}/{one}/events") for one in sessions for _ in range(10)]
    victim = await gateway(infra, site, port)
    listening = asyncio.gather(*(one.listen() for one in listeners))
    try:
        await until(lambda: all(one.ids for one in listeners))
        await asyncio.gather(*(move(site, one, ["pause", "resume", "pause"]) for one in sessions))
        victim.kill()
        await victim.wait()
        await asyncio.gather(*(move(site, one, ["resume", "pause"]) for one in sessions))
        victim = await gateway(infra, site, port)
        await asyncio.gather(*(move(site, one, ["resume", "pause", "cancel"]) for one in sessions))
        async with asyncio.timeout(180):
            await listening
    finally:
        listening.cancel()
        with suppress(ProcessLookupError):
            victim.kill()
        await victim.wait()
    assert {tuple(one.ids) for one in listeners} == {tuple(range(10))}
    assert {(one.opened, one.last_word) for one in listeners} <= {(2, 204), (3, 204)}


async def gateway(infra: Infra, site: Site, port: int) -> Process:
    """A gateway in a process of its own, on the database of `site`; returns when it answers."""
    env = {
        "EKIDEN_AMQP_URL": infra.amqp_url,
        "EKIDEN_MONGODB_URL": infra.mongodb_url,
        "EKIDEN_MONGODB_DATABASE": site.server.parts.settings.mongodb_database,
        "EKIDEN_GATEWAY_PORT": str(port),
        "EKIDEN_LOG_LEVEL": "error",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ekiden_gateway", env=os.environ | env)
    async with asyncio.timeout(120), httpx.AsyncClient() as client:
        while True:
            with suppress(httpx.HTTPError):
                if (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200:
                    return process
            assert process.returncode is None
            await asyncio.sleep(0.05)


async def move(site: Site, session_id: str, words: list[str]) -> None:
    for word in words:
        await site.post(session_id, word)
