"""How many sessions an owner has, as it changes: the one signal that a list needs to be up to date.

What is sent is the present and no history: nothing has to be resumed, and what comes between two counts is left out.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from ekiden.domain.ids import SessionId
from ekiden.domain.session import Status
from ekiden.store.sessions import Counted
from ekiden_gateway.audience import Audience
from ekiden_gateway.bell import Bell
from ekiden_gateway.feeds import HEARTBEAT_SECONDS, POLL_SECONDS
from ekiden_gateway.rounds import Rounds
from ekiden_gateway.views import events as views

PACE_SECONDS = 1.0
"""Sessions move by the hundred a second, and a list that is drawn anew every second is live."""
Present = Mapping[Status, Counted]


class Counting(Protocol):
    """What counts need of the session store; may raise Unreachable."""

    async def counted(self, owners: Sequence[str]) -> Mapping[str, Present]: ...


class Counts:
    """The counts of all owners who watch theirs at this gateway, asked for together. Woken by `LiveUpdates`."""

    def __init__(self, sessions: Counting, audience: Audience) -> None:
        self._sessions = sessions
        self._audience = audience
        self._watchers: Counter[str] = Counter()
        self._present: Mapping[str, Present] = {}
        self._counted = Bell()
        self._stopping = False
        self.rounds = Rounds(self.count, every_seconds=POLL_SECONDS, pace_seconds=PACE_SECONDS)

    async def of(self, owner: str) -> Present:
        """As they are now. Raises Unreachable."""
        return (await self._sessions.counted([owner])).get(owner, {})

    async def follow(self, owner: str, told: Present) -> AsyncGenerator[bytes]:
        """Give the counts `told`, and then the present ones each time a session of the owner's has moved."""
        yield views.opening() + views.counted(told)
        clock = asyncio.get_running_loop().time
        spoke = clock()
        self._watchers[owner] += 1
        try:
            with self._audience.joined():
                while not self._stopping:
                    await self._counted.heard(HEARTBEAT_SECONDS)
                    if (present := self._present.get(owner, told)) != told:
                        told, spoke = present, clock()
                        yield views.counted(told)
                    elif clock() - spoke >= HEARTBEAT_SECONDS:
                        spoke = clock()
                        yield views.HEARTBEAT
        finally:
            self._watchers -= Counter([owner])

    async def count(self) -> None:
        """Count for all who watch. Raises Unreachable."""
        owners = list(self._watchers)
        counted = await self._sessions.counted(owners) if owners else dict[str, Present]()
        self._present = {owner: counted.get(owner, {}) for owner in owners}
        self._counted.ring()

    def moved(self, session_id: SessionId, version: int) -> None:
        self.rounds.soon()

    def missed(self) -> None:
        self.rounds.soon()

    def stop(self) -> None:
        """End all streams."""
        self._stopping = True
        self._counted.ring()
