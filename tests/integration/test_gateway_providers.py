"""The providers' breakers as a person sees and moves them, through a gateway that runs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from ekiden.domain.plan import Provider
from ekiden.errors import QuotaExhausted, RateLimited
from ekiden.store.database import Database
from ekiden.store.gate import MongoGate
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import running, settings_for, until_ready

PROVIDERS = "/api/providers"
CLOSED = {"state": "closed", "reason": None, "since": None, "nextProbeAt": None, "openedBy": None}


@dataclass
class Site:
    client: httpx.AsyncClient
    database: Database

    async def provider(self, name: str = "gpt") -> dict[str, Any]:
        answer = await self.client.get(PROVIDERS)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["nextCursor"] is None
        return next(item for item in body["items"] if item["provider"] == name)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.client.post(f"{PROVIDERS}/{path}", json=body)

    async def gate(self, rate_per_minute: float | None = None) -> MongoGate:
        made = MongoGate(self.database, Provider.GPT, rate_per_minute)
        await made.start()
        return made


@pytest.fixture(scope="module")
async def open_site(infra: Infra) -> AsyncIterator[Site]:
    settings = settings_for(infra)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    await database.synchronise_clock()
    async with running(settings) as (_, url), httpx.AsyncClient(base_url=url, timeout=30) as client:
        await until_ready(client)
        yield Site(client, database)
    await database.close()


@pytest.fixture
async def site(open_site: Site) -> Site:
    await open_site.database.journaled("providers").delete_many({})
    return open_site


async def test_both_providers_are_listed_before_anything_was_stored(site: Site) -> None:
    for name in ("gpt", "perplexity"):
        assert await site.provider(name) == {
            "provider": name,
            "breaker": CLOSED,
            "refusalsInARow": 0,
            "coolDownUntil": None,
            "ratePerMinute": None,
            "rateSlotsAhead": 0,
        }


async def test_a_breaker_that_workers_opened_says_why_and_when_it_is_probed(site: Site) -> None:
    await (await site.gate()).refused(QuotaExhausted("no money"))
    breaker = (await site.provider())["breaker"]
    assert (breaker["state"], breaker["reason"], breaker["openedBy"]) == ("open", "QuotaExhausted: no money", "worker")
    assert breaker["since"] < breaker["nextProbeAt"]
    assert (await site.provider("perplexity"))["breaker"] == CLOSED


async def test_a_person_opens_and_closes_a_breaker(site: Site) -> None:
    opened = await site.post("gpt/open", {"reason": "the invoice"})
    assert opened.status_code == 200, opened.text
    breaker = opened.json()["breaker"]
    assert (breaker["state"], breaker["reason"], breaker["openedBy"]) == ("open", "the invoice", "person")
    assert breaker["nextProbeAt"] is None
    assert await site.provider() == opened.json()

    closed = await site.post("gpt/close")
    assert closed.json()["breaker"] == CLOSED
    assert (await site.post("gpt/close")).json()["breaker"] == CLOSED, "repeating it changes nothing"


@pytest.mark.parametrize("body", [None, {}, {"reason": "  "}])
async def test_a_breaker_can_be_opened_without_a_reason(site: Site, body: Any) -> None:
    opened = await site.post("perplexity/open", body)
    assert opened.json()["breaker"]["reason"] == "opened by a person"


async def test_a_person_closes_what_workers_opened(site: Site) -> None:
    gate = await site.gate()
    await gate.refused(QuotaExhausted("no money"))
    await site.post("gpt/close")
    await gate.refresh()
    assert await gate.enter() == 0.0


async def test_cool_down_and_rate_can_be_seen(site: Site) -> None:
    gate = await site.gate(rate_per_minute=6)
    assert await gate.enter() == 0.0
    assert (await site.provider())["ratePerMinute"] == 6
    assert (await site.provider())["rateSlotsAhead"] == 1
    await gate.refused(RateLimited("429", delay_seconds=100))
    cooling = await site.provider()
    assert cooling["coolDownUntil"] is not None
    assert cooling["rateSlotsAhead"] == 0, "the line begins anew behind the cool-down"


@pytest.mark.parametrize("verb", ["open", "close"])
@pytest.mark.parametrize("name", ["claude", "GPT", "$gpt"])
async def test_an_unknown_provider_is_a_problem(site: Site, name: str, verb: str) -> None:
    answer = await site.post(f"{name}/{verb}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/unknown-provider"
    assert "gpt, perplexity" in answer.json()["detail"]


@pytest.mark.parametrize("body", [{"why": "x"}, {"reason": 5}, {"reason": "x" * 501}])
async def test_a_wrong_wish_is_named_and_opens_nothing(site: Site, body: Any) -> None:
    answer = await site.post("gpt/open", body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == "/problems/invalid-request"
    assert (await site.provider())["breaker"] == CLOSED


async def test_only_an_admin_s_key_moves_a_breaker(infra: Infra) -> None:
    keys = "user:0123456789abcdef:read,write,chief:fedcba9876543210:read,write,admin"
    async with running(settings_for(infra, api_keys=keys)) as (_, url), httpx.AsyncClient(base_url=url) as client:
        await until_ready(client)
        user, chief = {"X-API-Key": "0123456789abcdef"}, {"X-API-Key": "fedcba9876543210"}
        assert (await client.get(PROVIDERS)).status_code == 401
        assert (await client.get(PROVIDERS, headers=user)).status_code == 200
        assert (await client.post(f"{PROVIDERS}/gpt/open", headers=user)).status_code == 403
        assert (await client.post(f"{PROVIDERS}/gpt/open", headers=chief)).status_code == 200
