"""Messages nobody could handle: look at them, send them again, drop them. For operators, not for owners of sessions."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from ekiden.broker.publisher import Publisher
from ekiden.errors import Unreachable
from ekiden.store.database import Document
from ekiden.store.dead_letters import DeadLetterStore, letter_of
from ekiden_gateway.access import UsedParts, operator
from ekiden_gateway.documented import documented
from ekiden_gateway.kinds import BROKER_AWAY, NOT_REPLAYABLE, UNKNOWN_DEAD_LETTER
from ekiden_gateway.listing import Limit, cursor_at, cursor_parameter, read_cursor
from ekiden_gateway.models.dead_letters import (
    EXAMPLE_LETTER,
    DeadLetterAnswer,
    DeadLetterPage,
    DeadLetterWhole,
    Dropped,
    Replayed,
)
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem, invalid
from ekiden_gateway.views import dead_letters as views

router = APIRouter(prefix="/api/dead-letters", tags=["dead letters"], dependencies=[Depends(operator)])
REPLAYS_AT_ONCE = 25
"""Each waits for the disk twice and for the broker once: a thousand in a row would outlast whoever asked."""
LetterPath = Annotated[str, Path(alias="letterId", pattern=r"^dl_[0-9a-f]{32}$", examples=[EXAMPLE_LETTER])]


async def filters(
    queue: Annotated[str | None, Query(max_length=200, description="Only those that died there")] = None,
    reason: Annotated[str | None, Query(max_length=200, description="Only those that died of this")] = None,
) -> dict[str, object]:
    return {name: value for name, value in (("queue", queue), ("reason", reason)) if value is not None}


Filters = Annotated[dict[str, object], Depends(filters)]


@router.get("", operation_id="listDeadLetters", response_model=DeadLetterPage, responses=documented())
async def page(
    parts: UsedParts,
    wanted: Filters,
    replayed: Annotated[bool, Query(description="Also those that were replayed")] = False,
    limit: Limit = 20,
    after: Annotated[str | None, cursor_parameter("dead-letter-cursor")] = None,
) -> DeadLetterPage:
    """List dead letters, the latest first, without their bodies."""
    found = await parts.letters.page(wanted, read_cursor(after, "dl"), limit + 1, replayed=replayed)
    last = found[limit - 1] if len(found) > limit else None
    following = cursor_at(last["diedAt"], last["_id"]) if last else None
    return DeadLetterPage(items=[views.letter(document) for document in found[:limit]], next_cursor=following)


@router.get(
    "/{letterId}",
    operation_id="getDeadLetter",
    response_model=DeadLetterWhole,
    responses=documented(UNKNOWN_DEAD_LETTER),
)
async def show(parts: UsedParts, letter_id: LetterPath) -> DeadLetterWhole:
    """Show a dead letter with its body."""
    return views.whole(await _known(parts.letters, letter_id))


@router.post(
    "/{letterId}/replay",
    operation_id="replayDeadLetter",
    response_model=DeadLetterAnswer,
    responses=documented(UNKNOWN_DEAD_LETTER, NOT_REPLAYABLE, BROKER_AWAY),
)
async def replay(parts: UsedParts, letter_id: LetterPath) -> DeadLetterAnswer:
    """Send a letter to the queue it came from. Repeating it changes nothing; if it dies again, it is a new letter.

    503 while the broker is away: then nothing was sent or marked.
    """
    document = await _known(parts.letters, letter_id)
    if document.get("replayedAt") is None:
        document = await _replay(parts.letters, parts.publisher, document)
    return views.letter(document)


@router.post(
    "/replay",
    operation_id="replayDeadLetters",
    response_model=Replayed,
    responses=documented(BROKER_AWAY),
)
async def replay_many(
    parts: UsedParts, wanted: Filters, limit: Annotated[int, Query(ge=1, le=1000, description="At most so many")] = 100
) -> Replayed:
    """Replay the latest letters of a queue or a reason. When the broker goes away, the rest stays as it is."""
    done: list[bool] = []  # an error ends it only when all that began with it have come to their end
    found = await parts.letters.page(wanted, None, limit)
    for first in range(0, len(found), REPLAYS_AT_ONCE):
        some = (_is_replayed(parts, letter["_id"]) for letter in found[first : first + REPLAYS_AT_ONCE])
        outcomes = await asyncio.gather(*some, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            done.append(outcome)
    return Replayed(replayed=sum(done), refused=len(done) - sum(done))


@router.delete(
    "/{letterId}", operation_id="dropDeadLetter", response_model=Dropped, responses=documented(UNKNOWN_DEAD_LETTER)
)
async def drop(parts: UsedParts, letter_id: LetterPath) -> Dropped:
    """Drop a letter for good."""
    if not await parts.letters.drop({"_id": letter_id}):
        raise _unknown(letter_id)
    return Dropped(dropped=1)


@router.delete("", operation_id="dropDeadLetters", response_model=Dropped, responses=documented())
async def drop_many(parts: UsedParts, wanted: Filters) -> Dropped:
    """Drop all letters of a queue, of a reason, or of both, for good."""
    if not wanted:
        raise invalid("reason", "name a reason or a queue: nothing drops all letters at once")
    return Dropped(dropped=await parts.letters.drop(wanted))


async def _is_replayed(parts: Parts, letter_id: str) -> bool:
    """Replay a letter, or say that it cannot be. Raises Problem when the broker is away."""
    try:
        await _replay(parts.letters, parts.publisher, await _known(parts.letters, letter_id))
    except Problem as problem:
        if problem.kind is BROKER_AWAY:
            raise
        return False
    return True


async def _replay(letters: DeadLetterStore, publisher: Publisher, document: Document) -> Document:
    """Take, send, mark, in this order: two at once send it once, and a crash between sends it twice, never not."""
    letter_id: str = document["_id"]
    why = views.not_replayable(document)
    if why is not None:
        raise Problem(NOT_REPLAYABLE, f"The letter {letter_id} cannot be replayed: {why}.")
    if await letters.begin_replay(letter_id) is None:
        raise Problem(NOT_REPLAYABLE, f"The letter {letter_id} is being replayed at this moment.")
    try:
        await publisher.replay(letter_of(document))
    except Unreachable as error:
        await letters.end_replay(letter_id, sent=False)
        raise Problem(BROKER_AWAY, f"{error}. The letter was not replayed.") from error
    return await letters.end_replay(letter_id, sent=True) or document


async def _known(letters: DeadLetterStore, letter_id: str) -> Document:
    found = await letters.one(letter_id)
    if found is None:
        raise _unknown(letter_id)
    return found


def _unknown(letter_id: str) -> Problem:
    return Problem(UNKNOWN_DEAD_LETTER, f"There is no dead letter {letter_id}.")
