"""`ekiden drafts`: what a finished session gave."""

from ekiden_cli.commands.options import Json, SessionId, leave, with_gateway
from ekiden_cli.errors import Exit
from ekiden_cli.outcome import tell_drafts
from ekiden_cli.terminal import Terminal
from ekiden_cli.wording import waits_for
from ekiden_client import Drafts, EkidenClient, SessionSummary


def drafts(session: SessionId, as_json: Json = False) -> None:
    """Print the drafts of a session. Ends with 1 when there are none yet."""
    terminal = Terminal(as_json)

    async def job(gateway: EkidenClient) -> tuple[Drafts, SessionSummary]:
        return await gateway.sessions.drafts(session), await gateway.sessions.get(session)

    found, head = with_gateway(job)
    if as_json:
        terminal.give(found.raw)
    elif found.drafts:
        tell_drafts(found, head, terminal)
    else:
        state = waits_for(head.waiting_reason) if head.status == "WAITING" else f"is {head.status}"
        terminal.say(f"There are no drafts yet: the session {state}.")
    leave(Exit.OK if found.drafts else Exit.FAILED)
