"""API keys, for operators: made with the secret shown once, limited, revoked."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import ValidationError

from ekiden.domain.told import told
from ekiden_gateway.access import UsedParts, begun
from ekiden_gateway.keys import Scope
from ekiden_gateway.kinds import INVALID
from ekiden_gateway.models.keys import LimitKey, MadeKey, MakeKey
from ekiden_gateway.page.filled import Filled, mistaken
from ekiden_gateway.page.forms import Form, OperatorsForm, checked, new_key
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.routing import go_to, router
from ekiden_gateway.page.visitor import Operator, Visitor
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem, invalid
from ekiden_gateway.routes import keys as routes

router = router()
ROWS = 25
_LIMITS = {"ratePerMinute": "rate", "concurrentSessions": "sessions"}
_BLANK = Filled({"scopes": [Scope.READ.value, Scope.WRITE.value]}, {})


@router.get("/keys")
async def listed(
    parts: UsedParts, visitor: Operator, revoked: bool = False, cursor: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    return await _list(parts, visitor, _BLANK, revoked=revoked, cursor=cursor)


@router.post("/keys")
async def make(parts: UsedParts, visitor: Operator, form: OperatorsForm) -> Response:
    """Make a key. The answer shows its secret, and no other page ever will; so it is no redirect."""
    begun(parts)
    try:
        asked = MakeKey.model_validate(
            {"client": form.text("client"), "scopes": form.texts("scopes")} | _limits(form, blank=False)
        )
        async with parts.turns.of((visitor.owner, "/keys", form.key)):
            made = await routes.create(asked, parts, visitor.caller, Response(), form.key)
    except (ValidationError, Problem) as error:
        wrong = {_LIMITS.get(name, name).split(".")[0]: said for name, said in mistaken(error).items()}
        return await _list(parts, visitor, Filled(form.fields, wrong), code=INVALID.status)
    return await _list(parts, visitor, _BLANK, made=made)


@router.post("/keys/{keyId}/limits")
async def limit(parts: UsedParts, visitor: Operator, form: OperatorsForm, key_id: routes.KeyPath) -> Response:
    begun(parts)
    asked = checked(LimitKey, _limits(form, blank=True))
    await routes.limit_key(parts, visitor.caller, key_id, asked, Response(), form.text("seen") or None)
    return go_to("/keys")


@router.post("/keys/{keyId}/revoke")
async def revoke(parts: UsedParts, visitor: Operator, form: OperatorsForm, key_id: routes.KeyPath) -> Response:
    begun(parts)
    await routes.revoke(parts, visitor.caller, key_id)
    return go_to("/keys")


async def _list(
    parts: Parts,
    visitor: Visitor,
    filled: Filled,
    *,
    revoked: bool = False,
    cursor: str = "",
    made: MadeKey | None = None,
    code: int = 200,
) -> Response:
    found = await routes.page(parts, None, revoked, ROWS, cursor or None)
    return page(
        visitor,
        "keys.html.j2",
        code,
        here="keys",
        found=found,
        filled=filled,
        made=made,
        revoked=revoked,
        scopes=list(Scope),
        key=new_key(),
    )


def _limits(form: Form, *, blank: bool) -> dict[str, object]:
    """A limit that is left empty is left out, or with `blank` said to be none of its own. Raises Problem."""
    given = {name: form.text(field) for name, field in _LIMITS.items()}
    return {name: _whole(name, text) if text else None for name, text in given.items() if text or blank}


def _whole(field: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise invalid(field, told("is no whole number")) from None
