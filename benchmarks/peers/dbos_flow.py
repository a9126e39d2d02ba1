"""DBOS in one process on PostgreSQL, as its documentation shows: an asynchronous workflow, three steps in parallel."""

import asyncio
import importlib.metadata
import os

from dbos import DBOS, DBOSConfig
from speak import ANSWER, GPT_AFTER, SEARCHES, run_all, serve

config: DBOSConfig = {
    "name": "bench",
    "system_database_url": os.environ["BENCH_POSTGRESQL_URL"],
    "log_level": "WARNING",
    "run_admin_server": False,
}
DBOS(config=config)


@DBOS.step()
async def call(previous: object) -> str:
    return ANSWER


@DBOS.workflow()
async def session(n: int) -> str:
    answer = await call(n)
    found = await asyncio.gather(*(call(answer) for _ in range(SEARCHES)))
    answer = await call(found)
    for _ in range(GPT_AFTER - 1):
        answer = await call(answer)
    return answer


async def run(sessions: int, in_flight: int) -> list[float]:
    return await run_all(session, sessions, in_flight)


async def main() -> None:
    DBOS.launch()
    try:
        await serve(run, {"process": os.getpid()}, {"dbos": importlib.metadata.version("dbos")})
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main())
