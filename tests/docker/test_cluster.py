"""Three brokers, three mongods, two of every service: a broker and the database's primary are killed under load."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from pymongo import MongoClient

from ekiden.broker.topology import queues, task_queue
from ekiden.domain.plan import Provider
from tests.chaos.oracle import Row
from tests.docker.compose import OURS, Compose, service_of
from tests.docker.conftest import Tell
from tests.docker.yard import Yard, start_provider, yard

SESSIONS = 200
TIME_SCALE = 0.4
"""A search takes 28 s: a load that lasts longer than two failovers, however fast all else goes."""
MOVES = 200
"""Transitions of sessions after which work has gone on."""
COMES_UP_SECONDS = 1800.0
GOES_ON_SECONDS = 300.0
BROKERS = ("rabbitmq", "rabbitmq-2", "rabbitmq-3")
MONGODS = ("mongo", "mongo-2", "mongo-3")


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory, tell: Tell) -> Iterator[Compose]:
    made = Compose(tmp_path_factory.mktemp("compose"), "docker-compose.cluster.yml")
    made.environment["GATEWAY_PORTS"] = "20000-32767"
    try:
        began = time.monotonic()
        made("build")
        built = time.monotonic()
        start_provider(made, TIME_SCALE)
        made.up()
        made.ports["EKIDEN_GATEWAY_PORT"] = int(_address(made, "gateway", 8000).rpartition(":")[2])
        tell(f"build {built - began:.0f} s, up {time.monotonic() - built:.0f} s")
        yield made
    finally:
        made.end()


def test_every_queue_is_on_three_brokers(compose: Compose) -> None:
    members = {row["name"]: row["members"] for row in _queues(compose)}

    assert {name: len(members.get(name, ())) for name in (queue.name for queue in queues())} == {
        queue.name: 3 for queue in queues()
    }


def test_there_are_two_of_every_service(compose: Compose) -> None:
    running = [service_of(each) for each in compose.containers(*OURS)]

    assert {service: running.count(service) for service in OURS} == dict.fromkeys(OURS, 2)


@pytest_asyncio.fixture(scope="module")
async def cluster(compose: Compose) -> AsyncIterator[Yard]:
    """Looked at through a member that is not the primary, and so is not killed."""
    survivor = next(name for name in MONGODS if name != _primary(compose))
    address = f"mongodb://{_address(compose, survivor, 27017)}/"
    async with yard(compose, compose.provider, f"{address}?directConnection=true&readPreference=secondary") as made:
        yield made


async def test_200_sessions_outlive_a_broker_and_the_primary(compose: Compose, cluster: Yard, tell: Tell) -> None:
    began = time.monotonic()
    sessions = await cluster.load("cluster", SESSIONS)
    deaths: dict[str, datetime] = {}
    for kind, victim in (("broker", _leader), ("primary", _primary)):
        await _moves(compose, cluster, sessions)
        name = await asyncio.to_thread(victim, compose)
        if name in BROKERS:
            survivor = next(broker for broker in BROKERS if broker != name)
            cluster.amqp_url = f"amqp://guest:guest@{await asyncio.to_thread(_address, compose, survivor, 5672)}/"
        async with cluster.at_risk.during(cluster.database["tasks"]):
            deaths[f"{kind} {name}"] = datetime.now(UTC)
            await asyncio.to_thread(compose, "kill", name)
            await _moves(compose, cluster, sessions)
    ended = await cluster.until_ended(sessions, COMES_UP_SECONDS, deciding=True)
    seconds = time.monotonic() - began

    moves = sorted(entry["at"] for session in ended for entry in session["history"])
    for (victim, died), end in zip(deaths.items(), [*list(deaths.values())[1:], moves[-1]], strict=True):
        tell(f"{victim} killed: {_pause(moves, died, end):.1f} s without progress")
    tell(f"{SESSIONS} sessions in {seconds:.0f} s: {await cluster.judge(ended)}")


async def _moves(compose: Compose, cluster: Yard, sessions: Sequence[str]) -> None:
    """Return when the sessions have together moved so many times more; fail with what the services said meanwhile."""
    mine = [{"$match": {"_id": {"$in": list(sessions)}}}, {"$group": {"_id": None, "moves": {"$sum": "$version"}}}]

    async def moves() -> int:
        rows = await (await cluster.database["sessions"].aggregate(mine)).to_list()
        return rows[0]["moves"] if rows else 0

    before = await moves()

    async def enough() -> bool:
        return await moves() >= before + MOVES

    try:
        await cluster.until(enough, "sessions move", GOES_ON_SECONDS, every=0.2)
    except AssertionError as error:
        said = await asyncio.to_thread(compose, "logs", "--no-color", "--tail", "30", *OURS)
        raise AssertionError(f"{error}: {before} moves before\n{said}") from error


def _pause(moves: Sequence[datetime], died: datetime, end: datetime) -> float:
    """The longest time from one move of a session to the next, of those that were not over when somebody died."""
    late = [(max(one, died), two) for one, two in pairwise(moves) if two > died and one < end]
    return max((two - one).total_seconds() for one, two in late)


def _queues(compose: Compose) -> list[dict[str, Any]]:
    ask = ("rabbitmqctl", "-q", "--formatter", "json", "list_queues", "name", "leader", "members")
    return json.loads(compose("exec", "-T", "rabbitmq", *ask))


def _leader(compose: Compose) -> str:
    """The broker whose death hurts most: it leads the queue of searches."""
    leader: str = next(row["leader"] for row in _queues(compose) if row["name"] == task_queue(Provider.PERPLEXITY))
    return BROKERS[int(leader[-1]) - 1]


def _primary(compose: Compose) -> str:
    for name in MONGODS:
        with MongoClient[Row](f"mongodb://{_address(compose, name, 27017)}/?directConnection=true") as client:
            if client.admin.command("hello")["isWritablePrimary"]:
                return name
    raise AssertionError("there is no primary")


def _address(compose: Compose, service: str, port: int) -> str:
    """Where a container's port is published."""
    return compose("port", service, str(port)).strip()
