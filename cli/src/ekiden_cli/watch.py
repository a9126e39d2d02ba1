"""Watching a session: the live stream tells of every transition, `async-status` the details."""

import asyncio
from contextlib import aclosing, suppress
from typing import Protocol

from rich.console import Console
from rich.live import Live

from ekiden_cli.plain_view import PlainView
from ekiden_cli.relay_view import RelayView
from ekiden_cli.terminal import Terminal
from ekiden_client import EkidenClient, Entry, Patience, SessionStatus, Step, Unavailable, Unreachable
from ekiden_client.models.workflows import WorkflowPhase

WATCHING = Patience(seconds=60.0, absent_seconds=60.0)
"""A gateway that was there a moment ago is waited for."""
_GLANCING = Patience(seconds=0.0, absent_seconds=0.0)
_LOOK_SECONDS = 1.0
"""Searches that are sent or collected move no session; the status shows them."""
_LAST_WORDS_SECONDS = 3.0
_FRAMES_PER_SECOND = 10


class Sight(Protocol):
    """What watching tells."""

    def show_entry(self, entry: Entry) -> None: ...

    def show_away(self, seconds: float | None) -> None: ...

    def show_status(self, status: SessionStatus) -> None: ...


class Watch:
    """Watches one session until it has ended or waits for a person."""

    def __init__(self, gateway: EkidenClient, session_id: str, sight: Sight) -> None:
        self._patient = gateway.with_patience(WATCHING).sessions
        self._glancing = gateway.with_patience(_GLANCING).sessions
        self._session_id = session_id
        self._sight = sight
        self._moved = asyncio.Event()
        self._told = ""  # the status of the last transition that was shown
        self._told_again = asyncio.Event()
        self._over = False

    async def until_it_stops(self) -> SessionStatus:
        """Return the last status. Raises Unreachable or Unavailable when the gateway stays away, NotFound."""
        status = await self._patient.status(self._session_id)
        self._sight.show_status(status)
        listening = asyncio.create_task(self._listen())
        try:
            while not status.session.stopped:
                await self._next_look(listening)
                with suppress(Unavailable, Unreachable):  # the listener knows when to give up
                    status = await self._glancing.status(self._session_id)
                    self._sight.show_status(status)
            await self._last_words(status)
        finally:
            listening.cancel()
            await asyncio.wait([listening])
        return status

    async def _listen(self) -> None:
        follow = self._patient.events(self._session_id, past_failure=True, away=self._sight.show_away)
        try:
            async with aclosing(follow) as entries:
                async for entry in entries:
                    self._sight.show_entry(entry)
                    self._told = entry.status
                    self._moved.set()
                    self._told_again.set()
        finally:
            self._over = True  # the task is not done yet, and whoever waits for its words has to know
            self._told_again.set()

    async def _next_look(self, listening: asyncio.Task[None]) -> None:
        """Return when the session moved, or after a second. Raises what ended the listener."""
        moved = asyncio.create_task(self._moved.wait())
        told = [moved] if listening.done() else [moved, listening]
        await asyncio.wait(told, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        moved.cancel()
        self._moved.clear()
        if listening.done():
            listening.result()

    async def _last_words(self, status: SessionStatus) -> None:
        """Let the stream catch up with the status, so that the last line is not missing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                while self._told != status.session.status and not self._over:
                    self._told_again.clear()
                    await self._told_again.wait()


async def watch(gateway: EkidenClient, session_id: str, terminal: Terminal) -> SessionStatus:
    """Watch a session on whatever the terminal is."""
    if terminal.drawn:
        return await _watch_live(gateway, session_id, terminal.out)
    terminal.say(f"{session_id} at {gateway.url}")
    return await Watch(gateway, session_id, _Lines(terminal)).until_it_stops()


async def relay_view(gateway: EkidenClient, session_id: str) -> RelayView:
    """A view that knows what does not change: what was asked for, and which phases fan out."""
    patient = gateway.with_patience(WATCHING)
    head = await patient.sessions.get(session_id)
    known = [workflow for workflow in await patient.workflows.list() if workflow.id == head.workflow]
    fan_outs = {phase.number for workflow in known for phase in workflow.phases if _fans_out(phase)}
    return RelayView(head, fan_outs)


def _fans_out(phase: WorkflowPhase) -> bool:
    return any(step.endswith(Step.EXECUTE) for step in phase.steps)


async def _watch_live(gateway: EkidenClient, session_id: str, console: Console) -> SessionStatus:
    view = await relay_view(gateway, session_id)
    with Live(
        get_renderable=lambda: view.draw(console.width),
        console=console,
        refresh_per_second=_FRAMES_PER_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        status = await Watch(gateway, session_id, view).until_it_stops()
    console.print(view.draw(console.width, moving=False))
    return status


class _Lines(PlainView):
    """Plain lines need no status."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal.say)

    def show_status(self, status: SessionStatus) -> None:
        """The transitions say it all."""
