"""What the metrics say of a real database: who waits and for how long, how long commands take, and which fail."""

import socket
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from pymongo.errors import OperationFailure

from ekiden.broker import topology
from ekiden.broker.queue_depth import QueueDepth
from ekiden.domain.ids import Micros, SessionId
from ekiden.domain.session import Money, Session, Status, WaitingReason
from ekiden.errors import Unreachable
from ekiden.store.database import Database
from ekiden.store.dead_letters import DeadLetterStore
from ekiden.store.deliveries import DeliveryStore
from ekiden.store.providers import ProviderStates
from ekiden.store.sessions import SessionStore
from ekiden.store.tasks import TaskStore
from ekiden_orchestrator.gauges import Gauges
from tests.integration.conftest import Infra


def measured(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"ekiden_{name}", labels) or 0.0


async def test_the_longest_wait_is_told_for_each_reason(infra: Infra, database: Database) -> None:
    sessions, now, queues = SessionStore(database), database.clock.now(), QueueDepth(infra.amqp_url)
    for reason, seconds in ((WaitingReason.BUDGET, 600), (WaitingReason.BUDGET, 60), (WaitingReason.RETRY, 5)):
        since, name = now - timedelta(seconds=seconds), SessionId(f"ses_{uuid4().hex}")
        made = Session(name, "me", "w@1", {}, "en", since, Money(Micros(1)))
        assert await sessions.create(replace(made, status=Status.WAITING, waiting_reason=reason))
    await topology.declare_at(infra.amqp_url)
    await queues.connect()
    states, letters = ProviderStates(database), DeadLetterStore(database)

    await Gauges(
        sessions, TaskStore(database), states, letters, DeliveryStore(database), queues, database.clock
    ).measure()
    await queues.close()

    assert measured("sessions_waiting", reason="budget") == 2
    assert measured("sessions_waiting_longest_seconds", reason="budget") >= 600
    assert 5 <= measured("sessions_waiting_longest_seconds", reason="retry") < 600
    assert measured("sessions_waiting_longest_seconds", reason="approval") == 0


async def test_every_command_to_the_database_is_timed_by_its_name(database: Database) -> None:
    before = measured("mongodb_command_duration_seconds_count", command="find")

    await database.quick("sessions").find_one({"_id": "nobody"})

    assert measured("mongodb_command_duration_seconds_count", command="find") == before + 1


async def test_a_command_that_the_database_refuses_is_timed_and_counted(database: Database) -> None:
    refused = measured("mongodb_command_failures_total", command="find")
    timed = measured("mongodb_command_duration_seconds_count", command="find")

    with pytest.raises(OperationFailure):
        await database.quick("sessions").find_one({"$nonsense": 1})

    assert measured("mongodb_command_failures_total", command="find") == refused + 1
    assert measured("mongodb_command_duration_seconds_count", command="find") == timed + 1


async def test_a_database_or_broker_that_does_not_answer_is_counted() -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        before = {server: measured("unreachable_total", server=server) for server in ("database", "broker")}
        away = Database(f"mongodb://127.0.0.1:{port}/", "test", timeout_ms=100)

        with pytest.raises(Unreachable):
            await away.synchronise_clock()
        with pytest.raises(Unreachable):
            await QueueDepth(f"amqp://127.0.0.1:{port}/").connect()
        await away.close()

    after = {server: measured("unreachable_total", server=server) for server in before}
    assert after == {server: times + 1 for server, times in before.items()}
