"""What is shown of a gate fits a page, and what became of it fits a sentence."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiden.masking import hide
from ekiden_gateway.excerpt import LARGEST, LONGEST_TEXT, Excerpt
from ekiden_gateway.views.gate_endings import ending

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def letters(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(letters(inner) for inner in value.values())
    return sum(map(letters, value)) if isinstance(value, list) else 0


@settings(max_examples=60, deadline=None, database=None)
@given(value=_json)
def test_what_is_short_is_shown_as_it_is(value: object) -> None:
    excerpt = Excerpt()
    assert (excerpt.of(value), excerpt.cut) == (value, False)


@settings(max_examples=60, deadline=None, database=None)
@given(value=_json, room=st.integers(0, 60))
def test_an_excerpt_is_no_longer_than_its_room_but_for_ellipses(value: object, room: int) -> None:
    excerpt = Excerpt(largest=room)
    shown = excerpt.of(value)
    dots = str(shown).count("…") - (0 if excerpt.cut else str(value).count("…"))
    assert letters(shown) <= room + max(0, dots)
    assert excerpt.cut or shown == value


def test_a_long_text_ends_in_an_ellipsis() -> None:
    excerpt = Excerpt()
    assert excerpt.of({"text": "x" * 9_000}) == {"text": "x" * LONGEST_TEXT + "…"}
    assert excerpt.cut


def test_an_endless_list_of_numbers_ends_too() -> None:
    shown = Excerpt().of(list(range(10 * LARGEST)))
    assert isinstance(shown, list)
    assert len(shown) <= LARGEST


def entry(cause: str, *events: str, waits: str | None = None, by: dict[str, str] | None = None) -> dict[str, Any]:
    happened = [{"type": event.partition(" ")[0], "detail": event.partition(" ")[2]} for event in events]
    return {"cause": cause, "at": AT, "waitingReason": waits, "events": happened} | ({"by": by} if by else {})


REACHED = entry("Look", "StepCompleted", "GateReached after:1@2", waits="approval")
BILLED = entry("Look", "CostSettled", waits="approval")
ENDS = {
    "a key": (entry("Continue", "GatePassed", by={"kind": "key", "name": "ada"}), "This gate was passed with a key at"),
    "a named link": (
        entry("Cancel", "SessionCancelled", by={"kind": "link", "name": "Aiko"}),
        "The session was cancelled by Aiko, over a link, at",
    ),
    "a nameless link": (
        entry("RestartPhase", "PhaseRestarted", by={"kind": "link", "name": ""}),
        "The phase was run again over a link at",
    ),
    "a rerun that came to the next gate at once": (
        entry("RestartPhase", "PhaseRestarted", "GateReached before:1.THINK@3", waits="approval"),
        "The phase was run again at",
    ),
    "nobody, approved": (
        entry("GateDue", "GateTimedOut approve", "GatePassed", by={"kind": "timeout", "name": ""}),
        "Nobody had answered this gate in time: it was passed by itself at",
    ),
    "nobody, stopped": (
        entry("GateDue", "GateTimedOut stop", "SessionCancelled"),
        "Nobody had answered this gate in time: the session was cancelled by itself at",
    ),
    "an entry of an older version": (entry("Continue", "GatePassed"), "This gate was passed at"),
    "something else": (entry("Whatever"), "The session went on from this gate at"),
}


@pytest.mark.parametrize(("end", "says"), list(ENDS.values()), ids=list(ENDS))
def test_the_end_of_a_gate_is_told_in_a_sentence(end: dict[str, Any], says: str) -> None:
    history = [entry("Create"), REACHED, BILLED, end, entry("Cancel", "SessionCancelled")]
    assert ending(history, 2) == f"{says} 2026-11-22T09:30:00Z."


@pytest.mark.parametrize("history", [[], [REACHED], [entry("Create")]], ids=["none", "still there", "never reached"])
def test_where_the_history_does_not_say_it_the_session_has_gone_on(history: list[dict[str, Any]]) -> None:
    assert ending(history, 2) == "The session has gone on from this gate."


def test_another_gate_is_not_taken_for_this_one() -> None:
    history = [entry("Look", "GateReached after:1@12", waits="approval"), entry("Continue", "GatePassed")]
    assert ending(history, 2) == "The session has gone on from this gate."


def test_a_link_is_masked_by_its_look() -> None:
    assert hide("GET /api/gates/glk_WyIwMTk.c2ln-_x HTTP/1.1") == "GET /api/gates/*** HTTP/1.1"
