"""The routes of pages: what goes wrong is told on a page, and whoever has to sign in is asked to."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ekiden.errors import DocumentTooLarge, KeyReused, Unreachable
from ekiden_gateway import problems
from ekiden_gateway.kinds import UNAVAILABLE
from ekiden_gateway.models.wire import Answered
from ekiden_gateway.page import visits
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.visitor import SignInNeeded, passer_by
from ekiden_gateway.problems import Problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_FORESEEN = (Problem, HTTPException, RequestValidationError, Unreachable, DocumentTooLarge, KeyReused)
_NO_DATABASE = "<!doctype html><meta charset=utf-8><title>Ekiden</title><p>データベースが応答しません · No database"


class PageRoute(APIRoute):
    """Answers a problem with a page that explains it; a bug stays a bug, and is answered where its log line is."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def show(request: Request) -> Response:
            try:
                response = await handle(request)
            except SignInNeeded:
                response = _sign_in(request)
            except _FORESEEN as error:
                return await explain(request, problems.from_error(error))
            if (visit := getattr(request.state, "new_visit", None)) is not None:
                await visits.keep(request, response, request.app.state.parts, visit)
            return response

        return show


def router() -> APIRouter:
    return APIRouter(route_class=PageRoute, include_in_schema=False)


async def explain(request: Request, problem: Problem) -> Response:
    """A page for a problem; for htmx only the notice, which goes to its place on the page that asked."""
    try:
        visitor = await passer_by(request, request.app.state.parts)
    except Unreachable:  # not even a visit can be told from another
        headers = {"Retry-After": str(UNAVAILABLE.again_seconds)}
        return HTMLResponse(_NO_DATABASE, UNAVAILABLE.status, headers)
    if "hx-request" in request.headers and request.method != "GET":
        answer = page(visitor, "notice.html.j2", problem.kind.status, problem=problem)
        answer.headers.update({"HX-Retarget": "#notice", "HX-Reswap": "innerHTML", "HX-Reselect": "unset"})
    else:
        answer = page(visitor, "problem.html.j2", problem.kind.status, problem=problem)
    answer.headers.update(problem.headers)
    return answer


def go_to(path: str) -> Response:
    """After a form: the browser asks for the page, and a reload repeats nothing."""
    return RedirectResponse(path, 303)


def streamed(answer: Response | Answered) -> Response:
    """What a stream of the API answers: to whoever asked for none, as JSON."""
    return answer if isinstance(answer, Response) else Response(answer.model_dump_json(), media_type="application/json")


def _sign_in(request: Request) -> Response:
    """With a GET it is known where to go on afterwards. htmx is told to leave the page."""
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    place = f"/sign-in?{urlencode({'to': back})}" if request.method == "GET" else "/sign-in"
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": place})
    return RedirectResponse(place, 303)
