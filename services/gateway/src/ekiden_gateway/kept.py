"""What was asked a moment ago, kept for a moment: many requests, one question to the database."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
MOST = 10_000
"""So many answers are kept: whoever makes up keys to ask for cannot fill the memory."""


class Kept(Generic[K, V]):
    """Answers by what was asked for, each kept for `seconds`. Who asks while a question is under way shares its answer.

    An error is not kept. Whoever stops waiting does not take the answer from the others.
    """

    def __init__(self, ask: Callable[[K], Coroutine[Any, Any, V]], seconds: float, most: int = MOST) -> None:
        self._ask = ask
        self._seconds = seconds
        self._most = most
        self._answers: dict[K, tuple[float, asyncio.Task[V]]] = {}

    async def get(self, key: K) -> V:
        """The answer, at most so many seconds old. Raises what asking raises."""
        now = asyncio.get_running_loop().time()
        asked, question = self._answers.get(key, (0.0, None))
        if question is None or (question.done() and now - asked > self._seconds):
            question = asyncio.create_task(self._ask(key))
            question.add_done_callback(lambda done: self._drop(key, done))
            self._answers.pop(key, None)
            self._answers[key] = now, question
            while len(self._answers) > self._most:
                del self._answers[next(iter(self._answers))]
        return question.result() if question.done() else await asyncio.shield(question)

    def forget(self, key: K) -> None:
        """Ask anew the next time."""
        self._answers.pop(key, None)

    def clear(self) -> None:
        self._answers.clear()

    def _drop(self, key: K, question: asyncio.Task[V]) -> None:
        """Let go of one that failed; looking at its error keeps asyncio from complaining that nobody did."""
        failed = question.cancelled() or question.exception() is not None
        if failed and self._answers.get(key, (0.0, None))[1] is question:
            del self._answers[key]


def keep(ask: Callable[[], Coroutine[Any, Any, V]], seconds: float) -> Callable[[], Awaitable[V]]:
    """The same for one question: what it returns is asked in its place."""
    kept = Kept[None, V](lambda _: ask(), seconds)
    return lambda: kept.get(None)
