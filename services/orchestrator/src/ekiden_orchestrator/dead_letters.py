"""From the dead letter queue into the database, so that nobody has to fetch a letter in order to read it."""

from dataclasses import dataclass

import structlog

from ekiden.messages.dead_letter import DeadLetter
from ekiden.store.dead_letters import DeadLetterStore

log = structlog.get_logger()
PREFETCH = 4
"""Small: a letter may be as large as the broker takes messages, and nobody waits for it."""


@dataclass(frozen=True)
class DeadLetterKeeper:
    letters: DeadLetterStore

    async def keep(self, letter: DeadLetter) -> None:
        """Store a letter; the broker's copy is acknowledged when this returns. Raises Unreachable."""
        if await self.letters.keep(letter):
            session, task = letter.about()
            log.warning(
                "dead_letter_kept",
                letter=letter.id,
                queue=letter.queue,
                reason=letter.reason,
                deaths=letter.deaths,
                session_id=session,
                task_id=task,
            )
