"""The gateway does what its OpenAPI document says: a short run of Schemathesis; `make conformance` is the long one."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import httpx

from ekiden.messages.dead_letter import DeadLetter
from ekiden.store.database import Database
from ekiden.store.dead_letters import DeadLetterStore
from ekiden.store.schema import ensure_schema
from tests.conformance.callers import API_KEYS, KEYS, TESTER
from tests.conformance.runner import OPERATIONS, run
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.letters import empty_queues
from tests.integration.test_gateway_http import (
    Site,
    running,
    settings_for,
    unknown_outcome,
    until_ready,
    write_package,
)

GPT = "ekiden.tasks.gpt"


def _letter(body: bytes, now: datetime) -> DeadLetter:
    return DeadLetter(GPT, "ekiden.commands", "gpt", "undecodable", "no JSON", body, len(body), died_at=now)


async def dead_letters(database: Database, count: int) -> list[str]:
    await database.synchronise_clock()
    store = DeadLetterStore(database)
    made = [_letter(f"no JSON {n}".encode(), database.clock.now()) for n in range(count)]
    for letter in made:
        await store.keep(letter)
    return [letter.id for letter in made]


async def test_the_gateway_does_what_its_document_says(
    infra: Infra, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    write_package(tmp_path / "workflows" / "small", small_package())
    settings = settings_for(infra, workflows_dir=tmp_path / "workflows", api_keys=API_KEYS)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    await ensure_schema(database)
    headers = {"X-API-Key": KEYS[TESTER]}
    async with (
        running(settings) as (server, url),
        httpx.AsyncClient(base_url=url, timeout=60, headers=headers) as client,
    ):
        await until_ready(client)
        site = Site(client, database, url, server)
        done = await site.create(start=True)
        await site.finish(done)
        doubtful, _ = await unknown_outcome(site)
        yard = {
            "url": url,
            "wish": {"workflow": "small"},
            "sessions": {"completed": [done], "doubtful": [doubtful]},
            "letters": await dead_letters(database, 30),
        }
        outcome = await run(tmp_path, yard, "--phases", "examples,fuzzing", "--max-examples", "3", "--seed", "1")
    await database.close()
    async with empty_queues(infra):  # of the letters it has replayed
        pass
    record_property("calls", outcome.calls)
    assert outcome.status == 0, outcome.output
    assert outcome.server_errors == 0, outcome.tally
    assert set(outcome.tally) == OPERATIONS.keys() - {"getOpenApi"}, outcome.tally  # which it reads before it begins
