"""A provider that shows us our own key: it goes no further than the connection it came by."""

import json
from collections.abc import Callable

import httpx
import pytest

from ekiden.errors import EkidenError
from ekiden.worker.adapter import Adapter, Submitted
from ekiden.worker.http import FIRST_BYTE, ProviderClient
from ekiden.worker.ledger import Completed
from ekiden_gpt_worker.openai_chat import OpenAIChat
from ekiden_perplexity_worker.perplexity_agent import PerplexityAgent
from tests.canaries import canary
from tests.unit.worker.wire import call, fence

KEY = canary("provider")
Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer) -> ProviderClient:
    async def handle(request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"](FIRST_BYTE, {})
        return answer(request)

    headers = {"Authorization": f"Bearer {KEY}"}
    return ProviderClient("http://provider", headers, connections=1, transport=httpx.MockTransport(handle))


ADAPTERS: dict[str, Callable[[Answer], Adapter]] = {
    "openai": lambda answer: OpenAIChat(client(answer), "a-model", deadline_seconds=10.0),
    "perplexity": lambda answer: PerplexityAgent(client(answer), client(answer), "a-model"),
}


def as_an_error(status: int) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        said = f"Incorrect API key provided: {request.headers['authorization']}"
        body = {"error": {"message": said, "type": "invalid_request_error", "code": "invalid_api_key"}}
        return httpx.Response(status, json=body)

    return answer


def as_a_page(status: int) -> Answer:
    return lambda request: httpx.Response(status, text=f"<html>{dict(request.headers)}</html>")


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500, 502, 503])
@pytest.mark.parametrize("way", [as_an_error, as_a_page])
async def test_no_error_repeats_the_key_a_provider_echoes(name: str, status: int, way: Callable[[int], Answer]) -> None:
    adapter = ADAPTERS[name](way(status))
    with pytest.raises(EkidenError) as caught:
        await adapter.submit(call(schemaName="note", schema={}), fence())
    chain: list[BaseException | None] = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert not [error for error in chain if KEY in repr(error) or KEY in str(error)]


async def test_an_answer_that_was_paid_for_is_kept_without_the_key() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"id": "run_1", "status": "queued"})
        found = {"type": "message", "content": [{"type": "output_text", "text": f"found {KEY}"}]}
        return httpx.Response(200, json={"id": "run_1", "status": "completed", "output": [found]})

    adapter = ADAPTERS["perplexity"](answer)
    assert await adapter.submit(call(), fence()) == Submitted("run_1")
    completed = await adapter.collect("run_1")
    assert isinstance(completed, Completed)
    assert "found ***" in json.dumps(completed.result)
    assert KEY not in json.dumps([completed.result, completed.response])
