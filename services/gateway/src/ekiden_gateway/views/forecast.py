"""Forecasts and the doctor's findings, with the routes that help."""

from ekiden.domain.decider import situation
from ekiden.domain.diagnosis import Diagnosis
from ekiden.domain.forecast import Calls, Forecast
from ekiden.domain.progress import Decision, Verdict
from ekiden.domain.remedies import Action, Verb
from ekiden.domain.session import Session
from ekiden.domain.told import Told, told
from ekiden_gateway.models import forecast as model
from ekiden_gateway.models.health import AvailableAction, EvidenceAnswer, Health, HealthAnswer
from ekiden_gateway.models.sessions import DryRunAnswer, NextAction
from ekiden_gateway.models.wire import usd
from ekiden_gateway.views.session import session_url

ROUTES = {
    Verb.START: ("POST", "process-async"),
    Verb.CONTINUE: ("POST", "continue-async"),
    Verb.RETRY: ("POST", "recover"),
    Verb.RESTART_PHASE: ("POST", "recover"),
    Verb.RESTART_SESSION: ("POST", "recover"),
    Verb.RESOLVE: ("POST", "recover"),
    Verb.PAUSE: ("POST", "pause"),
    Verb.RESUME: ("POST", "resume"),
    Verb.CANCEL: ("POST", "cancel"),
    Verb.DRAFTS: ("GET", "drafts"),
}
"""Where each verb is said; `wait` is said nowhere."""


def calls(found: Calls) -> model.CallsAnswer:
    return model.CallsAnswer(
        calls={provider.value: count for provider, count in found.calls.items()},
        at_most_usd=usd(found.at_most),
        seconds=found.seconds,
    )


def forecast(found: Forecast) -> model.ForecastAnswer:
    return model.ForecastAnswer(
        tasks=list(found.tasks),
        abandoned=list(found.abandoned),
        kept=list(found.kept),
        reserved_usd=usd(found.reserved),
        seconds=found.now.seconds,
        cached=found.cached,
        saved_usd=usd(found.saved),
        now=calls(found.now),
        to_end=calls(found.to_end),
    )


def dry_run(decision: Decision, found: Forecast) -> DryRunAnswer:
    after = decision.session
    return DryRunAnswer(
        session_id=after.id,
        would_change=decision.verdict is Verdict.MOVED,
        status=after.status,
        waiting_reason=after.waiting_reason,
        phase=after.position.phase if after.position else None,
        step=after.position.step if after.position else None,
        forecast=forecast(found),
    )


def health(session: Session, diagnosis: Diagnosis) -> HealthAnswer:
    return HealthAnswer(
        session_id=session.id,
        health=Health(
            is_healthy=diagnosis.is_healthy,
            summary=diagnosis.summary,
            issues=list(diagnosis.issues),
            recommendations=list(diagnosis.recommendations),
            evidence=[
                EvidenceAnswer(about=item.about, subject=item.subject, says=item.says) for item in diagnosis.evidence
            ],
            at_risk_usd=usd(diagnosis.at_risk),
        ),
        available_actions=[available(session, action) for action in diagnosis.actions],
    )


def available(session: Session, action: Action) -> AvailableAction:
    method, url = route(session, action.verb)
    shown = forecast(action.forecast) if action.forecast else None
    return AvailableAction(
        action=action.verb.value, description=action.description, method=method, url=url, forecast=shown
    )


def next_action(session: Session, diagnosis: Diagnosis) -> NextAction:
    verb = diagnosis.next_verb
    return NextAction(action=verb.value, message=diagnosis.summary, url=route(session, verb)[1])


def route(session: Session, verb: Verb) -> tuple[str | None, str | None]:
    method, last = ROUTES.get(verb, (None, None))
    return method, f"{session_url(session.id)}/{last}" if last else None


def conflict(session: Session, why: str, diagnosis: Diagnosis) -> tuple[Told, dict[str, object]]:
    """The sentence and the members of a 409: the state, and what would work."""
    ways = [available(session, action) for action in diagnosis.actions if action.verb in ROUTES]
    way = {"method": ways[0].method, "url": ways[0].url, "action": ways[0].action} if ways else {}
    helps = told(" What helps: {method} {url} ({action}).", **way) if ways else ""
    members: dict[str, object] = {
        "sessionStatus": session.status,
        "waitingReason": session.waiting_reason,
        "whatWorks": [
            way.model_dump(by_alias=True, include={"action", "method", "url", "description"}) for way in ways
        ],
    }
    detail = told(
        "The session is {here}: {why}. {summary}{helps}",
        here=told(situation(session)),
        why=why,
        summary=diagnosis.summary,
        helps=helps,
    )
    return detail, members
