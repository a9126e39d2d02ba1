"""Evidence over a real database: what a model made up is gone from session, API and drafts, and whole in the ledger."""

from collections.abc import AsyncIterator

import httpx
import pytest

from ekiden.domain.ids import Micros
from ekiden.store.database import Database
from ekiden.worker.ledger import Completed, Saved, Usage
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import Site, running, settings_for, until_ready, write_package

KNOWN = "https://example.com/run_0"
EVIL = {
    "rows": [{"n": n, "title": f"Title {n} https://evil.example/a", "url": "https://evil.example/b"} for n in (1, 2)]
}


@pytest.fixture(scope="module")
async def site(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    async with (
        running(settings) as (server, url),
        httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(keepalive_expiry=1)) as client,
    ):
        await until_ready(client)
        yield Site(client, database, url, server)
    await database.close()


async def answer_with(site: Site, session_id: str, result: object) -> str:
    """Answer the one call the session waits for, and have it applied."""
    task_id = (await site.get(session_id, "/async-status"))["asyncTasks"]["current"][0]["id"]
    ledger, claim = await site.claim(task_id)
    usage = Usage(10, 5, Micros(1000), "fake", "fake", simulated=True)
    assert await ledger.complete(claim, Completed(result, {"raw": True}, usage)) is Saved.DECIDED
    await site.post(session_id, "continue-async", {"taskId": task_id})
    return task_id


async def test_what_a_model_made_up_is_gone_from_the_session_and_whole_in_the_ledger(site: Site) -> None:
    session_id = await site.create()
    await site.post(session_id, "process-async")
    for _ in ("plan", "searches"):
        await site.step(session_id)
    task_id = await answer_with(site, session_id, EVIL)
    session = await site.get(session_id)
    step = session["steps"][-2]
    assert step["result"]["rows"][0] == {"n": 1, "title": "Title 1 ", "url": ""}
    assert step["flags"][:2] == ["foreign_url_removed:rows[0].title", "foreign_url_removed:rows[0].url"]
    assert (await site.get(session_id, f"/tasks/{task_id}"))["result"] == EVIL
    assert [(one["sourceId"], one["url"], one["question"]) for one in session["sources"]] == [
        (f"S{n + 1}", KNOWN, f"What about {n}?") for n in range(3)
    ]
    await site.step(session_id)
    await answer_with(site, session_id, EVIL)
    drafts = (await site.get(session_id, "/drafts"))["drafts"]
    assert [(one["title"], one["sourceUrl"]) for one in drafts] == [("Title 1 ", ""), ("Title 2 ", "")]
    assert drafts[0]["flags"] == ["foreign_url_removed:title", "foreign_url_removed:sourceUrl"]
    assert "evil.example" not in str(session) + str(drafts)
