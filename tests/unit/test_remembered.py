"""What a process remembers of sessions: few, not much of each, and only those that tasks are under way for."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ekiden.domain.ids import Micros, SessionId
from ekiden.domain.session import ACTIVE, Money, Session, Status, StepState
from ekiden.store.remembered import Remembered

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
IDS = [SessionId(f"ses_{n:032x}") for n in range(4)]


def session(of: SessionId, answer: str = "", status: Status = Status.THINKING) -> Session:
    steps = {"1T": StepState(result={"text": answer})}
    return Session(of, "me", "w@1", {}, "en", NOW, Money(Micros(10)), status=status, steps=steps)


def left(remembered: Remembered) -> list[SessionId]:
    return [session_id for session_id in IDS if remembered.get(session_id) is not None]


def test_what_was_saved_last_is_remembered() -> None:
    remembered = Remembered()
    remembered.keep(session(IDS[0], "first"))

    remembered.keep(session(IDS[0], "second"))

    assert remembered.get(IDS[0]) == session(IDS[0], "second")
    assert remembered.get(IDS[1]) is None


def test_of_too_many_the_one_that_moved_longest_ago_makes_room() -> None:
    remembered = Remembered(most=2)
    for session_id in (IDS[0], IDS[1], IDS[0], IDS[2]):
        remembered.keep(session(session_id))

    assert left(remembered) == [IDS[0], IDS[2]]


def test_of_too_much_the_one_that_moved_longest_ago_makes_room() -> None:
    remembered = Remembered(most_bytes=2500)
    for session_id in IDS[:3]:
        remembered.keep(session(session_id, "x" * 1000))

    assert left(remembered) == IDS[1:3]


def test_a_session_weighs_what_has_come_to_it_since() -> None:
    remembered = Remembered(most_bytes=2500)
    small = session(IDS[1])
    remembered.keep(session(IDS[0], "x" * 1000))
    remembered.keep(small)

    remembered.keep(replace(small, steps={**small.steps, "1I": StepState(result="x" * 2000)}))

    assert left(remembered) == [IDS[1]]


def test_an_answer_is_weighed_once() -> None:
    remembered = Remembered(most_bytes=2500)
    moving = session(IDS[0], "x" * 1000)
    for version in range(10):
        remembered.keep(replace(moving, version=version))

    assert left(remembered) == [IDS[0]]


def test_one_that_is_too_much_alone_is_not_remembered() -> None:
    remembered = Remembered(most_bytes=100)

    remembered.keep(session(IDS[0], "x" * 1000))

    assert left(remembered) == []


def test_what_was_forgotten_weighs_nothing() -> None:
    remembered = Remembered(most_bytes=2500)
    for _ in range(10):
        remembered.keep(session(IDS[0], "x" * 2000))
        remembered.forget(IDS[0])

    remembered.keep(session(IDS[1], "x" * 2000))

    assert left(remembered) == [IDS[1]]


@pytest.mark.parametrize("status", [status for status in Status if status not in ACTIVE])
def test_one_that_waits_or_is_over_is_not_remembered(status: Status) -> None:
    remembered = Remembered()
    remembered.keep(session(IDS[0]))

    remembered.keep(session(IDS[0], status=status))

    assert left(remembered) == []


def test_who_may_remember_none_remembers_none() -> None:
    remembered = Remembered(most=0)

    remembered.keep(session(IDS[0]))

    assert left(remembered) == []
