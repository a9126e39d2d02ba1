"""A session in each state that a person meets, made once and looked at by many.

Nobody changes these sessions: a test that wants to do something makes one of its own.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.receiver import Receiver
from tests.site import SESSIONS, Site, until

Gallery = Mapping[str, str]
"""Ids of sessions by what there is to see, and of what else has a page of its own."""
Made = Callable[[Site], Coroutine[Any, Any, str]]

REFUSED = {"kind": "refusal", "provider": "openai", "times": 1}
REPLY_LOST = {"kind": "accept_then_cut", "provider": "perplexity", "times": 1}
_NEVER_DONE = {"kind": "slow_poll", "provider": "perplexity", "seconds": 3600}
_SELDOM_ASKED = {"kind": "delay", "provider": "perplexity", "operation": "poll", "seconds": 5}


@asynccontextmanager
async def hung(site: Site) -> AsyncGenerator[Gallery]:
    """And a dead letter, a schedule that has begun a session, links to gates, and a webhook whose receiver listens."""
    await site.poison()
    async with Receiver().listening() as receiver:
        webhook = await site.call("/api/webhooks", {"url": receiver.url(path="/ekiden")})
        async with asyncio.TaskGroup() as group:
            making = {name: group.create_task(make(site)) for name, make in _SESSIONS.items()}
        sessions = {name: task.result() for name, task in making.items()}
        yield {
            **sessions,
            "webhook": webhook["id"],
            "delivery": await _delivered(site, webhook["id"]),
            "schedule": await _schedule(site),
            "link": await _link(site, sessions["review"]),
            "spent": await _spent(site),
            "letter": await _letter(site),
        }


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


async def _delivered(site: Site, webhook_id: str) -> str:
    """The first of the webhook's deliveries, once it has arrived."""
    made = await site.call(f"/api/webhooks/{webhook_id}/test")
    address = f"/api/webhooks/{webhook_id}/deliveries/{made['id']}"

    async def arrived() -> bool:
        return (await site.api.get(address)).json()["status"] == "DELIVERED"

    await until(arrived, f"{made['id']} has arrived")
    return made["id"]


async def _schedule(site: Site) -> str:
    session = {"theme": "今週の話題", "style": "insight", "platform": "twitter", "budgetUsd": 0.5}
    asked = {"name": "平日の朝の話題", "cron": "0 9 * * MON-FRI", "timeZone": "Asia/Tokyo", "budgetUsd": 15}
    made = await site.call("/api/schedules", {**asked, "session": session})
    await site.call(f"/api/schedules/{made['scheduleId']}/fire")
    return made["scheduleId"]


async def _link(site: Site, session_id: str) -> str:
    """The token of a link to the session's gate."""
    made = await site.call(f"{SESSIONS}/{session_id}/gate-link", {})
    return urlsplit(made["url"]).path.rpartition("/")[2]


async def _spent(site: Site) -> str:
    """A link that has been answered."""
    session_id = await site.create("港町の朝市", start=True, pauseBefore=["1.THINK"])
    await site.until_status(session_id, "WAITING")
    token = await _link(site, session_id)
    await site.call(f"/api/gates/{token}", {"decision": "stop", "who": "葵"})
    return token


async def _letter(site: Site) -> str:
    found: list[str] = []

    async def stored() -> bool:
        found.extend(row["id"] for row in (await site.api.get("/api/dead-letters")).json()["items"])
        return bool(found)

    await until(stored, "there is a dead letter")
    return found[0]


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
