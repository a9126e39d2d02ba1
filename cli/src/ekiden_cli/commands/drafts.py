"""`ekiden drafts` and `ekiden report`: what a session gave, and how it came to that."""

from enum import StrEnum
from typing import Annotated

import typer

from ekiden_cli.commands.options import Json, SessionId, leave, with_gateway
from ekiden_cli.errors import Exit
from ekiden_cli.outcome import tell_drafts
from ekiden_cli.terminal import Terminal
from ekiden_cli.wording import waits_for
from ekiden_client import DraftForm, Drafts, EkidenClient, ReportForm, SessionSummary


class Form(StrEnum):
    JSON = "json"
    MARKDOWN = "md"
    CSV = "csv"


_TEXTS = {Form.MARKDOWN: DraftForm.MARKDOWN, Form.CSV: DraftForm.CSV}


def drafts(
    session: SessionId,
    form: Annotated[
        Form | None, typer.Option("--format", help="A file's text: json, md (Markdown) or csv, edits included.")
    ] = None,
    excel: Annotated[
        bool, typer.Option("--excel", help="--format csv: as Excel reads it, with a byte order mark.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the drafts of a session. Ends with 1 when there are none yet."""
    form = _one_form(form, excel=excel, as_json=as_json)
    terminal = Terminal(as_json=form is Form.JSON)

    async def job(gateway: EkidenClient) -> tuple[Drafts, SessionSummary, str]:
        asked = _TEXTS.get(form) if form else None
        text = await gateway.sessions.drafts_as(session, asked, bom=excel) if asked else ""
        return await gateway.sessions.drafts(session), await gateway.sessions.get(session), text

    found, head, text = with_gateway(job)
    if form is Form.JSON:
        terminal.give(found.raw)
    elif not found.drafts:
        state = waits_for(head.waiting_reason) if head.status == "WAITING" else f"is {head.status}"
        Terminal(as_json=form is not None).say(f"There are no drafts yet: the session {state}.")
    elif form is None:
        tell_drafts(found, head, terminal)
    else:
        terminal.hand(text)
    leave(Exit.OK if found.drafts else Exit.FAILED)


def report(
    session: SessionId,
    html: Annotated[
        bool, typer.Option("--html", help="One HTML file, which loads nothing, in place of Markdown.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print how a session came to what it gave: plans, searches with sources, decisions, drafts, cost and time."""
    form, terminal = ReportForm.HTML if html else ReportForm.MARKDOWN, Terminal(as_json)
    text = with_gateway(lambda gateway: gateway.sessions.report(session, form))
    if as_json:
        terminal.give({"sessionId": session, "format": form, "report": text})
    else:
        terminal.hand(text)


def _one_form(form: Form | None, *, excel: bool, as_json: bool) -> Form | None:
    """Raises BadParameter when the options contradict each other."""
    if excel and form is not Form.CSV:
        raise typer.BadParameter("--excel goes with --format csv")
    if as_json and form not in (None, Form.JSON):
        raise typer.BadParameter(f"--json and --format {form} contradict each other")
    return Form.JSON if as_json else form
