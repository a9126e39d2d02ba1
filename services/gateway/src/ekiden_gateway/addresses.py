"""What each address takes, looked at before any route: methods, and the names of query parameters."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ekiden_gateway import problems
from ekiden_gateway.kinds import METHOD_NOT_ALLOWED
from ekiden_gateway.problems import Problem

_API = "/api/"


@dataclass(frozen=True, slots=True)
class Address:
    pattern: re.Pattern[str]
    takes: Mapping[str, frozenset[str]]
    """The names of query parameters, by method."""

    @property
    def allow(self) -> str:
        return ", ".join(sorted({*self.takes, "OPTIONS", *(["HEAD"] if "GET" in self.takes else [])}))


class Addresses:
    """Answer OPTIONS, and refuse what an address does not take: 405 with `Allow`, 422 for an unknown parameter.

    Starlette names in `Allow` only the methods of the first route that fits, and lets `GET /create` fall through to
    `/{sessionId}`. Here all routes of an address count, and an address without parameters counts before a pattern.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[APIRoute]) -> None:
        self._app = app
        patterns: dict[str, re.Pattern[str]] = {}
        takes: dict[str, dict[str, frozenset[str]]] = {}
        for route in routes:
            patterns[route.path] = route.path_regex
            takes.setdefault(route.path, {}).update(dict.fromkeys(route.methods or (), _query(route.dependant)))
        literal_first = sorted(takes, key=lambda path: "{" in path)
        self._addresses = [Address(patterns[path], takes[path]) for path in literal_first]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        path, method = scope["path"], scope["method"]
        address = next((found for found in self._addresses if found.pattern.match(path)), None)
        if address is None:
            return None
        if method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": address.allow})
        if method not in address.takes:
            if problems.is_for_a_page(Request(scope)):
                return None  # the route refuses it, too, and is answered with a page
            detail = f"{path} takes {address.allow}."
            problem = Problem(METHOD_NOT_ALLOWED, detail, headers={"Allow": address.allow})
        else:
            given = {name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)}
            unknown = sorted(given - address.takes[method]) if path.startswith(_API) else []
            if not unknown:
                return None
            known = ", ".join(sorted(address.takes[method])) or "none"
            problem = problems.invalid(unknown[0], f"is no parameter here; there are {known}")
        return problems.response(scope.get("request_id", ""), path, problem)


def _query(dependant: Dependant) -> frozenset[str]:
    own = {field.alias for field in dependant.query_params}
    return frozenset(own.union(*(_query(inner) for inner in dependant.dependencies)))
