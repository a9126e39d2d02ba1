"""In and out, and how a visitor likes to read."""

from datetime import timedelta

from fastapi import Request
from starlette.responses import Response

from ekiden_gateway.access import UsedParts
from ekiden_gateway.kinds import UNAUTHENTICATED
from ekiden_gateway.page import visits
from ekiden_gateway.page.forms import AnybodysForm, our_path
from ekiden_gateway.page.languages import LANGUAGES
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.routing import go_to, router
from ekiden_gateway.page.visitor import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, PasserBy

router = router()
_LIKED_SECONDS = int(timedelta(days=365).total_seconds())


@router.get("/sign-in")
async def door(visitor: PasserBy, to: str = "/") -> Response:
    if visitor.owner:
        return go_to(our_path(to))
    return page(visitor, "sign_in.html.j2", to=our_path(to), refused=False)


@router.post("/sign-in")
async def come_in(request: Request, parts: UsedParts, visitor: PasserBy, form: AnybodysForm) -> Response:
    """A visit of its own begins, and the one before ends."""
    to = our_path(form.text("to"))
    secret = form.text("secret")
    if await parts.callers.who(secret) is None:
        return page(visitor, "sign_in.html.j2", UNAUTHENTICATED.status, to=to, refused=True)
    await visits.end(parts, visitor.visit)
    response = go_to(to)
    await visits.keep(request, response, parts, visits.new(parts, secret))
    return response


@router.post("/sign-out")
async def go_out(request: Request, parts: UsedParts, visitor: PasserBy, form: AnybodysForm) -> Response:
    """The visit ends for whoever has its cookie; where that cannot be written it is a 503, and nobody is out."""
    await visits.end(parts, visitor.visit)
    response = go_to("/sign-in")
    await visits.keep(request, response, parts, visits.new(parts))
    return response


@router.post("/preferences")
async def prefer(request: Request, form: AnybodysForm) -> Response:
    response = go_to(our_path(form.text("to")))
    for name, cookie, known in (("language", LANGUAGE_COOKIE, LANGUAGES), ("theme", THEME_COOKIE, THEMES)):
        if (liked := form.text(name)) in known:
            visits.set_cookie(request, response, cookie, liked, seconds=_LIKED_SECONDS)
    return response
