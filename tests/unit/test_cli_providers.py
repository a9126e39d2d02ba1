"""What a person reads of the providers, and what the doctor makes of them."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ekiden_cli.doctor.finding import Verdict
from ekiden_cli.doctor.gateway import check_providers
from ekiden_cli.providers import provider_lines, why_open
from ekiden_client import EkidenClient, NotFound, Page, ProviderState

SINCE = "2026-11-22T09:30:00Z"
CLOSED = {"state": "closed", "reason": None, "since": None, "nextProbeAt": None, "openedBy": None}
QUOTA = {"state": "open", "reason": "QuotaExhausted: no money", "since": SINCE, "openedBy": "worker"}


def state(breaker: dict[str, Any] = CLOSED, **more: Any) -> ProviderState:
    return ProviderState.model_validate({"provider": "gpt", "breaker": breaker, **more})


def answering(body: object, status: int = 200, seen: list[httpx.Request] | None = None) -> EkidenClient:
    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        kind = "application/problem+json" if status >= 400 else "application/json"
        return httpx.Response(status, headers={"content-type": kind}, content=json.dumps(body))

    return EkidenClient("http://gateway", key="", transport=httpx.MockTransport(answer))


def test_a_provider_that_passes_calls_is_one_line() -> None:
    assert list(provider_lines(state(ratePerMinute=50, rateSlotsAhead=3))) == [
        "gpt         breaker closed; 50 calls a minute, 3 in line"
    ]


def test_a_provider_that_cools_down_says_until_when() -> None:
    line = next(iter(provider_lines(state(coolDownUntil=SINCE, refusalsInARow=2))))
    assert "cools down until" in line
    assert "2 refusals in a row; no rate limit of ours" in line


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"nextProbeAt": SINCE}, "next probe at"),
        ({"state": "probing"}, "a probe is under way"),
        ({"openedBy": "person"}, "until somebody says: ekiden providers close gpt"),
    ],
)
def test_an_open_breaker_says_why_and_what_will_close_it(more: dict[str, Any], told: str) -> None:
    found = state(QUOTA | more)
    assert "QuotaExhausted: no money" in why_open(found)
    assert told in why_open(found)
    assert len(list(provider_lines(found))) == 2


def test_what_a_provider_said_cannot_move_the_cursor() -> None:
    assert "\x1b" not in "".join(provider_lines(state(QUOTA | {"reason": "\x1b[2Jboo"})))


@pytest.mark.parametrize(
    ("call", "path", "body"),
    [
        (lambda gateway: gateway.providers.open("gpt", "why"), "/api/providers/gpt/open", {"reason": "why"}),
        (lambda gateway: gateway.providers.close("a/b"), "/api/providers/a%2Fb/close", None),
    ],
)
async def test_a_command_goes_to_its_route(call: Callable[[EkidenClient], Any], path: str, body: object) -> None:
    seen: list[httpx.Request] = []
    async with answering({"provider": "gpt", "breaker": CLOSED}, seen=seen) as gateway:
        assert (await call(gateway)).provider == "gpt"
    assert (seen[0].method, seen[0].url.raw_path.decode()) == ("POST", path)
    assert (json.loads(seen[0].content) if seen[0].content else None) == body


async def test_what_is_received_is_given_back_whole() -> None:
    body = {"items": [{"provider": "gpt", "breaker": CLOSED, "later": 1}], "nextCursor": None}
    async with answering(body) as gateway:
        page = await gateway.providers.page()
    assert isinstance(page, Page)
    assert page.raw == body


async def test_an_unknown_provider_is_not_found() -> None:
    async with answering({"status": 404, "title": "There is no such provider"}, 404) as gateway:
        with pytest.raises(NotFound):
            await gateway.providers.close("claude")


@pytest.mark.parametrize(
    ("breaker", "verdict", "told"), [(CLOSED, Verdict.OK, "pass"), (QUOTA, Verdict.WARNING, "no money")]
)
async def test_the_doctor_warns_of_an_open_breaker(breaker: dict[str, Any], verdict: Verdict, told: str) -> None:
    async with answering({"items": [{"provider": "gpt", "breaker": breaker}]}) as gateway:
        finding = await check_providers(gateway)
    assert finding.verdict is verdict
    assert told in finding.found


async def test_the_doctor_says_that_it_was_not_let_in() -> None:
    async with answering({"status": 401, "title": "An API key is needed"}, 401) as gateway:
        assert (await check_providers(gateway)).verdict is Verdict.WARNING
