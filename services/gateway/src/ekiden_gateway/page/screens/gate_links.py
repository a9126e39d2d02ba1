"""The page of a gate's link: somebody without a key sees one gate, and answers it once. To look answers nothing."""

from typing import Annotated

from fastapi import Depends, Request, Response

from ekiden.domain.title import title_of
from ekiden_gateway import gates
from ekiden_gateway.access import UsedParts
from ekiden_gateway.kinds import LINK_EXPIRED, LINK_SPENT
from ekiden_gateway.models.gate_requests import AnswerGateByLink
from ekiden_gateway.page import visits
from ekiden_gateway.page.forms import Form, checked, read_with
from ekiden_gateway.page.items import editable_item, edited_items
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.routing import router
from ekiden_gateway.page.visitor import PasserBy
from ekiden_gateway.page.visits import Visit
from ekiden_gateway.problems import Problem
from ekiden_gateway.routes.gates import Token

router = router()


async def of_link(request: Request, parts: UsedParts, token: Token) -> Form:
    """A form of this link's page. Its word is the link's and not the visit's, so that no cookie is needed."""
    return await read_with(request, parts, Visit(token))


LinksForm = Annotated[Form, Depends(of_link)]


@router.get("/gates/{token}")
async def gate(parts: UsedParts, visitor: PasserBy, token: Token) -> Response:
    try:
        found = await gates.show_by_link(parts, token)
    except Problem as problem:
        if problem.kind not in {LINK_SPENT, LINK_EXPIRED}:
            raise
        return page(visitor, "gate_ended.html.j2", problem.kind.status, problem=problem)
    return page(
        visitor,
        "gate_link.html.j2",
        gate=found,
        title=title_of(found.input, found.id),
        editable=[editable_item(item) for item in found.items],
        can={action.action for action in found.actions},
        word=await visits.token(parts, Visit(token)),
        path=f"{gates.PAGES}/{token}",
    )


@router.post("/gates/{token}")
async def answer(parts: UsedParts, visitor: PasserBy, token: Token, form: LinksForm) -> Response:
    """Answer the gate, if nobody has. Questions that were changed are an edit, whichever button passes it."""
    asked: dict[str, object] = {"decision": form.text("decision"), "who": form.text("who")}
    try:
        if asked["decision"] == "approve" and "item" in form.fields:
            found = await gates.show_by_link(parts, token)
            if (edited := edited_items(found.items, form)) is not None:
                asked |= {"decision": "edit", "input": edited}
        answered = await gates.answer_by_link(parts, token, checked(AnswerGateByLink, asked))
    except Problem as problem:
        if problem.kind not in {LINK_SPENT, LINK_EXPIRED}:
            raise
        return page(visitor, "gate_ended.html.j2", problem.kind.status, problem=problem)
    return page(visitor, "gate_answered.html.j2", answered=answered)
