"""The providers: whether calls to them pass, and an operator's hand on their breakers."""

from typing import Annotated

from fastapi import Depends, Response

from ekiden_gateway.access import UsedParts, begun
from ekiden_gateway.kinds import NOT_FOUND
from ekiden_gateway.models.providers import OpenBreaker
from ekiden_gateway.page.forms import OperatorsForm
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.routing import go_to, router
from ekiden_gateway.page.visitor import Known
from ekiden_gateway.problems import Problem
from ekiden_gateway.routes import providers as routes

router = router()


@router.get("/providers")
async def providers(parts: UsedParts, visitor: Known) -> Response:
    found = await routes.all_providers(parts, visitor.owner)
    return page(visitor, "providers.html.j2", here="providers", providers=found.items)


@router.post("/providers/{provider}/{what}")
async def turn(
    provider: Annotated[routes.Provider, Depends(routes.named)], what: str, parts: UsedParts, form: OperatorsForm
) -> Response:
    begun(parts)
    match what:
        case "open":
            await routes.open_breaker(provider, parts, OpenBreaker(reason=form.text("reason")[:500]))
        case "close":
            await routes.close_breaker(provider, parts)
        case _:
            raise Problem(NOT_FOUND)
    return go_to("/providers")
