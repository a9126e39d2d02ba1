"""Taskiq pipelines: quorum queues and confirmed publishes, acknowledged when the result is saved in MongoDB.

The fan-out is the pipeline's `map`, which waits for its tasks by looking at their results, ten times as often as by
default. Processes: one for each core.
"""

import asyncio
import importlib.metadata
import os
import sys
import time

from speak import ANSWER, GPT_AFTER, SEARCHES, Ends, run_all, serve, tell_end
from taskiq_aio_pika import AioPikaBroker, Exchange, Queue
from taskiq_mongodb import MongoResultBackend
from taskiq_pipelines import Pipeline, PipelineMiddleware

PROCESSES, PREFETCH, LOOK_SECONDS = 2, 64, 0.05

results = MongoResultBackend(f"{os.environ['BENCH_MONGODB_URL']}&w=majority&journal=true", "bench_taskiq")
broker = (
    AioPikaBroker(
        os.environ["BENCH_AMQP_URL"],
        qos=PREFETCH,
        exchange=Exchange(name="bench.taskiq"),
        task_queues=[Queue(name="bench.taskiq")],
    )
    .with_result_backend(results)
    .with_middlewares(PipelineMiddleware())
)


@broker.task(task_name="plan")
async def plan(previous: object) -> list[str]:
    return [ANSWER] * SEARCHES


@broker.task(task_name="call")
async def call(previous: object) -> str:
    return ANSWER


@broker.task(task_name="last_call")
async def last_call(previous: object, session: str) -> str:
    tell_end(session)
    return ANSWER


def flow(session: str) -> Pipeline[..., str]:
    pipe = Pipeline(broker, plan).map(call, check_interval=LOOK_SECONDS)
    for _ in range(GPT_AFTER - 1):
        pipe = pipe.call_next(call)
    return pipe.call_next(last_call, session=session)


async def main() -> None:
    ends = Ends()
    ends.listen()
    await broker.startup()
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "taskiq", "worker", "taskiq_pipeline:broker", "--workers", str(PROCESSES)),
        *("--ack-type", "when_saved", "--max-async-tasks", str(2 * PREFETCH), "--log-level", "WARNING"),
        stdout=sys.stderr,
    )

    async def session(n: int) -> None:
        name = f"{time.monotonic_ns()}-{n}"
        ended = ends.of(name)
        await flow(name).kiq(None)
        await ended

    async def run(sessions: int, in_flight: int) -> list[float]:
        return await run_all(session, sessions, in_flight)

    try:
        await run(1, 1)  # it is ready
        versions = {name: importlib.metadata.version(name) for name in ("taskiq", "taskiq-pipelines")}
        await serve(run, {"driver and workers": os.getpid()}, versions)
    finally:
        worker.terminate()
        await worker.wait()
        await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
