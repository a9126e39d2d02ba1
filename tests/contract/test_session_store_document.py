"""A session as a document: every field written is the field read, and what changed is exactly what is set."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import bson
from bson.codec_options import CodecOptions
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiden.domain.ids import Micros, Position, SessionId, Step, TaskId
from ekiden.domain.session import (
    Failure,
    Gate,
    GateDefault,
    GateTimeout,
    Money,
    Session,
    Status,
    StepState,
    WaitingReason,
    Wishes,
)
from ekiden.store.session_document import changes, from_document, to_document

_text = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
_key = st.one_of(_text.filter(bool), st.sampled_from(["$ref", "a.b", "$set", "駅伝"]))
_times = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - st.just adds it
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), _text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_key, inner, max_size=3)),
    max_leaves=6,
)
_maybe_time = st.one_of(st.none(), _times)
_micros = st.integers(0, 10**12).map(Micros)
_position = st.builds(Position, st.integers(1, 5), st.sampled_from(Step))
_step_key = _position.map(lambda position: position.key)
_task = st.builds(
    lambda key, generation, index: TaskId(f"ses_{'a' * 32}.{key}.g{generation}.{index}"),
    _step_key,
    st.integers(1, 9),
    st.integers(0, 9),
)
_tasks = st.lists(_task, max_size=3).map(tuple)
_strings = st.dictionaries(_key, _text, max_size=3)
_steps = st.builds(
    StepState,
    generation=st.integers(0, 9),
    tasks=_tasks,
    failed=_tasks,
    result=_json,
    missing=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    shorter=st.integers(0, 1),
    fresh=st.booleans(),
    started_at=_maybe_time,
    finished_at=_maybe_time,
)
_timeouts = st.builds(
    GateTimeout, st.integers(1, 10**7).map(lambda seconds: timedelta(seconds=seconds)), st.sampled_from(GateDefault)
)
_gates = st.builds(Gate, _times, _maybe_time)
_any_session = st.builds(
    Session,
    id=st.uuids().map(lambda made: SessionId(f"ses_{made.hex}")),
    owner=_text,
    workflow=_text,
    input=_strings,
    language=_text,
    created_at=_times,
    money=st.builds(
        Money,
        budget=_micros,
        reserved=st.dictionaries(_task, _micros, max_size=3),
        settled=st.dictionaries(_task, _micros, max_size=3),
        saved=_micros,
    ),
    wishes=st.builds(
        Wishes,
        st.booleans(),
        st.frozensets(st.integers(1, 5), max_size=3),
        st.frozensets(_position, max_size=3),
        st.none() | _timeouts,
    ),
    metadata=_strings,
    webhook_url=st.one_of(st.none(), _text),
    parent=st.one_of(st.none(), st.just(SessionId("ses_" + "b" * 32))),
    version=st.integers(0, 10**6),
    move_id=st.none() | st.integers(0, 2**63 - 1),
    status=st.sampled_from(Status),
    waiting_reason=st.one_of(st.none(), st.sampled_from(WaitingReason)),
    next_retry_at=_maybe_time,
    retry_count=st.integers(0, 5),
    position=st.one_of(st.none(), _position),
    gate=_gates,
    gates_reached=st.integers(0, 9),
    gates_passed=st.frozensets(_text, max_size=3),
    steps=st.dictionaries(_step_key, _steps, max_size=3),
    edited=st.dictionaries(_step_key, st.lists(_json, max_size=3), max_size=2),
    failure=st.one_of(st.none(), st.builds(Failure, _text, _text, st.one_of(st.none(), _task))),
    started_at=_maybe_time,
    finished_at=_maybe_time,
    moved_at=st.none(),  # the database writes it
)
sessions = _any_session.map(
    lambda made: made if made.waiting_reason is WaitingReason.APPROVAL else replace(made, gate=None)
)
OPTIONS: CodecOptions[dict[str, object]] = CodecOptions(tz_aware=True, tzinfo=UTC)


def stored(document: dict[str, object]) -> dict[str, object]:
    return bson.decode(bson.encode(document), OPTIONS)


@settings(max_examples=80, deadline=None)
@given(session=sessions)
def test_the_session_read_is_the_session_written(session: Session) -> None:
    read = from_document(stored(to_document(session)))
    assert (read, read.move_id) == (session, session.move_id)


@settings(max_examples=80, deadline=None)
@given(before=sessions, after=sessions)
def test_setting_what_changed_makes_the_one_session_the_other(before: Session, after: Session) -> None:
    after = replace(after, steps={**before.steps, **after.steps})  # a step is never taken back
    document = to_document(before)
    for name, value in changes(before, after).items():
        step = name.removeprefix("steps.")
        if step == name:
            document[name] = value
        else:
            document["steps"][step] = value
    assert from_document(document) == after


@given(session=sessions)
@settings(max_examples=30, deadline=None)
def test_a_session_that_did_not_change_sets_nothing(session: Session) -> None:
    assert changes(session, session) == {}


def test_a_document_of_another_version_reads_with_defaults() -> None:
    made = {"owner": "me", "workflow": "w", "input": {}, "language": "en", "budget": 5, "version": 0}
    made |= {"_id": "ses_" + "0" * 32, "status": "PENDING", "createdAt": datetime(2026, 1, 1, tzinfo=UTC), "new": 1}

    session = from_document(made)

    assert (session.status, session.steps, session.money.free, session.wishes.auto_advance) == ("PENDING", {}, 5, True)


def test_a_gate_that_an_older_version_came_to_is_one_since_the_session_moved_last() -> None:
    moved = datetime(2026, 1, 2, tzinfo=UTC)
    made = {"owner": "me", "workflow": "w", "input": {}, "language": "en", "budget": 5, "version": 3, "movedAt": moved}
    made |= {"_id": "ses_" + "0" * 32, "status": "WAITING", "waitingReason": "approval", "createdAt": moved}

    assert from_document(made).gate == Gate(moved, None)


def test_a_gate_that_an_older_version_left_is_none() -> None:
    moved = datetime(2026, 1, 2, tzinfo=UTC)
    made = {
        "owner": "me",
        "workflow": "w",
        "input": {},
        "language": "en",
        "budget": 5,
        "version": 3,
        "createdAt": moved,
    }
    made |= {"_id": "ses_" + "0" * 32, "status": "THINKING", "gate": {"since": moved, "dueAt": moved}}

    assert from_document(made).gate is None
