"""`ekiden sessions gate`: look at the gate a session stands at, and answer it."""

import json
from typing import Annotated, Any, Literal, cast

import typer

from ekiden_cli.commands.options import DryRun, Json, SessionId, with_gateway
from ekiden_cli.gate_lines import gate_lines, link_lines
from ekiden_cli.session_lines import command_line, foreseen_lines
from ekiden_cli.terminal import Terminal
from ekiden_client import AnswerGate, EkidenClient, GateLink, WholeGate
from ekiden_client.actions import Item

Answer = Literal["approve", "edit", "rerun", "stop"]
ANSWERS: tuple[Answer, ...] = ("approve", "edit", "rerun", "stop")


def gate(
    session: SessionId,
    approve: Annotated[bool, typer.Option("--approve", help="Go on as planned.")] = False,
    edit: Annotated[
        typer.FileText | None,
        typer.Option(
            metavar="FILE", help="Go on with these: a JSON list, or a question on each line; - is standard input."
        ),
    ] = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Do the phase again, and come back here.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Cancel the session.")] = False,
    link: Annotated[bool, typer.Option("--link", help="Make a one-time link for somebody without a key.")] = False,
    expires: Annotated[
        int | None, typer.Option(min=1, metavar="SECONDS", help="--link: for so long; else for three days.")
    ] = None,
    gate_id: Annotated[
        str | None, typer.Option("--gate", metavar="ID", help="The gate you looked at; a later one is not answered.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Show the gate a session stands at: what was found, what is asked, what it costs. With an option, answer it.

    Ends with 3 when it stands at none.
    """
    given = (approve, edit is not None, rerun, stop)
    answers: list[Answer] = [answer for answer, is_given in zip(ANSWERS, given, strict=True) if is_given]
    if len(answers) + link > 1:
        raise typer.BadParameter("choose one of --approve, --edit, --rerun, --stop and --link")
    if (dry_run and not answers) or (expires is not None and not link):
        raise typer.BadParameter("--dry-run belongs to an answer, --expires to --link")
    terminal = Terminal(as_json)
    if answers:
        _answer(session, gate_id, answers[0], read_items(edit.read()) if edit else None, terminal, dry_run=dry_run)
    elif link:
        _show_link(
            with_gateway(lambda gateway: gateway.sessions.gate_link(session, gate=gate_id, expires_in_seconds=expires)),
            terminal,
        )
    else:
        _show(session, with_gateway(lambda gateway: gateway.sessions.gate(session)), terminal)


def read_items(text: str) -> list[Item]:
    """The items of a file: a JSON list, or the lines that are not empty. Raises BadParameter when there are none."""
    if not text.lstrip().startswith("["):
        items: list[Item] = [line.strip() for line in text.splitlines() if line.strip()]
    else:
        try:
            items = cast("list[Any]", json.loads(text))
        except ValueError as error:
            raise typer.BadParameter(f"the --edit file is no JSON: {error}") from error
    if not items:
        raise typer.BadParameter("the --edit file names nothing to search for")
    return items


def _answer(
    session: str, gate_id: str | None, answer: Answer, items: list[Item] | None, terminal: Terminal, *, dry_run: bool
) -> None:
    async def named(gateway: EkidenClient) -> AnswerGate:
        return AnswerGate(gate_id or (await gateway.sessions.gate(session)).id, answer, items)

    async def foresee(gateway: EkidenClient) -> tuple[object, list[str]]:
        found = await gateway.sessions.foresee(session, await named(gateway))
        return found.raw, list(foreseen_lines(found, answer))

    async def say(gateway: EkidenClient) -> tuple[object, list[str]]:
        result = await gateway.sessions.say(session, await named(gateway))
        return result.raw, [command_line(result)]

    document, lines = with_gateway(foresee if dry_run else say)
    if terminal.as_json:
        terminal.give(document)
        return
    for line in lines:
        terminal.say(line)


def _show(session: str, found: WholeGate, terminal: Terminal) -> None:
    if terminal.as_json:
        terminal.give(found.raw)
        return
    for line in gate_lines(session, found):
        terminal.say(line)


def _show_link(found: GateLink, terminal: Terminal) -> None:
    if terminal.as_json:
        terminal.give(found.raw)
        return
    for line in link_lines(found):
        terminal.say(line)
