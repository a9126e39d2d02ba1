"""From a template and what it shows to a page. Whatever a model, a person or a provider wrote is text, and escaped."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from ekiden.workflow.addresses import is_web_address
from ekiden_gateway.page import assets
from ekiden_gateway.page.languages import LANGUAGES
from ekiden_gateway.page.timetable import timetable
from ekiden_gateway.page.visitor import THEMES, Visitor

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_VALUE = 20_000
"""Characters of one text that a page shows; the API has all of it."""


def page(visitor: Visitor, template: str, code: int = 200, /, **shown: object) -> HTMLResponse:
    """A page in the visitor's language. It is his alone, so nobody keeps it."""
    text = environment().get_template(template).render(**_around(visitor), **shown)
    headers = {"Cache-Control": "no-store", "Vary": "Cookie, Accept-Language, HX-Request"}
    return HTMLResponse(text.encode("utf-8", "replace"), code, headers)


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared: dict[str, Any] = made.globals
    shared.update(asset=assets.address, languages=LANGUAGES, themes=THEMES, timetable=timetable, here="")
    made.filters.update(web=web_address, clipped=clipped, iso=_iso, label=label)
    return made


def web_address(text: object) -> str | None:
    """A text that may be linked to, as it is; None for any that a browser would do something else with."""
    return text if isinstance(text, str) and is_web_address(text) else None


def clipped(said: str | int | list[str], longest: int = LONGEST_VALUE) -> str:
    text = ", ".join(said) if isinstance(said, list) else str(said)
    return text if len(text) <= longest else f"{text[:longest]}…"


def label(name: str) -> str:
    """A field's name as words: `visualGuide` is Visual guide."""
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in name).replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _around(visitor: Visitor) -> Mapping[str, object]:
    return {"visitor": visitor, "t": visitor.words, "ago": partial(visitor.words.ago, now=visitor.now)}
