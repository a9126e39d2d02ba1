"""What a person reads of statuses, events and reasons. One word for one thing."""

from collections.abc import Mapping

from ekiden_client import Entry, Event, SessionState

_EVENTS: Mapping[str, str] = {
    "SessionCreated": "created",
    "SessionStarted": "started",
    "StepStarted": "{step} begins",
    "StepCompleted": "{step} done",
    "PhaseCompleted": "phase {phase} done",
    "SessionCompleted": "session completed",
    "SessionFailed": "session failed",
    "SessionCancelled": "session cancelled",
    "SessionPaused": "paused",
    "SessionResumed": "goes on",
    "GateReached": "stops at a gate before {step}",
    "GatePassed": "gate passed",
    "BudgetReached": "stops before {step}: the budget is used up",
    "BudgetRaised": "budget raised",
    "RetryScheduled": "{step} failed, will be tried again",
    "StepRetried": "tried again",
    "PhaseRestarted": "phase {phase} starts over",
    "PromptShortened": "{step} was too long for the model and is shortened",
    "StepFellBack": "{step} failed, somebody else is asked",
    "OutcomeUnknown": "nobody knows whether a call was bought",
    "OutcomeResolved": "the unknown outcome is resolved",
    "TaskResent": "a call is sent again",
    "SessionRestored": "restored from a backup: it asks before it buys",
    "SessionTrusted": "buys by itself again",
}
_SILENT = frozenset({"CostSettled"})
"""What moves money only; the status shows it."""
_ONCE: Mapping[str, frozenset[str]] = {"PhaseCompleted": frozenset({"StepCompleted"})}

REASONS: Mapping[str, str] = {
    "approval": "waits for your approval",
    "budget": "waits for a higher budget",
    "outcome_unknown": "waits for your decision: nobody knows whether a call was bought",
    "paused": "is paused",
    "retry": "waits for its next try",
}


def sentence_of(entry: Entry) -> str:
    """One transition in one line; empty when it says nothing to a person."""
    told = [event for event in entry.events if event.type not in _SILENT]
    types = {event.type for event in told}
    hidden = {minor for major, minors in _ONCE.items() if major in types for minor in minors}
    return ", ".join(_words(event) for event in told if event.type not in hidden)


def waits_for(reason: str | None) -> str:
    """What a waiting session waits for."""
    return REASONS.get(reason or "", f"waits ({reason})")


def way_on(session: SessionState) -> list[str]:
    """The commands that end a wait or mend a failure."""
    name = session.id
    ways = {
        "approval": [f"ekiden sessions continue {name}", f"ekiden sessions gate {name}"],
        "budget": [f"ekiden sessions continue {name} --budget USD"],
        "outcome_unknown": [f"ekiden sessions recover {name}"],
        "paused": [f"ekiden sessions resume {name}"],
    }
    if session.status == "FAILED":
        return [f"ekiden sessions recover {name}"]
    return ways.get(session.waiting_reason or "", [])


def usd(amount: float) -> str:
    """Money: cents for large sums, more digits for the small ones that calls cost."""
    digits = 2 if amount == 0 or amount >= 1 else 4 if amount >= 0.0001 else 6
    return f"${amount:.{digits}f}"


def seconds(span: float) -> str:
    """A duration, as exact as it is interesting."""
    if span < 60:
        return f"{span:.1f} s"
    minutes, rest = divmod(round(span), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _words(event: Event) -> str:
    pattern = _EVENTS.get(event.type)
    if pattern is None:
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in event.type).strip()
    else:
        words = pattern.format(phase=event.phase, step=event.step)
    return f"{words} ({event.detail})" if event.detail else words
