"""Secrets where things go wrong: a service that cannot log in, callers with wrong keys, a bug that says an address."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ekiden.broker import topology
from ekiden.broker.consumer import Ack, Consumer
from ekiden.broker.publisher import Publisher
from ekiden.clock import DatabaseClock
from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.plan import Provider
from ekiden.messages.envelope import GenerateText
from ekiden.stamp import Stamp
from ekiden.store.database import Database
from ekiden_gateway.views.session import BASE
from ekiden_native.stack import SETTINGS
from tests.canaries import canary, odd_lines
from tests.integration.conftest import Infra
from tests.integration.letters import empty_queues, keeping, letters

PATIENCE_SECONDS = 60.0
KEY, PASSWORD, COLLECTOR = canary("key"), canary("password"), canary("collector")
ONE = f"{BASE}/ses_{'0' * 32}"


class Locked:
    """A gateway that nobody lets in: neither the broker nor the database takes its password."""

    def __init__(self, infra: Infra, log: Path) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        self.log = log
        url, once = f"http://127.0.0.1:{port}", {"Connection": "close"}
        self.client = httpx.Client(base_url=url, headers=once, timeout=30, trust_env=False)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)} | {
            "EKIDEN_AMQP_URL": infra.amqp_url.replace("guest:guest", f"guest:{PASSWORD}"),
            "EKIDEN_MONGODB_URL": infra.mongodb_url.replace("://", f"://me:{PASSWORD}@"),
            "EKIDEN_API_KEYS": f"me:{KEY}:read,write",
            "EKIDEN_GATEWAY_PORT": str(port),
            "EKIDEN_LOG_LEVEL": "debug",
            "EKIDEN_LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={COLLECTOR}",
        }
        with log.open("wb") as out:
            command = [sys.executable, "-m", "ekiden_gateway"]
            self.process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def wait_for(self, *events: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not set(events) <= {line["event"] for line in self.lines}:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)


@pytest.fixture(scope="module")
def locked(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    made = Locked(infra, tmp_path_factory.mktemp("locked") / "gateway-1.log")
    try:
        made.wait_for("preparing_crashed", "broker_not_reached")
        yield made
    finally:
        made.client.close()
        made.process.terminate()
        made.process.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", ONE, {}, 401),
        ("GET", ONE, {"Authorization": f"Bearer wrong-{KEY}"}, 401),
        ("GET", ONE, {"X-API-Key": KEY[:-1]}, 401),
        ("GET", ONE, {"Authorization": f"Bearer {KEY}"}, 500),
        ("GET", f"{ONE}-{KEY}", {"Authorization": f"Bearer {KEY}"}, 404),
        ("POST", f"{BASE}/create", {"Authorization": f"Bearer {KEY}", "Idempotency-Key": KEY}, 503),
    ],
    ids=["no key", "wrong key", "part of the key", "database refuses", "key in the path", "key as idempotency key"],
)
def test_no_problem_shows_a_secret(
    locked: Locked, method: str, path: str, headers: Mapping[str, str], status: int
) -> None:
    body = {"theme": "t"} if method == "POST" else None
    answer = locked.client.request(method, path, json=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    for secret in (KEY, PASSWORD):
        assert secret not in answer.text


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/openapi.json"])
def test_no_other_page_shows_one(locked: Locked, path: str) -> None:
    answer = locked.client.get(path, headers={"X-API-Key": KEY})
    for secret in (KEY, PASSWORD):
        assert secret not in answer.text


def test_no_line_of_its_log_shows_one_and_each_is_an_event(locked: Locked) -> None:
    locked.client.get(ONE, headers={"X-API-Key": KEY})
    locked.wait_for("request_failed")
    text = locked.log.read_text()
    assert "AuthenticationFailed" in text or "Authentication failed" in text
    for secret in (KEY, PASSWORD, COLLECTOR):
        assert secret not in text
    assert not list(odd_lines("log", text.splitlines()))


def test_a_service_that_dies_at_its_start_says_why_and_no_secret(infra: Infra) -> None:
    """Its address is none, and the driver's error may repeat it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)} | {
        "EKIDEN_AMQP_URL": infra.amqp_url,
        "EKIDEN_MONGODB_URL": f"mongodb://me:{PASSWORD}@local host:x{PASSWORD}/",
    }
    command = [sys.executable, "-m", "ekiden_orchestrator"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 1
    assert PASSWORD not in done.stderr + done.stdout
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["process_crashed"]


async def test_a_bug_that_says_an_address_becomes_a_dead_letter_without_it(infra: Infra, database: Database) -> None:
    publisher = Publisher(infra.amqp_url, Stamp(DatabaseClock()))
    consumer = Consumer(infra.amqp_url, publisher)

    async def crash(message: GenerateText, ack: Ack) -> None:
        raise ValueError(f"no answer from mongodb://me:{PASSWORD}@db/ with Authorization: Bearer {KEY}")

    queue = topology.task_queue(Provider.GPT)
    consumer.subscribe(queue, GenerateText.model_validate_json, crash, prefetch=1)
    session = SessionId(f"ses_{uuid4().hex}")
    async with empty_queues(infra):
        await publisher.connect()
        try:
            async with keeping(infra, publisher, database) as store:
                await consumer.start()
                await publisher.command(Provider.GPT, TaskId(f"{session}.1T.g1.0"), session)
                (letter,) = await letters(store, 1)
        finally:
            await consumer.stop()
            await publisher.close()
    assert "ValueError: no answer from mongodb://***@db/" in letter["error"]
    assert not [secret for secret in (PASSWORD, KEY) if secret in str(letter)]
