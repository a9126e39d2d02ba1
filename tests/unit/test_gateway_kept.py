"""Answers that are kept for a moment."""

import asyncio

import pytest

from ekiden.errors import Unreachable
from ekiden_gateway.kept import Kept

LONG = 3600.0


class Questions:
    """What was asked, and an answer that comes when the test lets it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()
        self.away = False

    async def ask(self, key: str) -> str:
        self.asked.append(key)
        await self.may_answer.wait()
        if self.away:
            raise Unreachable("the database does not answer")
        return f"{key} {len(self.asked)}"


async def test_many_who_ask_at_once_share_one_question() -> None:
    questions = Questions()
    kept = Kept(questions.ask, LONG)
    asking = [asyncio.create_task(kept.get("a")) for _ in range(50)]
    await asyncio.sleep(0)
    questions.may_answer.set()
    assert set(await asyncio.gather(*asking)) == {"a 1"}
    assert await kept.get("a") == "a 1"
    assert await kept.get("b") == "b 2"


async def test_an_old_answer_and_a_forgotten_one_are_asked_for_anew() -> None:
    questions = Questions()
    questions.may_answer.set()
    kept = Kept(questions.ask, LONG)
    assert await kept.get("a") == "a 1"
    kept.forget("a")
    assert await kept.get("a") == "a 2"
    kept.clear()
    assert await kept.get("a") == "a 3"
    fleeting = Kept(questions.ask, -1.0)
    assert [await fleeting.get("a"), await fleeting.get("a")] == ["a 4", "a 5"]


async def test_an_error_is_everybody_s_and_is_not_kept() -> None:
    questions = Questions()
    kept = Kept(questions.ask, LONG)
    questions.away = True
    questions.may_answer.set()
    for result in await asyncio.gather(*(kept.get("a") for _ in range(3)), return_exceptions=True):
        assert isinstance(result, Unreachable)
    questions.away = False
    assert await kept.get("a") == "a 2"


async def test_who_stops_waiting_takes_the_answer_from_nobody() -> None:
    questions = Questions()
    kept = Kept(questions.ask, LONG)
    impatient, patient = asyncio.create_task(kept.get("a")), asyncio.create_task(kept.get("a"))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    questions.may_answer.set()
    assert await patient == "a 1"


async def test_no_more_than_so_many_are_kept() -> None:
    questions = Questions()
    questions.may_answer.set()
    kept = Kept(questions.ask, LONG, most=2)
    for key in ("a", "b", "c"):
        await kept.get(key)
    assert await kept.get("c") == "c 3"
    assert await kept.get("a") == "a 4"
