"""The simulator as a real server on a free loopback port, and what holds for it whatever it imitates."""

import atexit
import logging
import os
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import cache

import httpx
import pytest

from ekiden_simulator.app import create_server
from ekiden_simulator.settings import Settings

CHAT = "/v1/chat/completions"
AGENT = "/v1/agent"
OPENAI_KEY = {"authorization": "Bearer sk-test"}
PERPLEXITY_KEY = {"authorization": "Bearer pplx-test"}


class Running:
    """A simulator in a thread of its own, until it is stopped."""

    def __init__(self, **settings: object) -> None:
        self._server = create_server(Settings.model_validate({"port": 0, "time_scale": 0, **settings}))
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # it outlives pytest's hold on stderr
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the simulator did not start"
            self._thread.join(0.01)
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@contextmanager
def running(**settings: object) -> Generator[str]:
    """Run a simulator, at once (time scale 0) unless told otherwise, and yield its base URL."""
    server = Running(**settings)
    try:
        yield server.url
    finally:
        server.stop()


@cache
def shared(**settings: object) -> Running:
    """The one simulator with these settings that all tests use in turn: starting one takes longer than most tests."""
    server = Running(**settings)
    atexit.register(server.stop)
    return server


@asynccontextmanager
async def simulator(**settings: object) -> AsyncGenerator[httpx.AsyncClient]:
    """Yield a client of a simulator that remembers nothing of earlier tests."""
    async with httpx.AsyncClient(base_url=shared(**settings).url, timeout=60) as client:
        (await client.post("/reset")).raise_for_status()
        yield client


def chat(text: object = "hello", **fields: object) -> dict[str, object]:
    """A good Chat Completions request."""
    return {"model": "gpt-6-luna", "messages": [{"role": "user", "content": text}], **fields}


def run(
    text: object = "AIと働き方の最新動向", task_id: object = "ses_1.1E.g1.0", **fields: object
) -> dict[str, object]:
    """A good background run of the Agent API."""
    return {
        "model": "perplexity/sonar",
        "input": text,
        "background": True,
        "tools": [{"type": "web_search"}],
        "metadata": {"taskId": task_id, "attempt": "1"},
        **fields,
    }


async def send_chat(client: httpx.AsyncClient, task_id: str = "ses_1.1T.g1.0", **fields: object) -> httpx.Response:
    return await client.post(CHAT, json=chat(**fields), headers={**OPENAI_KEY, "x-client-request-id": task_id})


async def send_run(client: httpx.AsyncClient, **fields: object) -> httpx.Response:
    return await client.post(AGENT, json=run(**fields), headers=PERPLEXITY_KEY)


async def poll(client: httpx.AsyncClient, run_id: str) -> httpx.Response:
    return await client.get(f"{AGENT}/{run_id}", headers=PERPLEXITY_KEY)


async def script(client: httpx.AsyncClient, *faults: dict[str, object]) -> None:
    (await client.post("/faults", json=list(faults))).raise_for_status()


async def calls(client: httpx.AsyncClient) -> list[dict[str, object]]:
    return (await client.get("/bill")).json()["calls"]


async def test_every_response_says_that_it_is_simulated() -> None:
    async with simulator() as client:
        replies = [
            await client.get("/healthz"),
            await client.get("/nowhere"),
            await client.post(CHAT),
            await send_chat(client),
            await send_run(client),
        ]
    assert [reply.headers["x-ekiden-simulator"] for reply in replies] == ["1"] * 5


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        (CHAT, "", {"type": "invalid_request_error", "param": None, "code": None}),
        (CHAT, "bad-key", {"type": "invalid_request_error", "param": None, "code": "invalid_api_key"}),
        (AGENT, "", {"type": "invalid_api_key", "code": 401}),
        (AGENT, "bad-key", {"type": "invalid_api_key", "code": 401}),
        ("/v1/sonar", "", {"type": "invalid_api_key", "code": 401}),
    ],
)
async def test_a_missing_or_wrong_key_is_401_in_the_providers_words(
    path: str, key: str, expected: dict[str, object]
) -> None:
    async with simulator() as client:
        reply = await client.post(path, json={}, headers={"authorization": f"Bearer {key}"} if key else {})
        assert reply.status_code == 401
        error = reply.json()["error"]
        assert error.pop("message")
        assert error == expected
        assert not [name for name in reply.headers if name.startswith("x-ratelimit")]


async def test_models_are_listed_in_the_shape_of_the_key_that_asks() -> None:
    async with simulator() as client:
        openai = (await client.get("/v1/models", headers=OPENAI_KEY)).json()["data"]
        perplexity = (await client.get("/v1/models", headers=PERPLEXITY_KEY)).json()["data"]
        assert (await client.get("/v1/models")).status_code == 401
    assert {"id": "gpt-4o-mini", "shutdown_date": "2027-01-14"}.items() <= {m["id"]: m for m in openai}[
        "gpt-4o-mini"
    ].items()
    sonar = next(model for model in perplexity if model["id"] == "perplexity/sonar")
    assert sonar["created"] == 0
    assert sonar["pricing"] == {
        "input": 0.25,
        "output": 2.5,
        "cache_read": 0.0625,
        "unit": "usd_per_1m_tokens",
    }


async def test_the_bill_names_each_accepted_call_and_sums_them_up() -> None:
    async with simulator() as client:
        await send_chat(client, task_id="t1")
        await send_run(client, task_id="t2")
        await send_chat(client, task_id="refused", model="gpt-unknown")
        bill = (await client.get("/bill")).json()
    first, second = bill["calls"]
    assert (first["provider"], first["taskId"], first["outcome"]) == ("openai", "t1", "completed")
    assert (second["provider"], second["taskId"], second["attempt"]) == ("perplexity", "t2", "1")
    assert second["runId"].startswith("resp_")
    total = round(first["costUsd"] + second["costUsd"], 8)
    assert bill["totals"] == {
        "calls": 2,
        "costUsd": total,
        "byProvider": {
            "openai": {"calls": 1, "costUsd": first["costUsd"]},
            "perplexity": {"calls": 1, "costUsd": second["costUsd"]},
        },
    }


async def test_a_run_is_on_the_bill_while_it_is_still_running() -> None:
    async with simulator(time_scale=1) as client:
        await send_run(client, task_id="t1")
        [entry] = await calls(client)
        stats = (await client.get("/stats")).json()
    assert entry["outcome"] == "running"
    assert stats["perplexity"] == {"accepted": 1, "refused": 0, "inFlight": 1}


@pytest.mark.parametrize(("wish", "kept"), [(None, 0), ({"keepBill": True}, 1)])
async def test_reset_forgets_everything_but_the_bill_when_asked(wish: dict[str, bool] | None, kept: int) -> None:
    async with simulator() as client:
        run_id = (await send_run(client)).json()["id"]
        await script(client, {"kind": "delay", "seconds": 0})
        reply = await client.post("/reset", json=wish) if wish else await client.post("/reset")
        assert reply.status_code == 200
        assert len(await calls(client)) == kept
        assert (await client.get("/faults")).json() == {"faults": []}
        assert (await poll(client, run_id)).status_code == 404


async def test_the_same_seed_and_request_give_the_same_answer_whatever_else_is_going_on() -> None:
    async def answers(seed: int, texts: list[str]) -> dict[str, tuple[object, object]]:
        async with simulator(seed=seed) as client:
            found: dict[str, tuple[object, object]] = {}
            for text in texts:
                completion = (await send_chat(client, text=text)).json()
                search = (await send_run(client, text=text, background=False)).json()
                said = completion["choices"], completion["usage"]
                found[text] = said, (search["output"][0], search["usage"])
            return found

    texts = ["東京のラーメン", "AI in offices", "副業"]
    assert await answers(7, texts) == await answers(7, texts[::-1])


@pytest.mark.parametrize(
    ("setting", "send"), [("openai_rate_per_minute", send_chat), ("perplexity_rate_per_minute", send_run)]
)
async def test_calls_beyond_the_rate_are_refused_and_not_on_the_bill(setting: str, send: object) -> None:
    async with simulator(**{setting: 3}) as client:
        replies = [await send(client) for _ in range(5)]  # pyright: ignore[reportCallIssue, reportGeneralTypeIssues] - one of the two above
        booked = await calls(client)
        stats = (await client.get("/stats")).json()
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429, 429]
    assert ("retry-after" in replies[-1].headers) is (setting == "openai_rate_per_minute")
    assert len(booked) == 3
    provider = setting.partition("_")[0]
    assert (stats[provider]["accepted"], stats[provider]["refused"]) == (3, 2)


def test_a_mistake_in_the_settings_stops_the_process_and_is_named() -> None:
    wrong = {"EKIDEN_SIMULATOR_PORT": "many", "EKIDEN_SIMULATOR_SPEED": "2"}
    ended = subprocess.run(
        [sys.executable, "-m", "ekiden_simulator"],
        env={**os.environ, **wrong},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 2
    assert all(name in ended.stderr for name in wrong)
