"""Dead letters: messages nobody could handle, for an operator to read, send again or drop."""

from typing import Annotated

from fastapi import Query, Response

from ekiden_gateway.access import UsedParts
from ekiden_gateway.kinds import NOT_FOUND
from ekiden_gateway.page.forms import OperatorsForm
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.routing import go_to, router
from ekiden_gateway.page.visitor import Operator
from ekiden_gateway.problems import Problem
from ekiden_gateway.routes import dead_letters as routes

router = router()
ROWS = 25


@router.get("/dead-letters")
async def letters(
    parts: UsedParts,
    visitor: Operator,
    replayed: bool = False,
    cursor: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    found = await routes.page(parts, {}, replayed, ROWS, cursor or None)
    return page(visitor, "dead_letters.html.j2", here="letters", found=found, replayed=replayed)


@router.get("/dead-letters/{letterId}")
async def letter(parts: UsedParts, visitor: Operator, letter_id: routes.LetterPath) -> Response:
    return page(visitor, "dead_letter.html.j2", here="letters", letter=await routes.show(parts, letter_id))


@router.post("/dead-letters/{letterId}/{what}")
async def decide(parts: UsedParts, form: OperatorsForm, letter_id: routes.LetterPath, what: str) -> Response:
    match what:
        case "replay":
            await routes.replay(parts, letter_id)
            return go_to(f"/dead-letters/{letter_id}")
        case "drop":
            await routes.drop(parts, letter_id)
            return go_to("/dead-letters")
        case _:
            raise Problem(NOT_FOUND)
