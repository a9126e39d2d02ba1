"""A session in each state that a person meets, made once and looked at by many.

Nobody changes these sessions: a test that wants to do something makes one of its own.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from tests.site import Site

Gallery = Mapping[str, str]
"""Ids of sessions by what there is to see."""
Made = Callable[[Site], Coroutine[Any, Any, str]]

REFUSED = {"kind": "refusal", "provider": "openai", "times": 1}
REPLY_LOST = {"kind": "accept_then_cut", "provider": "perplexity", "times": 1}
_NEVER_DONE = {"kind": "slow_poll", "provider": "perplexity", "seconds": 3600}
_SELDOM_ASKED = {"kind": "delay", "provider": "perplexity", "operation": "poll", "seconds": 5}


async def fill(site: Site) -> Gallery:
    """And a dead letter, for the page of those."""
    await site.poison()
    async with asyncio.TaskGroup() as group:
        making = {name: group.create_task(make(site)) for name, make in _SESSIONS.items()}
    return {name: task.result() for name, task in making.items()}


def _at(status: str, theme: str, *faults: Mapping[str, object], **wishes: Any) -> Made:
    async def make(site: Site) -> str:
        session_id = await site.struck(theme, *faults, **wishes)
        await site.until_status(session_id, status)
        return session_id

    return make


async def _searching(site: Site) -> str:
    session_id = await site.struck("日本酒の輸出", _NEVER_DONE, _SELDOM_ASKED)
    await site.until_searching(session_id)
    return session_id


async def _cancelled(site: Site) -> str:
    session_id = await site.create("登山と防災")
    await site.cancel(session_id)
    return session_id


_SESSIONS: Mapping[str, Made] = {
    "completed": _at("COMPLETED", "AIと働き方"),
    "english": _at("COMPLETED", "Remote work and small towns", language="en", platform="linkedin"),
    "gate": _at("WAITING", "地方の空き家再生", pauseBefore=["1.EXECUTE"]),
    "review": _at("WAITING", "朝の集中力", pauseAfterPhases=[2]),
    "failed": _at("FAILED", "温泉と健康", REFUSED),
    "unknown": _at("WAITING", "副業の現実", REPLY_LOST),
    "budget": _at("WAITING", "家計の見直し", budgetUsd=0.08),
    "searching": _searching,
    "pending": lambda site: site.create("睡眠の質"),
    "cancelled": _cancelled,
}
