"""Schedules as a person reads them."""

from collections.abc import Iterator

from ekiden_cli.moments import minute, second
from ekiden_cli.session_lines import calls_line
from ekiden_cli.wording import usd
from ekiden_cli.wrap import clean
from ekiden_client import Preview, Run, Schedule, Scheduler, ScheduleSummary
from ekiden_client.models.schedules import RunSummary

_WHY = {
    "overlap": "the session before still ran",
    "budget": "the month's budget is used up",
    "paused": "it was paused",
    "catch_up": "too late to be caught up",
}


def schedule_line(found: ScheduleSummary) -> Iterator[str]:
    """A schedule in a list: one line, and one for what came of its last tick."""
    following, when = minute(found.next_at, never="never"), f"{clean(found.cron)} {clean(found.time_zone)}"
    yield f"{found.id}  {found.status:<6}  next {following}  {when}  {clean(found.name)}"
    if found.last_run:
        yield f"  last {_became(found.last_run)}"


def schedule_lines(found: Schedule) -> Iterator[str]:
    """A schedule in `name: value` lines."""
    yield f"Schedule:  {found.id}"
    yield f"Name:      {clean(found.name)}"
    paused = f" since {second(found.paused_at)}: {clean(found.pause_reason or '')}" if found.paused_at else ""
    yield f"Status:    {found.status}{paused}"
    yield f"When:      {clean(found.cron)} {clean(found.time_zone)}, {clean(found.explained)}"
    yield f"Next:      {second(found.next_at, never='never')}"
    late = f"a late tick has its turn for {found.catch_up_seconds} s"
    yield f"Policy:    {found.overlap} while a session runs; {late}"
    yield f"Begins:    {found.workflow}, at most {usd(found.session_budget_usd)} each"
    if found.month:
        bound = f" of {usd(found.month.budget_usd)}" if found.month.budget_usd is not None else ", without a budget"
        yield f"Month:     {usd(found.month.spent_usd)} spent, {usd(found.month.committed_usd)} with what runs{bound}"
    if found.last_run:
        yield f"Last:      {_became(found.last_run)}"
    yield from (f"Running:   {session}" for session in found.running)
    yield from scheduler_lines(found.scheduler)


def preview_lines(preview: Preview) -> Iterator[str]:
    """The next ticks, and what they may cost."""
    yield f"{clean(preview.explained)} ({clean(preview.time_zone)})"
    for tick in preview.ticks:
        yield f"  {tick.local:%Y-%m-%d %H:%M %z}  {tick.at:%Y-%m-%d %H:%M} UTC"
    forecast = preview.forecast
    yield f"Each:      {calls_line(forecast.per_run)}"
    month, expected = forecast.month, forecast.month.expected_usd
    about = f", about {usd(expected)}" if expected is not None else ""
    yield f"30 days:   {month.runs} sessions, at most {usd(month.at_most_usd)}{about}"
    yield from scheduler_lines(preview.scheduler)


def run_line(run: Run) -> Iterator[str]:
    """What became of a tick: one line."""
    hand = "  by hand" if run.by_hand else ""
    many = f"  {run.ticks} ticks until {minute(run.last_at)}" if run.last_at else ""
    cost = f"  {usd(run.spent_usd)}" if run.spent_usd is not None else ""
    status = f"  {run.session_status}" if run.session_status else ""
    yield f"{_became(run)}{hand}{many}{status}{cost}"


def scheduler_lines(scheduler: Scheduler) -> Iterator[str]:
    """Says that nothing begins by the clock, if that is so."""
    if not scheduler.on:
        yield f"Scheduler: {clean(scheduler.message)}"


def _became(run: RunSummary) -> str:
    why = f" ({_WHY.get(run.reason, run.reason)})" if run.reason else ""
    session = f"  {run.session_id}" if run.session_id else ""
    return f"{minute(run.at)}  {run.outcome}{why}{session}"
