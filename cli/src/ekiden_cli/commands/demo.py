"""`ekiden demo`: the main job on this machine, from nothing to three drafts. It is what `make demo` runs."""

import os
import signal
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from ekiden_cli.commands.options import Json, leave, with_gateway_at
from ekiden_cli.errors import CliError, Exit
from ekiden_cli.outcome import exit_code, tell_outcome
from ekiden_cli.subject import language_of
from ekiden_cli.terminal import Terminal
from ekiden_cli.watch import watch
from ekiden_cli.wording import seconds
from ekiden_client import Drafts, EkidenClient, SessionStatus
from ekiden_native import Stack, StackError
from ekiden_native.errors import NotRunning
from ekiden_native.stack import SETTINGS

THEME = "AIと働き方"
WORKFLOW = "viral-content"
DRAFTS = 3


def demo(
    theme: Annotated[str, typer.Argument(help="What the posts are about.")] = THEME,
    real: Annotated[bool, typer.Option("--real", help="Use the providers' keys. This costs money.")] = False,
    as_json: Json = False,
) -> None:
    """Run one session of viral-content and print its drafts; the stack is started and stopped where none is up."""
    terminal = Terminal(as_json)
    with _ended_by_signals(), _stack(terminal, real=real) as stack:
        status, drafts = _run(stack, theme, terminal)
    code = exit_code(status)
    if code is Exit.OK and len(drafts.drafts if drafts else ()) != DRAFTS:
        raise CliError(f"The session completed with {len(drafts.drafts if drafts else ())} drafts instead of {DRAFTS}.")
    leave(code)


def _run(stack: Stack, theme: str, terminal: Terminal) -> tuple[SessionStatus, Drafts | None]:
    async def job(gateway: EkidenClient) -> tuple[SessionStatus, Drafts | None]:
        session = await gateway.sessions.create(theme, workflow=WORKFLOW, language=language_of(theme), start=True)
        status = await watch(gateway, session.id, terminal)
        return status, await tell_outcome(gateway, status, terminal)

    return with_gateway_at(stack.env["EKIDEN_GATEWAY_URL"], os.environ.get("EKIDEN_API_KEY"), job)


@contextmanager
def _stack(terminal: Terminal, *, real: bool) -> Generator[Stack]:
    """Give a stack that is up: the one that is there, or one that ends with the demo."""
    settings = {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)}
    try:
        stack = Stack(Path(os.environ.get("EKIDEN_STATE_DIR") or ".local"), env=settings, simulate=not real)
        if real and stack.providers.simulator_needed:
            raise CliError("REAL=1 needs keys.", help="Set OPENAI_API_KEY and PERPLEXITY_API_KEY, or leave REAL=1 out.")
        ours = not _is_up(stack)
        _note(stack.providers.announcement)
        try:
            _start(stack, ours=ours)
            yield stack
        finally:
            if ours:
                _stop(stack)
    except StackError as error:
        raise CliError(str(error)) from error


def _is_up(stack: Stack) -> bool:
    try:
        stack.ps()
    except (NotRunning, FileNotFoundError):
        return False
    return True


def _start(stack: Stack, *, ours: bool) -> None:
    began = time.monotonic()
    if ours:
        _note("Starting the stack …")
    stack.up()
    if ours:
        _note(f"The stack is up after {seconds(time.monotonic() - began)}: {stack.env['EKIDEN_GATEWAY_URL']}")


def _stop(stack: Stack) -> None:
    """Stop it whole, whatever else is pressed meanwhile."""
    earlier = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        _note("Stopping the stack …")
        stack.down()
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _ended_by_signals() -> Generator[None]:
    """Take the other signals that end a command like Ctrl-C, so that nothing is left behind.

    Like it in all: asyncio ends its tasks in order for SIGINT, while an exception out of a handler tears one of them.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    earlier = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
