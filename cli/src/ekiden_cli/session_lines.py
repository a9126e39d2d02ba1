"""Sessions in lists, and one session in plain lines."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import cast

from rich.text import Text

from ekiden.domain.title import title_of
from ekiden_cli.relay_view import STATUS_STYLES
from ekiden_cli.terminal import Terminal
from ekiden_cli.wording import seconds, usd, waits_for, way_on
from ekiden_cli.wrap import clean, pad, shorten
from ekiden_client import Calls, CommandResult, DryRun, Forecast, HealthReport, SessionStatus, SessionSummary, Task

_WIDEST = 120
_ROOM_FOR_DATES = 100


def session_table(sessions: Iterable[SessionSummary], terminal: Terminal) -> Iterator[Text]:
    """One line per session; what it is about is cut to the width of a terminal, and whole elsewhere."""
    width = min(terminal.out.width, _WIDEST)
    for session in sessions:
        dated = f"  {_moment(session.created_at)}" if not terminal.drawn or width >= _ROOM_FOR_DATES else ""
        head = Text.assemble(
            session.id,
            "  ",
            (f"{session.status:<11}", STATUS_STYLES.get(session.status, "bold cyan")),
            f"  {_place(session):<11}{dated}  ",
        )
        told = clean(title_of(session.input))
        yield head.append(shorten(told, max(width - head.cell_len, 12)) if terminal.drawn else told)


def status_lines(status: SessionStatus) -> Iterator[str]:
    """A session in `name: value` lines."""
    session, cost = status.session, status.cost
    yield f"Session:   {session.id}"
    told = f" ({waits_for(session.waiting_reason)})" if session.status == "WAITING" else ""
    yield f"Status:    {session.status}{told}{', simulated' if status.simulated else ''}"
    for phase in status.phases:
        yield f"Phase {phase.number}:   {pad(clean(phase.title or phase.name), 24)} {phase.status}"
    yield f"Progress:  {status.progress.percentage:.0f} %"
    saved = f", {usd(cost.saved_usd)} saved" if cost.saved_usd else ""
    yield (
        f"Cost:      {usd(cost.spent_usd)} spent, {usd(cost.reserved_usd)} reserved, "
        f"{usd(cost.budget_usd)} budget{saved}"
    )
    if status.next_action.message:
        yield f"Next:      {clean(status.next_action.message)}"
    for command in way_on(session):
        yield f"           {command}"


def recovery_lines(recovery: HealthReport) -> Iterator[str]:
    """What ails a session, and what helps."""
    yield clean(recovery.health.summary) or ("Healthy." if recovery.health.is_healthy else "Not healthy.")
    yield from (f"  - {clean(issue)}" for issue in recovery.health.issues)
    yield from (f"  → {clean(advice)}" for advice in recovery.health.recommendations)
    if recovery.health.at_risk_usd:
        yield f"  At risk of being paid twice: {usd(recovery.health.at_risk_usd)}"
    if recovery.health.evidence:
        yield "What is known:"
    yield from (f"  {clean(item.subject)}: {clean(item.says)}" for item in recovery.health.evidence)
    if recovery.available_actions:
        yield "What can be done:"
    for action in recovery.available_actions:
        yield f"  {action.action:<16} {clean(action.description)}"
        if action.forecast:
            yield f"  {'':<16} {calls_line(action.forecast.to_end)}"


def _place(session: SessionSummary) -> str:
    return f"{session.current_phase}.{session.current_step}" if session.current_phase else ""


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else " " * 16


def question_of(item: object) -> str:
    """An item of a fan-out as a person reads it."""
    if isinstance(item, dict):
        fields = cast("dict[str, object]", item)
        return clean(str(fields.get("question") or fields))
    return clean(str(item))


def calls_line(calls: Calls) -> str:
    """Calls, money and time in one line."""
    counted = " and ".join(f"{count} {provider}" for provider, count in calls.calls.items()) or "no"
    took = f", about {seconds(calls.seconds)}" if calls.seconds is not None else ""
    return f"{counted} calls, at most {usd(calls.at_most_usd)}{took}"


def reused(searches: int, saved_usd: float) -> str:
    """What is not bought again."""
    return f"{searches} {'search is' if searches == 1 else 'searches are'} there already, which saves {usd(saved_usd)}"


def task_lines(tasks: Sequence[Task]) -> Iterator[str]:
    """The ledger: a line for each task, and one for each of its submissions."""
    for task in tasks:
        risk = f", {usd(task.at_risk_usd)} at risk" if task.at_risk_usd else ""
        yield f"{task.id}  {task.status}  {usd(task.cost_usd or 0)}{risk}"
        for sent in task.submissions:
            run = f"  run {sent.run_id}" if sent.run_id else ""
            told = f"  {clean(sent.error)}: {clean(sent.message or '')}" if sent.error else ""
            yield f"  {_moment(sent.sent_at)}  {sent.outcome}  {usd(sent.cost_usd or 0)}{run}{told}"


def forecast_lines(forecast: Forecast) -> Iterator[str]:
    """What a command would order, keep, cost and take."""
    yield f"now:     {calls_line(forecast.now)}, {usd(forecast.reserved_usd)} reserved"
    yield f"to end:  {calls_line(forecast.to_end)}"
    if forecast.cached:
        yield f"cached:  {reused(forecast.cached, forecast.saved_usd)}"
    if forecast.kept:
        yield f"kept:    {', '.join(forecast.kept)}"
    if forecast.abandoned:
        yield f"dropped: {len(forecast.abandoned)} tasks under way"


def command_line(result: CommandResult) -> str:
    """Where a session stands after a command."""
    told = waits_for(result.waiting_reason) if result.status == "WAITING" else f"is {result.status}"
    return f"{result.id} {told}." if result.changed else f"There was nothing to do: {result.id} {told}."


def foreseen_lines(foreseen: DryRun, name: str) -> Iterator[str]:
    """What a command would do."""
    yield f"A dry run, nothing was done: {name} would lead to {foreseen.status}."
    yield from (f"  {line}" for line in forecast_lines(foreseen.forecast))
