"""Schemathesis over the gateway of a whole stack: every check, and so many examples of each operation as asked for."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from ekiden.store.database import Database
from ekiden_gateway.views.session import BASE
from ekiden_native import Stack
from ekiden_native.ports import own_ports
from tests.conformance.callers import API_KEYS, KEYS, TESTER
from tests.conformance.runner import run
from tests.integration.test_gateway_conformance import dead_letters

EXAMPLES = os.environ.get("EXAMPLES") or "50"
SESSIONS = 6


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    env = {"EKIDEN_API_KEYS": API_KEYS, "EKIDEN_SIMULATOR_TIME_SCALE": "0.001", **own_ports()}
    stack = Stack(tmp_path / "stack", env=env)
    try:
        stack.up(timeout=300)
        yield stack
    finally:
        stack.down(wipe=True)


async def completed(client: httpx.AsyncClient) -> list[str]:
    """Sessions that the workers and the simulator have brought to their drafts."""
    wish = {"theme": "AIと働き方", "start": True}
    made = [(await client.post(f"{BASE}/create", json=wish)).json()["sessionId"] for _ in range(SESSIONS)]
    async with asyncio.timeout(300):
        for session_id in made:
            while (await client.get(f"{BASE}/{session_id}")).json()["status"] != "COMPLETED":  # noqa: ASYNC110 - another process's work
                await asyncio.sleep(0.2)
    return made


async def test_no_server_error_and_no_deviation_from_the_schema(stack: Stack, tmp_path: Path) -> None:
    url = stack.env["EKIDEN_GATEWAY_URL"]
    database = Database(stack.env["EKIDEN_MONGODB_URL"], stack.env["EKIDEN_MONGODB_DATABASE"])
    async with httpx.AsyncClient(
        base_url=url, timeout=60, headers={"X-API-Key": KEYS[TESTER]}, trust_env=False
    ) as client:
        sessions = await completed(client)
    letters = await dead_letters(database, 500)
    yard = {"url": url, "wish": {}, "sessions": {"completed": sessions}, "letters": letters}
    outcome = await run(tmp_path, yard, "--max-examples", EXAMPLES)
    await database.close()
    print(outcome.output)  # noqa: T201 - the figures are what it is run for
    for operation, answers in sorted(outcome.tally.items()):
        print(f"{operation:24} {answers}")  # noqa: T201
    assert outcome.status == 0
    assert outcome.server_errors == 0
    assert outcome.without_success == []
    assert outcome.open_doors == []
