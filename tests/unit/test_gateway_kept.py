"""What is kept is asked for once, whoever wants it."""

import asyncio

import pytest

from ekiden_gateway.kept import Kept


class Question:
    def __init__(self) -> None:
        self.asked = 0
        self.answering = asyncio.Event()
        self.answering.set()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.asked += 1
        answer = self.asked
        await self.answering.wait()
        if self.error:
            raise self.error
        return answer


async def test_many_who_ask_at_once_wait_for_one_answer() -> None:
    question = Question()
    question.answering.clear()
    kept = Kept(question, 0.0)
    everybody = asyncio.gather(*(kept() for _ in range(100)))
    await asyncio.sleep(0)
    question.answering.set()
    assert set(await everybody) == {1}


async def test_an_answer_is_good_for_a_while_and_no_longer() -> None:
    question = Question()
    for_long, for_now = Kept(question, 3600.0), Kept(question, 0.0)
    assert [await for_long() for _ in range(3)] == [1, 1, 1]
    assert [await for_now() for _ in range(3)] == [2, 3, 4]


async def test_an_error_is_for_those_who_waited_and_not_for_the_next() -> None:
    question = Question()
    question.error = ValueError("no")
    kept = Kept(question, 3600.0)
    answers = await asyncio.gather(kept(), kept(), return_exceptions=True)
    assert answers == [question.error] * 2
    question.error = None
    assert await kept() == 2


async def test_who_asked_may_leave_and_the_others_are_answered() -> None:
    question = Question()
    question.answering.clear()
    kept = Kept(question, 3600.0)
    first, second = asyncio.create_task(kept()), asyncio.create_task(kept())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    question.answering.set()
    assert await second == 1
