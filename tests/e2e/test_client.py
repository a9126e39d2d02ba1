"""The Python client against a real stack, as its users use it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ekiden_client import (
    Cancel,
    ChangedMeanwhile,
    Conflict,
    EkidenClient,
    NotFound,
    Patience,
    RestartPhase,
    SessionWaits,
    Status,
    Unreachable,
)
from ekiden_native import Stack
from tests.guides import code_blocks

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[EkidenClient]:
    async with EkidenClient(stack.env["EKIDEN_GATEWAY_URL"], key="") as client:
        yield client


@pytest.fixture(scope="module")
async def finished(client: EkidenClient) -> str:
    """The id of a session with drafts."""
    return (await client.run("走ること", platform="threads", timeout_seconds=PATIENCE_SECONDS)).session_id


def test_the_guides_first_example_runs_as_it_stands(stack: Stack, machine: dict[str, str], tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text(code_blocks(Path("docs/python-client.md"), "python")[0], encoding="utf-8")
    environment = machine | {"EKIDEN_GATEWAY_URL": stack.env["EKIDEN_GATEWAY_URL"]}
    done = subprocess.run(
        [sys.executable, "-W", "error", program], env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    *titles, last = done.stdout.splitlines()
    assert [title[:2] for title in titles] == ["1 ", "2 ", "3 "]
    assert last.endswith("USD, 100 %")


async def test_every_transition_comes_once_and_in_order_and_it_ends_with_the_session(
    client: EkidenClient, finished: str
) -> None:
    versions = [entry.version async for entry in client.sessions.events(finished)]

    assert versions == list(range(len(versions)))
    assert versions == [entry.version for entry in await client.sessions.history(finished)]
    later = [entry.version async for entry in client.sessions.events(finished, after=versions[3])]
    assert later == versions[4:]


async def test_the_same_key_and_wishes_name_the_same_session(client: EkidenClient) -> None:
    made = await asyncio.gather(*(client.sessions.create("海", idempotency_key="once") for _ in range(5)))

    assert len({session.id for session in made}) == 1


async def test_a_run_that_meets_a_gate_says_where_it_waits_and_goes_on_from_there(client: EkidenClient) -> None:
    with pytest.raises(SessionWaits) as raised:
        await client.run("山", pause_before=["1.EXECUTE"], timeout_seconds=PATIENCE_SECONDS)

    status = raised.value.status
    assert status.gate is not None
    assert status.gate.forecast.calls.keys() <= {"perplexity"}
    foreseen = await client.sessions.foresee(status.session.id, Cancel())
    assert (foreseen.dry_run, foreseen.status) == (True, Status.CANCELLED)
    assert (await client.sessions.go_on(status.session.id, items=["What do climbers read?"])).changed
    assert (await client.sessions.wait(status.session.id, timeout_seconds=PATIENCE_SECONDS)).session.ended


async def test_a_state_that_forbids_says_what_works(client: EkidenClient, finished: str) -> None:
    with pytest.raises(Conflict) as raised:
        await client.sessions.say(finished, Cancel())

    assert raised.value.type == "/problems/conflicting-state"
    assert "restart_phase" in {way["action"] for way in raised.value.what_works}
    assert (await client.sessions.foresee(finished, RestartPhase(5))).forecast.now.calls["gpt"] > 0


async def test_a_draft_is_not_written_over_what_somebody_else_wrote(client: EkidenClient, finished: str) -> None:
    seen = await client.sessions.draft(finished, 1)
    changed = await client.sessions.edit_draft(finished, 1, content="mine", etag=seen.etag)

    assert (changed.text, changed.status) == ("mine", "EDITED")
    with pytest.raises(ChangedMeanwhile):
        await client.sessions.edit_draft(finished, 1, content="theirs", etag=seen.etag)


async def test_sessions_of_all_pages_are_found_once(client: EkidenClient, finished: str) -> None:
    ids = [session.id async for session in client.sessions.all(workflow="viral-content")]

    assert finished in ids
    assert len(ids) == len(set(ids))
    with pytest.raises(NotFound):
        await client.sessions.get("ses_" + "0" * 32)


async def test_the_client_waits_for_a_gateway_that_dies_under_it_and_loses_nothing(
    client: EkidenClient, stack: Stack
) -> None:
    session = await client.sessions.create("川", start=True)
    seen: list[int] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for entry in client.sessions.events(session.id):
            seen.append(entry.version)
            if len(seen) == 2:
                stack.kill("gateway")
                await client.sessions.create("橋")  # asked while nobody listens, done when somebody does
    stack.wait_ready("gateway")

    assert seen == list(range(len(seen)))
    assert (await client.sessions.status(session.id)).session.status == Status.COMPLETED


async def test_where_nobody_listens_it_says_so() -> None:
    async with EkidenClient("http://127.0.0.1:9", key="", patience=Patience(0, 0)) as client:
        with pytest.raises(Unreachable):
            await client.workflows.list()
