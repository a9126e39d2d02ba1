"""What a hostile web page must not reach through its visitor's browser, and what a browser may do with our answers.

An open gateway answers whoever reaches it, and so would a page of another site that has its name point to 127.0.0.1
(DNS rebinding), or that simply sends requests here. So an open one is asked by the names it has and no others, and
nothing is ever changed by a request that a browser sent for another site. Programs send neither `Origin` nor
`Sec-Fetch-Site`, and are not concerned.
"""

from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ekiden_gateway import problems
from ekiden_gateway.kinds import FOREIGN_ORIGIN
from ekiden_gateway.problems import Problem

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""For programs that reach us under any name; they tell nothing of a session."""
_FORMS_OF_SECRET_PAGES = ("/gates/", "/preferences")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_WRITTEN = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


class Guard:
    """Refuse what came from a foreign place.

    `names` gives those by which an open gateway is asked; an address in numbers is no name that could be rebound.
    None: there are keys, which no foreign page has.
    """

    def __init__(self, app: ASGIApp, names: Callable[[], Collection[str] | None]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        why = self._foreign(scope) if scope["type"] == "http" else None
        if why is None:
            await self._app(scope, receive, send)
            return
        answer = problems.response(scope.get("request_id", ""), scope["path"], Problem(FOREIGN_ORIGIN, why))
        await answer(scope, receive, send)

    def _foreign(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host, names = headers.get("host", ""), self._names()
        if names is not None and scope["path"] not in _PROBES and not _is_ours(host, names):
            return f"An open gateway does not answer as {host!r}. EKIDEN_GATEWAY_NAMES adds a name."
        if scope["method"] not in _READING and _crosses_sites(headers, host, scope["path"]):
            return "A page of another site sent this request. Nothing was changed."
        return None


class SecurityHeaders:
    """Put them on every answer that has none of its own, also on those that say what went wrong."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(field for field in _WRITTEN if field[0] not in own)]
            await send(message)

        await self._app(scope, receive, send_guarded)


def _is_ours(host: str, names: Collection[str]) -> bool:
    """Whether a Host header is loopback's, an address in numbers, or one of our names."""
    name = (urlsplit(f"//{host}").hostname or "").rstrip(".") if _parses(host) else ""
    if name == "localhost" or name.endswith(".localhost") or name in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _parses(host: str) -> bool:
    try:
        urlsplit(f"//{host}")
    except ValueError:
        return False
    return True


def _crosses_sites(headers: Headers, host: str, path: str) -> bool:
    """What the browser says of where a request comes from; where it says nothing of it, by its `Origin`.

    It says nothing to a gateway without TLS on another machine, and a page that is to tell nobody its address has no
    origin either: its forms have a word in them, and that is looked at where they are read.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    if origin == "null" and path.startswith(_FORMS_OF_SECRET_PAGES):
        return False
    return origin is not None and urlsplit(origin).netloc.lower() != host.lower()
