"""LangGraph in one process with its MongoDB checkpointer, as its documentation shows; searches fan out by `Send`.

Durability is "sync": a step's checkpoint is stored before the next one starts, which is what the others promise, too.
The checkpointer's asynchronous methods run its synchronous ones in threads, of which it gets as many as it can use.
"""

import asyncio
import importlib.metadata
import operator
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.mongodb import MongoDBSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from pymongo import MongoClient
from speak import ANSWER, GPT_AFTER, SEARCHES, run_all, serve

THREADS = 32


class State(TypedDict):
    answers: Annotated[list[str], operator.add]


async def call(state: State) -> dict[str, list[str]]:
    return {"answers": [ANSWER]}


def build(saver: MongoDBSaver) -> Any:
    graph = StateGraph(State)
    graph.add_node("think", call)
    graph.add_node("search", call)
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", lambda state: [Send("search", state) for _ in range(SEARCHES)], ["search"])
    before = "search"
    for n in range(GPT_AFTER):
        graph.add_node(f"call {n}", call)
        graph.add_edge(before, f"call {n}")
        before = f"call {n}"
    graph.add_edge(before, END)
    return graph.compile(checkpointer=saver)


async def main() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    client: MongoClient[dict[str, Any]] = MongoClient(os.environ["BENCH_MONGODB_URL"], w="majority", journal=True)
    graph = build(MongoDBSaver(client, db_name="bench_langgraph"))

    async def session(n: int) -> None:
        thread = f"{time.monotonic_ns()}-{n}"
        await graph.ainvoke({"answers": []}, {"configurable": {"thread_id": thread}}, durability="sync")

    async def run(sessions: int, in_flight: int) -> list[float]:
        return await run_all(session, sessions, in_flight)

    versions = {name: importlib.metadata.version(name) for name in ("langgraph", "langgraph-checkpoint-mongodb")}
    await serve(run, {"process": os.getpid()}, versions)


if __name__ == "__main__":
    asyncio.run(main())
