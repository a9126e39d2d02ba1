"""Who looks at the page: a signed cookie that names the visit, and where keys are asked for the one it came in with.

The API never takes the cookie. It holds no secret: only the digest by which a key is known, so that a visit ends with
its key. Signing out is stored: from then on the cookie opens nothing, also where somebody has kept a copy of it.
"""

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, cast

from fastapi import Request
from itsdangerous import BadSignature, Signer, URLSafeSerializer
from starlette.responses import Response

from ekiden.store.schema import VISIT_SECONDS
from ekiden_gateway.keys import digest_of
from ekiden_gateway.parts import Parts

SECRET = "page"  # noqa: S105 - the name of one, not one
LONGEST_VISIT = timedelta(seconds=VISIT_SECONDS)


@dataclass(frozen=True, slots=True)
class Visit:
    """`nonce` is this browser's own; `digest` is empty for one that has not signed in, `since` is in s since 1970."""

    nonce: str
    digest: str = ""
    since: int = 0


def new(parts: Parts, secret: str = "") -> Visit:
    """A visit that begins, of whoever holds a key; never the continuation of an earlier one."""
    since = int(parts.database.clock.now().timestamp())
    return Visit(secrets.token_urlsafe(18), digest_of(secret).hex() if secret else "", since)


async def read(request: Request, parts: Parts) -> Visit | None:
    """The visit that the request's cookie names, if we signed it and it has not ended. Raises Unreachable."""
    given = request.cookies.get(cookie_name(request), "")
    if not given or len(given) > 1000:
        return None
    try:
        said = cast("dict[str, Any]", _serializer(await parts.secrets.get(SECRET)).loads(given))
        visit = Visit(**said)
    except (BadSignature, TypeError):
        return None
    age = parts.database.clock.now().timestamp() - visit.since
    return visit if age < LONGEST_VISIT.total_seconds() and not await has_ended(parts, visit) else None


async def end(parts: Parts, visit: Visit) -> None:
    """Let nobody go on with a visit. Raises Unreachable."""
    if visit.digest:
        await parts.ended_visits.add(visit.nonce)


async def has_ended(parts: Parts, visit: Visit) -> bool:
    """Whether it was ended; one that shows no key has nothing to end. Raises Unreachable."""
    return bool(visit.digest) and await parts.ended_visits.has(visit.nonce)


async def keep(request: Request, response: Response, parts: Parts, visit: Visit) -> None:
    """Give the browser its cookie."""
    value = str(_serializer(await parts.secrets.get(SECRET)).dumps(asdict(visit)))
    seconds = int(LONGEST_VISIT.total_seconds())
    set_cookie(request, response, cookie_name(request), value, seconds=seconds, httponly=True)


def set_cookie(
    request: Request, response: Response, name: str, value: str, *, seconds: int, httponly: bool = False
) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=seconds, httponly=httponly, samesite="lax", secure=secure, path="/")


async def token(parts: Parts, visit: Visit) -> str:
    """What a form of this visit carries, which no other site can know."""
    signer = Signer(await parts.secrets.get(SECRET), salt="form", digest_method=hashlib.sha256)
    return signer.get_signature(visit.nonce).decode()


async def is_token(parts: Parts, visit: Visit, given: str) -> bool:
    return hmac.compare_digest((await token(parts, visit)).encode(), given.encode())


def cookie_name(request: Request) -> str:
    """Browsers do not tell ports apart, and two stacks on one machine have secrets of their own."""
    return f"ekiden_visit_{request.url.port or 0}"


def _serializer(secret: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt="visit", signer_kwargs={"digest_method": hashlib.sha256})
