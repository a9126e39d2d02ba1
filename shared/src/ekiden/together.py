"""Calls that are due at the same time share a trip: to the database, or in a message.

A call never waits for company, only for its turn (`turn`). When no trip is under way it leaves at once, together with
what else is asked for in the same pass of the event loop; what comes meanwhile leaves with the next trip. So a trip's
price is paid once by all who want one at the same time, under load a fiftieth as often.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from ekiden.errors import Unreachable
from ekiden.turn import Turn

MOST_TOGETHER = 64
"""As many as a worker has tasks in flight. A round trip of so many takes a few milliseconds."""

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Together(Generic[Asked, Answer]):
    """Calls `trip` with what several callers ask, in order; it returns an answer for each, in the same order.

    An error that is not Unreachable may be the fault of one of them: then each is asked alone.
    """

    def __init__(self, trip: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer]]], turn: Turn) -> None:
        self._trip = trip
        self._turn = turn
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._travelling: asyncio.Task[None] | None = None

    async def __call__(self, asked: Asked) -> Answer:
        """Raises Unreachable, and what else the trip raises. Whoever is cancelled may have been heard all the same."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._travelling is None:
            self._travelling = asyncio.create_task(self._travel())
        return await answer

    async def _travel(self) -> None:
        try:
            while self._waiting:
                async with self._turn.taken():
                    together, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                    await self._carry(together)
        finally:
            self._travelling = None

    async def _ask(self, asked: Sequence[Asked]) -> Sequence[Answer]:
        return await self._trip(asked)

    async def _carry(self, together: Sequence[tuple[Asked, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await self._ask([asked for asked, _ in together])
        except Unreachable as error:
            for _, answer in together:
                _fail(answer, Unreachable(*error.args))
        except Exception as error:
            if len(together) == 1:
                _fail(together[0][1], error)
            else:
                for alone in together:
                    await self._carry([alone])
        except BaseException:  # the process ends: nobody may wait for ever
            for _, answer in together:
                answer.cancel()
            raise
        else:
            for (_, future), answer in zip(together, answers, strict=True):
                if not future.done():
                    future.set_result(answer)


def _fail(answer: "asyncio.Future[Answer]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
