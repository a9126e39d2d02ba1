"""A schedule as its owner sees it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ekiden.domain.forecast import Calls
from ekiden.domain.ids import Micros, SessionId
from ekiden.domain.schedule import Outcome, Run, Schedule
from ekiden.domain.session import Session
from ekiden.store.schedule_document import read_run
from ekiden.store.schedule_runs import Account
from ekiden_gateway.models import schedule_runs as runs_model
from ekiden_gateway.models import schedules as model
from ekiden_gateway.models.wire import usd
from ekiden_gateway.views import forecast as forecasts
from ekiden_gateway.views.session import session_url

BASE = "/api/schedules"
SEEN_SECONDS = 30.0
"""A scheduler says every two seconds that it is at work; one that was not heard of for so long is not."""
ON = "Schedules fire by the clock."
OFF = (
    "The scheduler is off: nothing begins by the clock. When an orchestrator is started with EKIDEN_SCHEDULER=on, what "
    "is due has its turn, within the catch-up window, and what the clock has queued begins. `fire` works, and what it "
    "queues begins when the session that runs is over."
)


def schedule_url(schedule_id: str) -> str:
    return f"{BASE}/{schedule_id}"


def state(schedule: Schedule) -> str:
    """Names what people have made of it, and not what became of its ticks: those overwrite nobody's change."""
    changed = schedule.updated_at or schedule.created_at
    return f"{schedule.revision}-{int(changed.timestamp() * 1000)}"


def scheduler(last_beat: datetime | None, now: datetime) -> model.SchedulerAnswer:
    on = last_beat is not None and (now - last_beat).total_seconds() < SEEN_SECONDS
    return model.SchedulerAnswer(on=on, last_seen_at=last_beat, message=ON if on else OFF)


def summary(schedule: Schedule) -> model.ScheduleSummary:
    return model.ScheduleSummary.model_validate(_summary(schedule))


def whole(
    schedule: Schedule, account: Account, running: Sequence[SessionId], now: datetime, clock: model.SchedulerAnswer
) -> model.ScheduleAnswer:
    month = model.MonthAnswer(
        began_at=schedule.cron.month_of(now),
        sessions=account.sessions,
        spent_usd=usd(account.spent),
        committed_usd=usd(account.committed),
        budget_usd=_usd(schedule.budget),
    )
    more = {"session": dict(schedule.asked), "running": list(running), "month": month, "scheduler": clock}
    return model.ScheduleAnswer.model_validate(_summary(schedule) | more)


def fired(schedule: Schedule, run: Run, clock: model.SchedulerAnswer) -> runs_model.FiredAnswer:
    session_id = _session_id(schedule, run)
    return runs_model.FiredAnswer(
        schedule_id=schedule.id,
        run_id=schedule.run_id(run),
        at=run.at,
        outcome=run.outcome,
        session_id=session_id,
        url=session_url(session_id) if session_id else None,
        scheduler=clock,
    )


def run(document: Mapping[str, Any], session: Session | None) -> runs_model.RunAnswer:
    """A run as it is on record, with how its session stands now."""
    found = read_run(document)
    session_id: str | None = document["sessionId"]
    return runs_model.RunAnswer(
        run_id=document["_id"],
        at=found.at,
        last_at=found.last_at,
        ticks=found.ticks,
        outcome=found.outcome,
        reason=found.reason,
        by_hand=found.order is not None,
        decided_at=document["decidedAt"],
        session_id=session_id,
        session_status=session.status if session else None,
        spent_usd=usd(session.money.spent) if session else None,
        url=session_url(session_id) if session_id else None,
    )


def preview(
    schedule: Schedule,
    ticks: Sequence[datetime],
    runs: int,
    calls: Calls,
    account: Account,
    clock: model.SchedulerAnswer,
) -> runs_model.PreviewAnswer:
    average = account.completed_cost / account.completed if account.completed else None
    most = runs * min(calls.at_most, schedule.price)
    month = runs_model.MonthForecast(
        runs=runs,
        at_most_usd=usd(_bounded(most, schedule)),
        expected_usd=usd(_bounded(round(runs * average), schedule)) if average is not None else None,
    )
    forecast = runs_model.ScheduleForecast(
        per_run=forecasts.calls(calls), average_usd=usd(round(average)) if average is not None else None, month=month
    )
    return runs_model.PreviewAnswer(
        schedule_id=schedule.id,
        time_zone=schedule.cron.zone,
        explained=schedule.cron.explained(),
        ticks=[runs_model.TickAnswer(at=at, local=schedule.cron.local(at)) for at in ticks],
        forecast=forecast,
        scheduler=clock,
    )


def _summary(schedule: Schedule) -> dict[str, object]:
    last, next_at = schedule.last_run, schedule.next_at
    return {
        "schedule_id": schedule.id,
        "name": schedule.name,
        "status": "active" if schedule.paused_at is None else "paused",
        "cron": schedule.cron.expression,
        "explained": schedule.cron.explained(),
        "time_zone": schedule.cron.zone,
        "overlap": schedule.overlap,
        "catch_up_seconds": schedule.catch_up // timedelta(seconds=1),
        "budget_usd": _usd(schedule.budget),
        "session_budget_usd": usd(schedule.price),
        "workflow": schedule.session.workflow,
        "next_at": next_at,
        "next_local": schedule.cron.local(next_at) if next_at else None,
        "queued_at": schedule.queued.at if schedule.queued else None,
        "last_run": _last(schedule, last) if last else None,
        "paused_at": schedule.paused_at,
        "pause_reason": schedule.pause_reason or None,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
        "url": schedule_url(schedule.id),
    }


def _last(schedule: Schedule, run: Run) -> model.RunSummary:
    return model.RunSummary(
        at=run.last_at or run.at, outcome=run.outcome, reason=run.reason, session_id=_session_id(schedule, run)
    )


def _session_id(schedule: Schedule, run: Run) -> str | None:
    return schedule.session_id(run) if run.outcome is Outcome.FIRED else None


def _bounded(amount: int, schedule: Schedule) -> int:
    return amount if schedule.budget is None else min(amount, schedule.budget)


def _usd(amount: Micros | None) -> float | None:
    return usd(amount) if amount is not None else None
