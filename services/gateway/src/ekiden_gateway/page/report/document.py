"""A page to keep, to print and to send on, made from Markdown: one file that loads nothing and runs nothing."""

import base64
import hashlib
from collections.abc import Mapping, MutableMapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from ekiden_gateway.page.rendering import clipped
from ekiden_gateway.page.report.markdown import plain

_STYLE = Path(__file__).with_name("report.css")
LONGEST_TITLE = 200
"""Characters of what a browser shows on a tab."""


def html(markdown: str, title: str, language: str) -> str:
    """HTML in one file, with the style in it."""
    body = _renderer().render(markdown)
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(clipped(plain(title), LONGEST_TITLE))} · Ekiden</title>\n<style>{_style()}</style>\n</head>\n"
        f"<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


@cache
def policy() -> Mapping[str, str]:
    """Headers under which a browser shows it: no style but its own, and nothing else at all."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    only = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return {"Content-Security-Policy": f"{only}; frame-ancestors 'none'"}


@cache
def _style() -> str:
    return _STYLE.read_text("utf-8")


@cache
def _renderer() -> MarkdownIt:
    """CommonMark with tables; HTML in a text stays text, and there are no pictures, which could call home."""
    made = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    made.add_render_rule("link_open", _link)
    made.add_render_rule("th_open", _cell)
    made.add_render_rule("td_open", _cell)
    made.add_render_rule("table_open", lambda *_: '<div class="wide"><table>\n')
    made.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return made


def _link(
    self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    tokens[place].attrSet("rel", "noopener noreferrer nofollow")
    return self.renderToken(tokens, place, options, env)


def _cell(
    self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    """A column of numbers is one by its class: a style of its own would be refused."""
    if tokens[place].attrs.pop("style", None):
        tokens[place].attrSet("class", "number")
    return self.renderToken(tokens, place, options, env)
