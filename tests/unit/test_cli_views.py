"""What a person sees of a session: as a relay on a terminal, as lines elsewhere."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from ekiden_cli.draft_view import draw_draft, print_draft
from ekiden_cli.legs import Mark, count_searches, legs
from ekiden_cli.outcome import exit_code
from ekiden_cli.plain_view import PlainView
from ekiden_cli.receipt import SIMULATED, draw_receipt, make_receipt
from ekiden_cli.relay_view import LONGEST_LINE, RelayView
from ekiden_cli.wording import seconds, sentence_of, usd
from ekiden_client import Draft, Entry, SessionStatus, SessionSummary, Task
from ekiden_client.models.status import AsyncTasks

SESSION = "ses_0199c0ffee0077778888999900001111"
BEGAN = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
NOW = BEGAN + timedelta(seconds=75)
TITLES = ["トレンド調査", "機会の評価", "企画", "原稿", "投稿戦略"]


HEAD = SessionSummary.model_validate(
    {
        "sessionId": SESSION,
        "status": "PENDING",
        "createdAt": BEGAN,
        "input": {"theme": "AIと働き方", "platform": "twitter"},
        "language": "ja",
    }
)


def status(state: str = "EXECUTING", phase: int = 1, step: str = "EXECUTE", **session: Any) -> SessionStatus:
    head = {
        "id": SESSION,
        "status": state,
        "currentPhase": phase,
        "currentStep": step,
        "workflow": "viral-content@1",
        "createdAt": BEGAN.isoformat(),
        "startedAt": BEGAN.isoformat(),
    }
    phases = [
        {"number": n, "name": f"phase_{n}", "title": title}
        | ({"timestamps": {"startedAt": BEGAN.isoformat(), "finishedAt": None}} if n <= phase else {})
        for n, title in enumerate(TITLES, 1)
    ]
    searches = [task(0, "COMPLETED"), task(1, "SUBMITTED"), task(2, "QUEUED")]
    return SessionStatus.model_validate(
        {
            "session": head | session,
            "simulated": True,
            "phases": phases,
            "asyncTasks": {"current": searches, "recent": []},
            "progress": {"percentage": 10, "estimatedSecondsRemaining": 65},
            "cost": {"spentUsd": 0.0123, "reservedUsd": 0.06, "budgetUsd": 1.0, "savedUsd": 0.005},
            "nextAction": {"action": "wait", "message": "Three searches are under way."},
        }
    )


def task(index: int, state: str, generation: int = 1) -> dict[str, Any]:
    return {
        "id": f"{SESSION}.1E.g{generation}.{index}",
        "type": "PERPLEXITY_SEARCH",
        "status": state,
        "phaseNumber": 1,
        "stepName": "EXECUTE",
    }


def entry(*types: str, version: int = 1, after_seconds: float = 0.0, **fields: Any) -> Entry:
    events = [{"type": kind, "phase": 1, "step": "EXECUTE"} for kind in types]
    at = BEGAN + timedelta(seconds=after_seconds)
    place = {"phase": 1, "step": "EXECUTE", "status": "EXECUTING"}
    return Entry.model_validate({"id": version, "at": at, "events": events} | place | fields)


def drawn(view: Any, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, highlight=False)
    console.print(view)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


def relay(shown: SessionStatus, width: int, *, moving: bool = True) -> list[str]:
    view = RelayView(HEAD, fan_outs={1})
    view.show_status(shown)
    return drawn(view.draw(width, NOW, moving=moving), width)


@pytest.mark.parametrize("width", [44, 50, 60, 73, 80, 100, 120, 200])
def test_the_relay_fits_its_terminal_and_no_line_is_too_long_to_read(width: int) -> None:
    lines = relay(status(), width)

    assert all(cell_len(line) <= min(width, LONGEST_LINE) for line in lines)
    assert len(lines) == 14


def test_the_relay_says_where_the_session_is_what_it_costs_and_what_it_waits_for() -> None:
    told = "\n".join(relay(status(), 80))

    assert all(title in told for title in TITLES)
    assert "EXECUTE" in told
    assert "1/3" in told
    assert "1 min 15 s" in told
    assert "$0.0123 spent · $0.0600 reserved · $1.00 budget · $0.0050 saved" in told
    assert "Three searches are under way." in told
    assert "SIMULATED" in told
    assert "AIと働き方" in told


def test_times_of_the_legs_end_at_the_same_column() -> None:
    rows = [
        line for line in relay(status("THINKING", 3, "THINK"), 80) if "THINK" in line and line.rstrip().endswith(" s")
    ]

    assert len(rows) == 3
    assert len({cell_len(row.rstrip()) for row in rows}) == 1


def test_a_gateway_that_is_away_is_told_until_it_is_back() -> None:
    view = RelayView(HEAD, fan_outs={1})
    view.show_status(status())
    view.show_away(12.0)
    assert "away" in drawn(view.draw(80, NOW), 80)[-2]

    view.show_away(None)
    assert "away" not in drawn(view.draw(80, NOW), 80)[-2]


def test_a_fan_out_is_on_the_track_before_it_is_reached() -> None:
    shown = status("THINKING", 1, "THINK").model_copy(update={"async_tasks": AsyncTasks()})

    assert [len(leg.stations) for leg in legs(shown, [], NOW, fan_outs={1})] == [3, 2, 2, 2, 2]


def test_stations_before_the_current_one_are_done_and_those_behind_it_ahead() -> None:
    first, second, *_ = legs(status(), [], NOW)

    assert [station.mark for station in first.stations] == [Mark.DONE, Mark.RUNNING, Mark.AHEAD]
    assert [station.step.value for station in second.stations] == ["THINK", "INTEGRATE"]
    assert second.mark is Mark.AHEAD


@pytest.mark.parametrize(
    ("state", "mark"),
    [("WAITING", Mark.WAITING), ("FAILED", Mark.FAILED), ("CANCELLED", Mark.CANCELLED), ("COMPLETED", Mark.DONE)],
)
def test_the_current_leg_shows_how_the_session_is(state: str, mark: Mark) -> None:
    assert legs(status(state, 2, "THINK"), [], NOW)[1].mark is mark


def test_of_a_search_that_was_ordered_again_only_the_latest_order_counts() -> None:
    rows = [task(0, "COMPLETED"), task(1, "FAILED"), task(1, "SUBMITTED", generation=2)]

    counted = count_searches(Task.model_validate(row) for row in rows)

    assert (counted.total, counted.ended, counted.failed) == (2, 1, 0)


def test_plain_lines_say_each_transition_once_and_leave_bookkeeping_out() -> None:
    said: list[str] = []
    view = PlainView(said.append)

    view.show_entry(entry("SessionCreated", phase=None, status="PENDING"))
    view.show_entry(entry("StepCompleted", "StepStarted", version=2, after_seconds=1.25))
    view.show_entry(entry("CostSettled", version=3))
    view.show_away(1.0)
    view.show_away(2.0)
    view.show_away(None)

    assert [line.split() for line in said[:2]] == [
        ["0.0", "s", "PENDING", "created"],
        ["1.2", "s", "1.EXECUTE", "EXECUTING", "EXECUTE", "done,", "EXECUTE", "begins"],
    ]
    assert said[2:] == ["the gateway is away, trying again", "the gateway is back"]


def test_an_event_of_a_later_version_is_still_told() -> None:
    assert sentence_of(entry("BatonPassedOn")) == "baton passed on"


@pytest.mark.parametrize(
    ("amount", "told"), [(0, "$0.00"), (0.0123456, "$0.0123"), (1, "$1.00"), (12.5, "$12.50"), (0.00004, "$0.000040")]
)
def test_money_is_told_as_exactly_as_it_matters(amount: float, told: str) -> None:
    assert usd(amount) == told


def test_durations_are_told_as_exactly_as_they_interest() -> None:
    assert [seconds(span) for span in (0.04, 9.96, 75, 3700)] == ["0.0 s", "10.0 s", "1 min 15 s", "1 h 01 min"]


DRAFT = Draft.model_validate(
    {
        "conceptNumber": 1,
        "title": "AIで浮いた時間、上司が使っていませんか",
        "hook": "AI導入で週6時間浮いた。",
        "angle": "効率化の果実は誰のものか",
        "format": "問いかけ",
        "content": "AI導入で週6時間浮いた。\n\n" + "でも、あなたの退勤時刻は変わっていない。" * 6 + "\n#AI時代の働き方",
        "visualGuide": "時計の文字盤",
        "timing": "火曜 7:45",
        "hashtags": ["#AI時代の働き方"],
        "sources": [{"title": "Work Trend Index", "url": "https://example.com/" + "a" * 90, "date": "2026-11-18"}],
        "kpis": [{"name": "保存率", "target": "3%以上"}],
        "riskAssessment": "会社批判と受け取られる恐れ",
        "optimizationTips": ["返信する"],
        "flags": ["hashtag_count"],
        "status": "DRAFT",
        "editedContent": None,
    }
)
WHOLE = ("問いかけ", "時計の文字盤", "火曜 7:45", "Work Trend Index (2026-11-18)", "保存率: 3%以上", "恐れ", "返信する")


@pytest.mark.parametrize("width", [80, 120])
def test_a_draft_on_a_terminal_fits_and_holds_everything(width: int) -> None:
    lines = drawn(draw_draft(DRAFT, of=3, platform="twitter", simulated=True, terminal_width=width), width)

    assert all(cell_len(line) <= min(width, LONGEST_LINE) for line in lines)
    told = "\n".join(lines)
    assert all(words in told for words in (*WHOLE, "SIMULATED", "twitter", "1/3", "hashtag count"))


def test_a_draft_in_a_pipe_keeps_its_post_as_it_was_written() -> None:
    told = print_draft(DRAFT, of=3, platform="twitter", simulated=True)

    assert DRAFT.content in told
    assert f"<{DRAFT.sources[0].url if DRAFT.sources else ''}>" in told
    assert all(words in told for words in (*WHOLE, "[simulated]"))


def test_an_edited_post_is_the_one_that_is_shown() -> None:
    edited = DRAFT.model_copy(update={"edited_content": "直した文"})

    told = print_draft(edited, of=3, platform="", simulated=False)

    assert "直した文" in told
    assert DRAFT.content not in told


def test_a_draft_of_another_workflow_may_lack_almost_everything() -> None:
    told = print_draft(Draft.model_validate({"conceptNumber": 2, "title": "T"}), of=2, platform="", simulated=False)

    assert told == "--- Draft 2 of 2\nTitle: T\n"


def test_a_draft_of_another_workflow_shows_whatever_it_has_by_the_names_it_gives() -> None:
    told = print_draft(
        Draft.model_validate(
            {
                "conceptNumber": 1,
                "content": "The brief.",
                "keyPoints": ["One.", "Two."],
                "outlook": "Rain",
                "priceRange": {"lowUsd": 3, "highUsd": None},
                "sources": ["https://example.com/a"],
                "kpis": "ten replies",
                "hashtags": None,
                "thread": ["The first post.", "The second post."],
                "timing": ["at nine", "at ten"],
            }
        ),
        of=1,
        platform="",
        simulated=False,
    )

    for line in (
        "The brief.",
        "Key points:\n- One.\n- Two.",
        "Outlook: Rain",
        "Price range:\n- Low usd: 3",
        "at nine\nat ten",
        "Thread:\n- The first post.\n- The second post.",
    ):
        assert line in told
    assert "https://example.com/a" in told
    assert "ten replies" in told


def test_the_receipt_adds_up_what_every_submission_cost() -> None:
    rows = [
        {"id": "a", "status": "COMPLETED", "type": "GPT_COMPLETION", "submissions": [cost(0.002), cost(0.003)]},
        {
            "id": "b",
            "status": "COMPLETED",
            "type": "PERPLEXITY_SEARCH",
            "submissions": [cost(0.005)],
            "simulated": True,
        },
    ]

    receipt = make_receipt(status("COMPLETED", 5, "INTEGRATE"), [Task.model_validate(row) for row in rows])

    gpt, perplexity = receipt.lines
    assert (gpt.calls, gpt.input_tokens, gpt.output_tokens) == (2, 200, 40)
    assert gpt.cost_usd == pytest.approx(0.005)
    assert perplexity.calls == 1
    assert SIMULATED in "\n".join(drawn(draw_receipt(receipt, terminal_width=80), 80))


def cost(amount: float) -> dict[str, Any]:
    return {"outcome": "completed", "inputTokens": 100, "outputTokens": 20, "costUsd": amount}


@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [
        ("COMPLETED", None, 0),
        ("FAILED", None, 1),
        ("CANCELLED", None, 1),
        ("WAITING", "approval", 4),
        ("WAITING", "budget", 4),
        ("WAITING", "outcome_unknown", 4),
        ("WAITING", "paused", 4),
    ],
)
def test_the_exit_code_says_how_the_session_stopped(state: str, reason: str | None, code: int) -> None:
    assert exit_code(status(state, waitingReason=reason)) == code
