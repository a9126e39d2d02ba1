"""Gates: what a person sees before going on, and the answer; with a key, or with a link that was sent to somebody."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from ekiden_gateway import commands, gates, intake
from ekiden_gateway.access import IdempotencyKey, Located, UsedParts
from ekiden_gateway.documented import COMMAND, documented
from ekiden_gateway.gate_links import LONGEST_TOKEN
from ekiden_gateway.kinds import (
    CONFLICT,
    LINK_EXPIRED,
    LINK_SPENT,
    NO_GATE,
    SESSION_TOO_LARGE,
    UNKNOWN_LINK,
    UNKNOWN_SESSION,
)
from ekiden_gateway.models.gate_requests import AnswerGate, AnswerGateByLink, CreateGateLink
from ekiden_gateway.models.gates import EXAMPLE_LINK, GateAnswer, GateAnswered, GateLink
from ekiden_gateway.models.sessions import CommandAnswer
from ekiden_gateway.routes.commands import FORESEEN, DryRun
from ekiden_gateway.views.session import BASE

router = APIRouter(tags=["gates"])
Token = Annotated[
    str, Path(max_length=LONGEST_TOKEN, description="As the link has it", examples=[EXAMPLE_LINK.rpartition("/")[2]])
]
_BY_LINK = (UNKNOWN_LINK, LINK_EXPIRED, LINK_SPENT)


@router.get(
    f"{BASE}/{{sessionId}}/gate",
    operation_id="getGate",
    response_model=GateAnswer,
    responses=documented(UNKNOWN_SESSION, NO_GATE),
)
async def show(session: Located, parts: UsedParts) -> GateAnswer:
    """Show the gate at which a session stands: what was found, what it cost, what comes, and how to answer."""
    return await gates.show(parts, session)


@router.post(
    f"{BASE}/{{sessionId}}/gate",
    operation_id="answerGate",
    status_code=202,
    response_model=CommandAnswer,
    responses=documented(UNKNOWN_SESSION, *COMMAND) | FORESEEN,
)
async def answer(
    session: Located, parts: UsedParts, asked: AnswerGate, key: IdempotencyKey, dry_run: DryRun = False
) -> CommandAnswer | Response:
    """Pass a gate, edit what is behind it and pass it, run the phase again, or stop.

    It is about the gate that `gate` names: when somebody else has answered that, 409, and nothing happens to the next.
    """
    known_as = intake.idempotency(key, {"command": "AnswerGate", **asked.model_dump(mode="json")})
    return commands.told(await gates.answer(parts, session, asked, known_as, dry_run=dry_run))


@router.post(
    f"{BASE}/{{sessionId}}/gate-link",
    operation_id="createGateLink",
    response_model=GateLink,
    responses=documented(UNKNOWN_SESSION, NO_GATE, CONFLICT),
)
async def make_link(
    session: Located, parts: UsedParts, request: Request, response: Response, asked: CreateGateLink | None = None
) -> GateLink:
    """Make a link with which somebody without a key can see this gate and answer it, once.

    It ends with the gate, whoever answers that, and cannot answer another one. Nothing is stored: asked again, there
    are two links, and the first answer spends both.
    """
    asked = asked or CreateGateLink()
    made = await gates.make_link(parts, session, asked.gate, timedelta(seconds=asked.expires_in_seconds))
    response.headers["Cache-Control"] = "no-store"
    here = str(request.base_url).rstrip("/")
    url, api_url = (f"{here}{place}/{made.token}" for place in (gates.PAGES, gates.LINKS))
    return GateLink(gate=made.gate, url=url, api_url=api_url, expires_at=made.expires_at)


@router.get(
    f"{gates.LINKS}/{{token}}",
    operation_id="getGateByLink",
    response_model=GateAnswer,
    responses=documented(*_BY_LINK),
)
async def show_by_link(token: Token, parts: UsedParts) -> GateAnswer:
    """Show the gate of a link, and nothing beyond. To look answers nothing, however often and whoever looks."""
    return await gates.show_by_link(parts, token)


@router.post(
    f"{gates.LINKS}/{{token}}",
    operation_id="answerGateByLink",
    response_model=GateAnswered,
    responses=documented(*_BY_LINK, CONFLICT, SESSION_TOO_LARGE),
)
async def answer_by_link(token: Token, parts: UsedParts, asked: AnswerGateByLink) -> GateAnswered:
    """Answer the gate of a link. The first answer counts, whoever gives it; after it the link is spent: 410."""
    return await gates.answer_by_link(parts, token, asked)
