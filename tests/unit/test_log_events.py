"""What is logged and the table of what is logged are the same."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ekiden.log_events import LEVELS

ROOT = Path(__file__).parents[2]
SOURCES = [*ROOT.glob("shared/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py")]
OF_LIBRARIES = "library_logged"
PAST = re.compile(r"\w+ed|ran|began|sent|lost|kept|read|told|found|made|left")


class Said(NamedTuple):
    event: str
    level: str
    where: str


def said(tree: ast.AST, where: str = "") -> Iterator[Said]:
    """Every call of a module's `log`; an event that is not written out is a mistake."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=arguments) if level != "bind":
                event = arguments[0] if arguments else None
                name = event.value if isinstance(event, ast.Constant) else "?"
                yield Said(str(name), "error" if level == "exception" else level, f"{where}:{node.lineno}")
            case _:
                pass


ALL_SAID = [
    one for source in SOURCES for one in said(ast.parse(source.read_text("utf-8")), str(source.relative_to(ROOT)))
]


@pytest.mark.parametrize("one", ALL_SAID, ids=lambda one: f"{one.event} {one.where}")
def test_what_is_logged_is_in_the_table_under_its_level(one: Said) -> None:
    assert one.event in LEVELS[one.level], f"{one.where} logs {one.event} as {one.level}"


def test_what_is_in_the_table_is_logged() -> None:
    listed = {event for events in LEVELS.values() for event in events}
    assert listed - {one.event for one in ALL_SAID} == {OF_LIBRARIES}


def test_no_event_is_listed_twice() -> None:
    listed = [event for events in LEVELS.values() for event in events]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("event", [event for events in LEVELS.values() for event in events])
def test_an_event_is_past_tense_in_snake_case(event: str) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", event)
    assert any(PAST.fullmatch(word) for word in event.split("_")), f"{event} does not say that something happened"


@pytest.mark.parametrize(("event", "meaning"), [pair for events in LEVELS.values() for pair in events.items()])
def test_an_event_has_a_meaning_in_sentences(event: str, meaning: str) -> None:
    assert meaning.endswith("."), event
    assert meaning[0].isupper() or meaning[0] == "`"


def test_nobody_prints_or_logs_past_the_table() -> None:
    """Loggers of their own, or calls of another name than `log`, would not be seen by this test."""
    for source in SOURCES:
        text = source.read_text("utf-8")
        loggers = re.findall(r"^(\w+)\s*=\s*structlog\.get_logger\(", text, re.MULTILINE)
        assert set(loggers) <= {"log"}, source
        if source.name != "log.py":
            assert "logging.getLogger(" not in text, source


def test_an_unknown_event_and_one_that_is_composed_are_seen() -> None:
    tree = ast.parse('log.info("nobody_knows")\nlog.warning(f"{x}_failed")\nlog.exception("call_crashed")')
    assert [(one.event, one.level) for one in said(tree)] == [
        ("nobody_knows", "info"),
        ("?", "warning"),
        ("call_crashed", "error"),
    ]
