"""Forms: read, and only taken from a page of ours that this visitor was shown."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl
from uuid import uuid4

from fastapi import Depends, Request
from pydantic import ValidationError

from ekiden.domain.told import told
from ekiden_gateway import rates
from ekiden_gateway.access import LONGEST_KEY, UsedParts
from ekiden_gateway.keys import Scope
from ekiden_gateway.kinds import FORBIDDEN, STALE_FORM
from ekiden_gateway.models.wire import Asked
from ekiden_gateway.page import visits
from ekiden_gateway.page.visitor import Known, Operator, PasserBy, Visitor
from ekiden_gateway.page.visits import Visit
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem, invalid

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 500
TOKEN, KEY = "csrf", "key"
LONGEST_PATH = 500
A = TypeVar("A", bound=Asked)


@dataclass(frozen=True, slots=True)
class Form:
    """What was filled in. `key` was made when the form was shown: sent twice, it is done once."""

    key: str
    fields: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])

    def text(self, name: str) -> str:
        """A field's text as a person means it; empty when it is not there."""
        return self.whole(name).strip()

    def whole(self, name: str) -> str:
        """A field's text with its spaces, and with line breaks as everybody else writes them."""
        return self.fields.get(name, [""])[-1].replace("\r\n", "\n")

    def texts(self, name: str) -> list[str]:
        return [text for given in self.fields.get(name, []) if (text := given.strip())]


def new_key() -> str:
    return f"page-{uuid4().hex}"


async def read(request: Request, parts: Parts, visitor: Visitor) -> Form:
    """Raises Problem when the form was not shown to this visitor, or by a page of before his visit began."""
    return await read_with(request, parts, visitor.visit)


async def read_with(request: Request, parts: Parts, visit: Visit) -> Form:
    """The same, of a visit. Raises Problem."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise invalid("body", f"send it with Content-Type: {FORM}")
    body = (await request.body()).decode("utf-8", "replace")
    try:
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise invalid("body", f"has more than {MOST_FIELDS} fields") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    given = fields.get(TOKEN, [""])[-1]
    if not await visits.is_token(parts, visit, given):
        raise Problem(STALE_FORM, STALE_FORM.meaning)
    key = fields.get(KEY, [""])[-1]
    if len(key) > LONGEST_KEY:
        raise invalid(KEY, "is too long")
    return Form(key or new_key(), fields)


async def anybodys(request: Request, parts: UsedParts, visitor: PasserBy) -> Form:
    """A form that needs no key, such as the one that asks for it."""
    return await read(request, parts, visitor)


async def written(request: Request, parts: UsedParts, visitor: Known) -> AsyncGenerator[Form]:
    """A form that changes something. Those of one key come in one after the other, as requests of the API do."""
    if not visitor.may_write:
        raise Problem(FORBIDDEN, told("The key {key} has no scope {scope}.", key=visitor.owner, scope=Scope.WRITE))
    form = await read(request, parts, visitor)
    await rates.count(request, parts, visitor.owner)
    async with parts.turns.of((visitor.owner, request.url.path, form.key)):
        yield form


async def operated(request: Request, parts: UsedParts, visitor: Operator) -> Form:
    """A form that changes something for all owners."""
    if not visitor.may_write:
        raise Problem(FORBIDDEN, told("The key {key} has no scope {scope}.", key=visitor.owner, scope=Scope.WRITE))
    form = await read(request, parts, visitor)
    await rates.count(request, parts, visitor.owner)
    return form


def our_path(text: str) -> str:
    """A page of ours to go to; the list, if it is another's."""
    ours = text.startswith("/") and not text.startswith(("//", "/\\")) and len(text) <= LONGEST_PATH
    return text if ours and text.isprintable() else "/"


def checked(model: type[A], asked: Mapping[str, object]) -> A:
    """What was filled in, as the body of a route. Raises Problem with the first mistake."""
    try:
        return model.model_validate(dict(asked))
    except ValidationError as error:
        raise mistakes(error) from error


def mistakes(error: ValidationError) -> Problem:
    first = error.errors()[0]
    return invalid(".".join(str(part) for part in first["loc"]) or "form", first["msg"])


AnybodysForm = Annotated[Form, Depends(anybodys)]
WrittenForm = Annotated[Form, Depends(written)]
OperatorsForm = Annotated[Form, Depends(operated)]
