"""The end of a session on the command line: its drafts, its receipt, the way on, and the exit code."""

from typing import Any

from rich.text import Text

from ekiden_cli.draft_view import draw_draft, print_draft
from ekiden_cli.errors import Exit
from ekiden_cli.receipt import SIMULATED, Receipt, draw_receipt, make_receipt, summary, table
from ekiden_cli.relay_view import LONGEST_LINE
from ekiden_cli.session_lines import calls_line, question_of, reused
from ekiden_cli.terminal import Terminal
from ekiden_cli.watch import WATCHING
from ekiden_cli.wording import waits_for, way_on
from ekiden_cli.wrap import clean, wrap
from ekiden_client import Drafts, EkidenClient, SessionStatus, SessionSummary


async def tell_outcome(gateway: EkidenClient, status: SessionStatus, terminal: Terminal) -> Drafts | None:
    """Tell what became of a session that stopped; return its drafts when it completed."""
    name, sessions = status.session.id, gateway.with_patience(WATCHING).sessions
    receipt = make_receipt(status, await sessions.tasks(name))
    completed = status.session.status == "COMPLETED"
    drafts = await sessions.drafts(name) if completed else None
    if terminal.as_json:
        terminal.give(_document(status, drafts, receipt))
        return drafts
    if terminal.drawn:
        terminal.out.print()
    if drafts is not None:
        tell_drafts(drafts, await sessions.get(name), terminal)
    else:
        _tell_stop(status, terminal)
    tell_receipt(receipt, terminal)
    return drafts


def exit_code(status: SessionStatus) -> Exit:
    if status.session.status == "COMPLETED":
        return Exit.OK
    return Exit.WAITS if status.session.waits_for_a_person else Exit.FAILED


def tell_drafts(drafts: Drafts, head: SessionSummary, terminal: Terminal) -> None:
    platform = str(head.input.get("platform", ""))
    if not terminal.drawn:
        terminal.say("")
    for draft in drafts.drafts:
        if terminal.drawn:
            width = terminal.out.width
            drawn = draw_draft(
                draft, of=len(drafts.drafts), platform=platform, simulated=draft.simulated, terminal_width=width
            )
            terminal.out.print(drawn)
        else:
            terminal.say(print_draft(draft, of=len(drafts.drafts), platform=platform, simulated=draft.simulated))


def tell_receipt(receipt: Receipt, terminal: Terminal) -> None:
    if terminal.drawn:
        terminal.out.print(draw_receipt(receipt, terminal_width=terminal.out.width))
        return
    for line in (*table(receipt), summary(receipt), *([SIMULATED] if receipt.simulated else [])):
        terminal.say(line)


def _tell_stop(status: SessionStatus, terminal: Terminal) -> None:
    """Say why it stopped, and the command that helps; a gate shows what it guards."""
    session, gate = status.session, status.gate
    waiting = session.status == "WAITING"
    _say(
        terminal,
        f"The session {waits_for(session.waiting_reason) if waiting else f'is {session.status}'}.",
        style="bold",
    )
    if session.failure:
        _say(terminal, f"{session.failure.error}: {session.failure.message}")
    if gate:
        _say(terminal, f"Behind the gate at {gate.position}: {calls_line(gate.forecast)}.")
        if gate.cached:
            _say(terminal, f"{reused(gate.cached, gate.saved_usd)}.")
        for item in gate.items:
            _say(terminal, question_of(item), lead="· ")
    elif status.next_action.message:
        _say(terminal, status.next_action.message)
    for command in way_on(session):
        _say(terminal, command, lead="→ ", style="bold cyan")
    terminal.say("")


def _say(terminal: Terminal, text: str, *, lead: str = "", style: str = "") -> None:
    """One sentence: in lines of readable length on a terminal, in one line elsewhere."""
    if not terminal.drawn:
        terminal.say(lead + clean(text))
        return
    width = min(terminal.out.width, LONGEST_LINE) - 3 - len(lead)
    for place, line in enumerate(wrap(clean(text), width)):
        terminal.out.print(Text("   " + (lead if place == 0 else " " * len(lead)) + line, style=style))


def _document(status: SessionStatus, drafts: Drafts | None, receipt: Receipt) -> dict[str, Any]:
    return {
        "sessionId": status.session.id,
        "status": status.session.status,
        "waitingReason": status.session.waiting_reason,
        "simulated": receipt.simulated,
        "cost": status.cost.raw,
        "receipt": receipt.document(),
        "session": status.session.raw,
        "drafts": [draft.raw for draft in drafts.drafts] if drafts else [],
    }
