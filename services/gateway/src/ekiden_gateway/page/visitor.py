"""The visitor of a page: whose sessions he sees, what he may do, and how he likes to read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from ekiden.domain.told import told
from ekiden_gateway.access import UsedParts
from ekiden_gateway.callers import Caller
from ekiden_gateway.event_stream import MayGoOn
from ekiden_gateway.keys import Scope
from ekiden_gateway.kinds import FORBIDDEN
from ekiden_gateway.page import visits
from ekiden_gateway.page.languages import LANGUAGES, Words, preferred, words
from ekiden_gateway.page.visits import Visit
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem

LANGUAGE_COOKIE = "ekiden_language"
THEME_COOKIE = "ekiden_theme"
THEMES = ("auto", "light", "dark")


class SignInNeeded(Exception):
    """There are keys, and the visitor has shown none, or it holds no more."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """`owner` is empty for one that has not signed in where there are keys; `place` is the page he is on."""

    visit: Visit
    owner: str
    scopes: frozenset[Scope]
    words: Words
    theme: str
    token: str
    place: str
    now: datetime
    is_open: bool

    @property
    def caller(self) -> Caller:
        """The visitor as the API knows him."""
        return Caller(self.owner, self.owner, self.scopes, bytes.fromhex(self.visit.digest))

    @property
    def may_write(self) -> bool:
        return Scope.WRITE in self.scopes

    @property
    def may_operate(self) -> bool:
        return Scope.ADMIN in self.scopes


async def passer_by(request: Request, parts: UsedParts) -> Visitor:
    """Whoever looks, signed in or not. A first visit is remembered: `PageRoute` sends its cookie."""
    visit = await visits.read(request, parts)
    if visit is None:
        visit = visits.new(parts)
        request.state.new_visit = visit
    return await _visitor(request, parts, visit)


PasserBy = Annotated[Visitor, Depends(passer_by)]


async def visitor(passer_by: PasserBy) -> Visitor:
    """One who may see sessions. Raises SignInNeeded, Problem."""
    if not passer_by.owner:
        raise SignInNeeded
    if Scope.READ not in passer_by.scopes:
        raise Problem(FORBIDDEN, told("The key {key} has no scope {scope}.", key=passer_by.owner, scope=Scope.READ))
    return passer_by


Known = Annotated[Visitor, Depends(visitor)]


async def listening(visitor: Known, parts: UsedParts) -> MayGoOn:
    """What a stream asks from time to time: whether the visit goes on, and its key still opens it."""

    async def may_go_on() -> bool:
        return not await visits.has_ended(parts, visitor.visit) and await parts.callers.may_still_read(visitor.caller)

    return may_go_on


Listening = Annotated[MayGoOn, Depends(listening)]


async def operator(visitor: Known) -> Visitor:
    """One who may see what concerns all owners. Raises Problem."""
    if not visitor.may_operate:
        raise Problem(FORBIDDEN, told("The key {key} has no scope {scope}.", key=visitor.owner, scope=Scope.ADMIN))
    return visitor


Operator = Annotated[Visitor, Depends(operator)]


async def _visitor(request: Request, parts: Parts, visit: Visit) -> Visitor:
    caller = await parts.callers.known(bytes.fromhex(visit.digest))
    language = request.cookies.get(LANGUAGE_COOKIE, "")
    theme = request.cookies.get(THEME_COOKIE, "")
    query = f"?{request.url.query}" if request.url.query else ""
    return Visitor(
        visit=visit,
        owner=caller.client if caller else "",
        scopes=caller.scopes if caller else frozenset(),
        words=words(language if language in LANGUAGES else preferred(request.headers.get("accept-language", ""))),
        theme=theme if theme in THEMES else THEMES[0],
        token=await visits.token(parts, visit),
        place=request.url.path + query,
        now=parts.database.clock.now(),
        is_open=not parts.callers.asks,
    )
