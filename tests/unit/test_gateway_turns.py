"""Requests of one Idempotency-Key are answered one after the other."""

import asyncio

import pytest

from ekiden_gateway.kinds import REQUEST_RUNNING
from ekiden_gateway.problems import Problem
from ekiden_gateway.turns import Turns


async def test_one_comes_after_the_other() -> None:
    turns, running, most = Turns(), 0, 0

    async def request() -> None:
        nonlocal running, most
        async with turns.of("key"):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(request() for _ in range(50)))
    assert most == 1


async def test_a_request_does_not_wait_for_ever_for_the_one_before_it() -> None:
    turns = Turns(wait_seconds=0.01)
    async with turns.of("key"):
        with pytest.raises(Problem) as caught:
            async with turns.of("key"):
                pass
    assert caught.value.kind is REQUEST_RUNNING
    assert caught.value.headers["Retry-After"] == "2"


async def test_another_key_waits_for_nobody() -> None:
    turns = Turns(wait_seconds=0.01)
    async with turns.of("key"), turns.of("other"):
        pass


async def test_nothing_is_kept_of_requests_that_are_over() -> None:
    turns = Turns(wait_seconds=0.01)
    async with turns.of("key"):
        with pytest.raises(Problem):
            async with turns.of("key"):
                pass
    with pytest.raises(ZeroDivisionError):
        async with turns.of("key"):
            raise ZeroDivisionError
    assert turns._locks == {}
