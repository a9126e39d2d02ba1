"""Celery as its documentation has it for work that must not be lost.

Quorum queues and confirmed publishes, late acknowledgement, results in MongoDB with majority and journal. A session is
a chain whose three searches are a chord. Countdowns, which a chord needs, are the broker's own on quorum queues where
exchanges are topics ("native delayed delivery"). Processes and prefetch: what was fastest on two cores.
"""

import asyncio
import os
import sys
import time
from typing import Any

import celery
from celery import Celery, chain, chord
from celery.signals import task_success
from speak import ANSWER, GPT_AFTER, SEARCHES, Ends, run_all, serve, tell_end

PROCESSES, PREFETCH = 4, 16

app = Celery("bench", broker=os.environ["BENCH_AMQP_URL"], backend=os.environ["BENCH_MONGODB_URL"])
app.conf.update(
    task_default_queue="bench.celery",
    task_default_queue_type="quorum",
    task_default_exchange_type="topic",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_transport_options={"confirm_publish": True},
    worker_prefetch_multiplier=PREFETCH,
    mongodb_backend_settings={"database": "bench_celery", "options": {"w": "majority", "journal": True}},
)


@app.task(name="call")
def call(previous: object) -> str:
    return ANSWER


@app.task(name="last_call")
def last_call(previous: object, session: str) -> str:
    return ANSWER


@task_success.connect(sender=last_call)
def tell(sender: Any, **_: object) -> None:
    """Its result is stored."""
    tell_end(sender.request.args[1])


def flow(session: str) -> Any:
    fan_out = chord([call.s() for _ in range(SEARCHES)], call.s())
    return chain(call.s(None), fan_out, *(call.s() for _ in range(GPT_AFTER - 2)), last_call.s(session))


async def main() -> None:
    ends = Ends()
    ends.listen()
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", "celery", "-q", "-A", "celery_chain", "worker", "-l", "WARNING"),
        *("-P", "prefork", "-c", str(PROCESSES), "-O", "fair"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        stdout=sys.stderr,
    )

    async def session(n: int) -> None:
        name = f"{time.monotonic_ns()}-{n}"
        ended = ends.of(name)
        await asyncio.to_thread(flow(name).apply_async)
        await ended

    async def run(sessions: int, in_flight: int) -> list[float]:
        return await run_all(session, sessions, in_flight)

    try:
        await run(1, 1)  # it is ready
        await serve(run, {"driver and workers": os.getpid()}, {"celery": celery.__version__})
    finally:
        worker.terminate()
        await worker.wait()


if __name__ == "__main__":
    asyncio.run(main())
