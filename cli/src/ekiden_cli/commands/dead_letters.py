"""`ekiden dead-letters`: messages that nobody could handle."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from ekiden_cli.commands.options import Cursor, Json, Limit, ListsByDefault, with_gateway
from ekiden_cli.completion import letter_ids
from ekiden_cli.dead_letters import letter_line, letter_lines
from ekiden_cli.pages import tell_page
from ekiden_cli.terminal import Terminal
from ekiden_client import EkidenClient
from ekiden_client.models.dead_letters import Dropped, Replayed
from ekiden_client.models.document import Document

D = TypeVar("D", bound=Document)

app = typer.Typer(cls=ListsByDefault, help="Look at messages that nobody could handle; send them again or drop them.")

LetterId = Annotated[
    str, typer.Argument(metavar="LETTER", help="The letter's id, for example dl_0123….", autocompletion=letter_ids)
]
ManyLetterIds = Annotated[
    list[str] | None,
    typer.Argument(metavar="[LETTER]...", help="Letters; or name a --queue or a --reason.", autocompletion=letter_ids),
]
Queue = Annotated[str | None, typer.Option(help="Only those that died in this queue.")]
Reason = Annotated[str | None, typer.Option(help="Only those that died of this, for example undecodable.")]


@app.command("list")
def list_letters(
    queue: Queue = None,
    reason: Reason = None,
    replayed: Annotated[bool, typer.Option("--replayed", help="Also those that were replayed.")] = False,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List dead letters, the latest first."""
    page = with_gateway(
        lambda gateway: gateway.dead_letters.page(
            queue=queue, reason=reason, replayed=replayed, limit=limit, cursor=cursor
        )
    )
    more, empty = "ekiden dead-letters list", "There are no dead letters."
    tell_page(page, lambda letter: [letter_line(letter)], Terminal(as_json), more=more, empty=empty)


@app.command()
def show(letter: LetterId, as_json: Json = False) -> None:
    """Show a dead letter with its body and its first error."""
    terminal = Terminal(as_json)
    found = with_gateway(lambda gateway: gateway.dead_letters.get(letter))
    if as_json:
        terminal.give(found.raw)
        return
    for line in letter_lines(found):
        terminal.say(line)


@app.command()
def replay(letters: ManyLetterIds = None, queue: Queue = None, reason: Reason = None, as_json: Json = False) -> None:
    """Send letters to the queue they came from. Repeating it changes nothing."""
    _one_of_both(letters, queue, reason)

    async def job(gateway: EkidenClient) -> Replayed:
        if not letters:
            return await gateway.dead_letters.replay_many(queue=queue, reason=reason)
        for letter in letters:
            await gateway.dead_letters.replay(letter)
        return Replayed(replayed=len(letters), refused=0)

    answer = _do(as_json, job)
    if not as_json:
        refused = f", {answer.refused} cannot be" if answer.refused else ""
        typer.echo(f"{answer.replayed} replayed{refused}.")


@app.command()
def drop(letters: ManyLetterIds = None, queue: Queue = None, reason: Reason = None, as_json: Json = False) -> None:
    """Drop letters for good."""
    _one_of_both(letters, queue, reason)

    async def job(gateway: EkidenClient) -> Dropped:
        if not letters:
            return await gateway.dead_letters.drop_many(queue=queue, reason=reason)
        for letter in letters:
            await gateway.dead_letters.drop(letter)
        return Dropped(dropped=len(letters))

    answer = _do(as_json, job)
    if not as_json:
        typer.echo(f"{answer.dropped} dropped.")


def _one_of_both(letters: list[str] | None, queue: str | None, reason: str | None) -> None:
    if bool(letters) is (queue is not None or reason is not None):
        raise typer.BadParameter("name letters, or a --queue or a --reason")


def _do(as_json: bool, job: Callable[[EkidenClient], Awaitable[D]]) -> D:
    answer = with_gateway(job)
    if as_json:
        Terminal(as_json).give(answer.raw)
    return answer
