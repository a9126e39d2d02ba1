"""What became different from a session to its replay, as `ekiden replay` shows it."""

from ekiden_cli.commands.replay import forecast_lines
from ekiden_cli.difference import compare, difference_lines, flat
from ekiden_client import Drafts, ReplayForecast, Session, Task

AT = "2026-11-22T12:00:00Z"


def ran(rows: list[str], texts: list[str]) -> tuple[Session, Drafts]:
    steps = [
        {"phase": 2, "step": "INTEGRATE", "result": {"rows": [{"title": row} for row in rows]}},
        {"phase": 1, "step": "THINK", "result": {"note": "as it was"}},
    ]
    session = {"sessionId": "ses_1", "status": "COMPLETED", "version": 3, "createdAt": AT, "steps": steps}
    drafts = [{"conceptNumber": n, "content": text, "createdAt": AT, "revision": n} for n, text in enumerate(texts, 1)]
    whole = {"sessionId": "ses_1", "status": "COMPLETED", "drafts": drafts}
    return Session.model_validate(session), Drafts.model_validate(whole)


def task(**fields: object) -> Task:
    about = {"id": "t", "type": "GPT_COMPLETION", "phaseNumber": 1, "stepName": "THINK", "status": "COMPLETED"}
    return Task.model_validate(about | fields)


BOUGHT = task(submissions=[{"epoch": 1, "outcome": "completed"}, {"epoch": 2, "outcome": "not_sent"}])
FOUND = compare(
    ran(["a", "b", "c"], ["one\ntwo", "same"]), ran(["a", "x"], ["one\nthree", "same"]), [BOUGHT, task(cachedFrom="t")]
)


def test_steps_and_drafts_are_told_line_by_line_with_their_places() -> None:
    assert list(difference_lines(FOUND, 3)) == [
        "Unchanged: 1.THINK",
        "",
        "2.INTEGRATE",
        "  -rows[2].title: b",
        "  -rows[3].title: c",
        "  +rows[2].title: x",
        "",
        "Draft 1",
        "  -content: two",
        "  +content: three",
        "",
        "Draft 2: unchanged",
    ]


def test_of_a_long_difference_the_rest_is_counted() -> None:
    assert "  … 2 more lines; --json has all of them" in list(difference_lines(FOUND, 1))


def test_as_json_old_and_new_stand_side_by_side() -> None:
    told = FOUND.document()
    assert (told["callsPaid"], told["callsRecorded"]) == (1, 1)
    assert told["drafts"] == [
        {"conceptNumber": "1", "changed": True, "old": {"content": "one\ntwo"}, "new": {"content": "one\nthree"}},
        {"conceptNumber": "2", "changed": False},
    ]


def test_a_line_has_no_control_characters_of_a_model() -> None:
    found = compare(ran(["a"], ["x"]), ran(["\x1b[31mred"], ["x"]), [])
    assert "\x1b" not in "\n".join(difference_lines(found, 9))


def test_json_is_flat_with_the_place_of_each_line() -> None:
    assert list(flat({"a": [{"b": "one\n\ntwo"}, 3], "c": None})) == ["a[1].b: one", "a[1].b: two", "a[2]: 3"]


def test_a_forecast_says_what_is_on_record_and_what_would_be_bought_where() -> None:
    steps = [{"position": "4.THINK", "calls": 1, "recorded": 0}, {"position": "3.THINK", "calls": 1, "recorded": 1}]
    to_buy = {"calls": {"gpt": 1}, "atMostUsd": 0.01, "seconds": None}
    told = {"sessionId": "ses_1", "workflow": "w@1", "recorded": 1, "savedUsd": 0.002, "toBuy": to_buy, "steps": steps}
    assert list(forecast_lines(ReplayForecast.model_validate(told))) == [
        "Replay of ses_1 under w@1",
        "  on record: 1 call, which saves $0.0020",
        "  to buy:    1 gpt calls, at most $0.0100 (4.THINK)",
    ]
    there = ReplayForecast.model_validate(told | {"existing": "ses_2"})
    assert list(forecast_lines(there))[-1] == "  It is there already: ses_2. Nothing is bought a second time."
