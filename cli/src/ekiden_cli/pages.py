"""A page of a list on the command line."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from ekiden_cli.terminal import Terminal
from ekiden_client import Page
from ekiden_client.models.document import Document

D = TypeVar("D", bound=Document)


def tell_page(page: Page[D], lines: Callable[[D], Iterable[str]], terminal: Terminal, *, more: str, empty: str) -> None:
    """Print a page, and the command `more` that goes on behind it; or that it is empty."""
    if terminal.as_json:
        terminal.give(page.raw)
        return
    for item in page.items:
        for line in lines(item):
            terminal.say(line)
    if page.next_cursor:
        terminal.say(f"More: {more} --cursor {page.next_cursor}")
    elif not page.items:
        terminal.say(empty)
