"""Sessions: create, command, look at, follow, wait for.

Long, because it has one small method for each route, and each says what it takes.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from ekiden_client.actions import Action, Item
from ekiden_client.connection import Connection
from ekiden_client.errors import StillRunning
from ekiden_client.live import Away, follow
from ekiden_client.models.document import Page
from ekiden_client.models.drafts import Drafts, TaggedDraft
from ekiden_client.models.gates import GateLink, GateTimeout, WholeGate
from ekiden_client.models.health import HealthReport
from ekiden_client.models.history import Entry, EventList
from ekiden_client.models.replays import ReplayForecast
from ekiden_client.models.sessions import CommandResult, CreatedSession, DryRun, Session, SessionCounts, SessionSummary
from ekiden_client.models.status import SessionStatus
from ekiden_client.models.tasks import Task, TaskList
from ekiden_client.models.words import DraftForm, DraftStatus, ReportForm, Status
from ekiden_client.paging import LARGEST_PAGE, through

BASE = "/api/viral/cot-session"
GivenInputs = Mapping[str, str | int | bool | Sequence[str]]
"""Inputs in the types that the workflow gives them: text, integer, boolean, or a list of texts."""


class Sessions:
    """`client.sessions`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        theme: str | None = None,
        *,
        style: str | None = None,
        platform: str | None = None,
        language: str | None = None,
        workflow: str | None = None,
        inputs: GivenInputs | None = None,
        auto_advance: bool | None = None,
        pause_after_phases: Sequence[int] | None = None,
        pause_before: Sequence[str] | None = None,
        gate_timeout: GateTimeout | None = None,
        budget_usd: float | None = None,
        webhook_url: str | None = None,
        metadata: Mapping[str, str] | None = None,
        start: bool = False,
        idempotency_key: str | None = None,
    ) -> CreatedSession:
        """Create a session, and with `start` start it. What is None is left to the gateway and the workflow.

        `inputs` are further inputs of a workflow of your own, in the types that `workflows.get` says. `gate_timeout` is
        for each gate, and without it they wait for ever. Give an `idempotency_key` that you have stored when your own
        process may die and ask again: the same key and wishes name the same session.
        """
        wish = {
            "theme": theme,
            "style": style,
            "platform": platform,
            "language": language,
            "workflow": workflow,
            "autoAdvance": auto_advance,
            "pauseAfterPhases": list(pause_after_phases) if pause_after_phases else None,
            "pauseBefore": list(pause_before) if pause_before else None,
            "gateTimeout": gate_timeout.raw if gate_timeout else None,
            "budgetUsd": budget_usd,
            "webhookUrl": webhook_url,
            "metadata": metadata,
            "start": start or None,
        }
        return await self._connection.command(
            CreatedSession, f"{BASE}/create", {**(inputs or {}), **_given(wish)}, idempotency_key=idempotency_key
        )

    # Looking

    async def get(self, session_id: str) -> Session:
        """Return a session with everything it found so far."""
        return await self._connection.ask(Session, "GET", f"{BASE}/{session_id}")

    async def status(self, session_id: str) -> SessionStatus:
        """Return how far a session is, what it costs, and what helps it on."""
        return await self._connection.ask(SessionStatus, "GET", f"{BASE}/{session_id}/async-status")

    async def page(
        self,
        *,
        status: Status | str | Sequence[Status | str] | None = None,
        workflow: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        metadata: Mapping[str, str] | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[SessionSummary]:
        """Return one page of your sessions, newest first; all filters that are given must hold."""
        filters = {
            "status": [status] if isinstance(status, str) else list(status or ()) or None,
            "workflow": workflow,
            "createdAfter": _moment(created_after),
            "createdBefore": _moment(created_before),
            "metadata": [f"{name}:{value}" for name, value in metadata.items()] if metadata else None,
            "limit": limit,
            "cursor": cursor,
        }
        return await self._connection.ask(Page[SessionSummary], "GET", f"{BASE}/", params=filters)

    def all(
        self,
        *,
        status: Status | str | Sequence[Status | str] | None = None,
        workflow: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[SessionSummary]:
        """Give all your sessions that match, newest first, over as many pages as there are."""
        return through(
            lambda cursor: self.page(
                status=status,
                workflow=workflow,
                created_after=created_after,
                created_before=created_before,
                metadata=metadata,
                limit=LARGEST_PAGE,
                cursor=cursor,
            )
        )

    async def counts(self) -> SessionCounts:
        """Return how many sessions you have in each status."""
        return await self._connection.ask(SessionCounts, "GET", f"{BASE}/counts")

    async def tasks(self, session_id: str) -> Sequence[Task]:
        """Return the ledger of a session, oldest first: what was asked, sent, answered and paid."""
        return (await self._connection.ask(TaskList, "GET", f"{BASE}/{session_id}/tasks")).tasks

    async def task(self, session_id: str, task_id: str) -> Task:
        return await self._connection.ask(Task, "GET", f"{BASE}/{session_id}/tasks/{task_id}")

    async def health(self, session_id: str) -> HealthReport:
        """Return what a session waits for and since when, and what helps at what price."""
        return await self._connection.ask(HealthReport, "GET", f"{BASE}/{session_id}/recover")

    # At a gate

    async def gate(self, session_id: str) -> WholeGate:
        """Return the gate a session stands at: what was found before it, and what going on would buy.

        `say` it an `AnswerGate`. Raises NotFound when the session stands at none.
        """
        return await self._connection.ask(WholeGate, "GET", f"{BASE}/{session_id}/gate")

    async def gate_link(
        self, session_id: str, *, gate: str | None = None, expires_in_seconds: int | None = None
    ) -> GateLink:
        """Make a one-time link with which somebody without a key sees a gate and answers it: whoever has it, may.

        `gate` is the id of the gate that was looked at; without it, the one the session stands at.
        """
        wish = _given({"gate": gate, "expiresInSeconds": expires_in_seconds})
        return await self._connection.ask(GateLink, "POST", f"{BASE}/{session_id}/gate-link", json=wish)

    # Commands: the gateway does each once, however often its answer is lost

    async def start(self, session_id: str) -> CommandResult:
        """Start a session, or go on from where it stands; a failed one is tried again."""
        return await self._connection.command(CommandResult, f"{BASE}/{session_id}/process-async")

    async def go_on(
        self, session_id: str, *, items: Sequence[Item] | None = None, budget_usd: float | None = None
    ) -> CommandResult:
        """Pass the gate a session waits at, also with other `items`, or raise its budget and go on."""
        wish = _given({"input": list(items) if items else None, "budgetUsd": budget_usd})
        return await self._connection.command(CommandResult, f"{BASE}/{session_id}/continue-async", wish)

    async def say(self, session_id: str, action: Action, *, idempotency_key: str | None = None) -> CommandResult:
        """Pause, resume, cancel or recover a session, or answer its gate. Raises Conflict where its state forbids."""
        path = f"{BASE}/{session_id}/{action.verb}"
        return await self._connection.command(CommandResult, path, action.wish(), idempotency_key=idempotency_key)

    async def foresee(self, session_id: str, action: Action) -> DryRun:
        """Return what an action would do, reuse, cost and take. Nothing is done."""
        path, dry = f"{BASE}/{session_id}/{action.verb}", {"dryRun": True}
        if action.verb == "recover":
            return await self._connection.command(DryRun, path, action.wish() | dry)
        return await self._connection.command(DryRun, path, action.wish(), params=dry)

    # Replays

    async def replay(
        self, session_id: str, *, workflow: str | None = None, budget_usd: float | None = None
    ) -> CreatedSession:
        """Run a workflow on a session's recorded answers, as a new session that buys changed calls only.

        `workflow` is a name, as its folder is now, or the id of a version. There is one replay under each version:
        whoever asks again gets that one.
        """
        wish = _given({"workflow": workflow, "budgetUsd": budget_usd})
        return await self._connection.ask(CreatedSession, "POST", f"{BASE}/{session_id}/replay", json=wish)

    async def foresee_replay(
        self, session_id: str, *, workflow: str | None = None, budget_usd: float | None = None
    ) -> ReplayForecast:
        """Return what a replay would reuse, and what it would buy at most. Nothing is done."""
        wish = _given({"workflow": workflow, "budgetUsd": budget_usd, "dryRun": True})
        return await self._connection.ask(ReplayForecast, "POST", f"{BASE}/{session_id}/replay", json=wish)

    # What it gives

    async def drafts(self, session_id: str) -> Drafts:
        """Return the drafts; there are none before the session has completed."""
        return await self._connection.ask(Drafts, "GET", f"{BASE}/{session_id}/drafts")

    async def drafts_as(self, session_id: str, form: DraftForm | str, *, bom: bool = False) -> str:
        """Return the drafts as a text to keep, a person's edits in it. `bom`: CSV that Excel reads as UTF-8."""
        asked = {"format": form, "bom": bom or None}
        answer = await self._connection.send("GET", f"{BASE}/{session_id}/drafts", params=asked)
        return answer.content.decode()

    async def report(self, session_id: str, form: ReportForm | str = ReportForm.MARKDOWN) -> str:
        """Return how a session came to what it gave: plans, searches, decisions, drafts, cost and time."""
        answer = await self._connection.send("GET", f"{BASE}/{session_id}/report", params={"format": form})
        return answer.content.decode()

    async def draft(self, session_id: str, number: int) -> TaggedDraft:
        """Return one draft with its `etag`, which keeps a change from overwriting somebody else's."""
        return await self._connection.look(TaggedDraft, f"{BASE}/{session_id}/drafts/{number}")

    async def edit_draft(
        self,
        session_id: str,
        number: int,
        *,
        content: str | None = None,
        status: DraftStatus | str | None = None,
        etag: str | None = None,
    ) -> TaggedDraft:
        """Change the text or the status of a draft. Raises ChangedMeanwhile when `etag` is not its state any more."""
        path, wish = f"{BASE}/{session_id}/drafts/{number}", _given({"editedContent": content, "status": status})
        return await self._connection.edit(TaggedDraft, path, wish, etag)

    # As it happens

    async def history(self, session_id: str, *, after: int = -1) -> Sequence[Entry]:
        """Return the transitions of a session behind version `after`."""
        found = await self._connection.ask(EventList, "GET", f"{BASE}/{session_id}/events", params={"after": after})
        return found.events

    async def events(
        self,
        session_id: str,
        *,
        after: int | None = None,
        past_failure: bool = False,
        away: Away = lambda _seconds: None,
    ) -> AsyncGenerator[Entry]:
        """Give every transition of a session, first those that were and then live, until it has ended.

        Over reconnects nothing is lost or repeated; `after` takes up where you left off. With `past_failure` only
        COMPLETED and CANCELLED are an end, as somebody may help a failed session on. `away` is told when the gateway is
        away and when it is back.
        """
        entries = follow(self._connection, f"{BASE}/{session_id}/events", after=after, away=away)
        async with aclosing(entries):
            async for entry in entries:
                yield entry
                if entry.ended and not past_failure:
                    now = (await self.status(session_id)).session
                    if now.ended and now.version == entry.version:
                        return

    async def wait(
        self, session_id: str, *, timeout_seconds: float | None = None, away: Away = lambda _seconds: None
    ) -> SessionStatus:
        """Return the status of a session once it has ended or waits for a person: see `status.session.stopped`.

        Raises StillRunning after `timeout_seconds`; the session goes on.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._until_it_stops(session_id, away)
        except TimeoutError as error:
            raise StillRunning(
                f"The session {session_id} is still under way after {timeout_seconds:g} s.", session_id=session_id
            ) from error

    async def _until_it_stops(self, session_id: str, away: Away) -> SessionStatus:
        status = await self.status(session_id)
        while not status.session.stopped:
            status = await self._next_stop(status, away)
        return status

    async def _next_stop(self, status: SessionStatus, away: Away) -> SessionStatus:
        """The status at the next stop that is not over already, or at the end of the stream."""
        session_id = status.session.id
        entries = follow(self._connection, f"{BASE}/{session_id}/events", after=status.session.version, away=away)
        async with aclosing(entries):
            async for entry in entries:
                if entry.stopped and (status := await self.status(session_id)).session.stopped:
                    return status
        return await self.status(session_id)


def _given(wish: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in wish.items() if value is not None}


def _moment(moment: datetime | None) -> str | None:
    """As RFC 3339 has it; a time without a zone is this machine's."""
    return moment.astimezone(UTC).isoformat() if moment else None
