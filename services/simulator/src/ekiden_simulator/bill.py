"""The bill: every call the provider would charge for, entered when it is accepted and before anything is answered."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from ekiden_simulator.provider import Provider


class Outcome(StrEnum):
    """How an accepted call ended. Whether its reply reached anyone is another matter: `replyLost`."""

    RUNNING = "running"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Entry:
    """One accepted call. Its cost is known at acceptance; a run that is cancelled or fails is charged only in part."""

    provider: Provider
    task_id: str | None
    attempt: str | None
    run_id: str
    model: str
    cost_usd: float
    accepted_at: datetime
    outcome: Outcome = Outcome.RUNNING
    reply_lost: bool = False

    def to_json(self) -> dict[str, object]:
        """Return the entry as `GET /bill` shows it; `attempt` only when the request named one."""
        entry: dict[str, object] = {
            "taskId": self.task_id,
            "provider": self.provider.value,
            "acceptedAt": self.accepted_at.isoformat().replace("+00:00", "Z"),
            "costUsd": self.cost_usd,
            "runId": self.run_id,
            "outcome": self.outcome.value,
            "replyLost": self.reply_lost,
            "model": self.model,
        }
        return entry if self.attempt is None else {**entry, "attempt": self.attempt}


class Bill:
    """All entries in order of acceptance, in memory only."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def book(
        self,
        provider: Provider,
        *,
        task_id: str | None,
        run_id: str,
        model: str,
        cost_usd: float,
        attempt: str | None = None,
    ) -> Entry:
        """Enter a call that was just accepted, and return its entry, whose outcome its owner keeps up to date."""
        entry = Entry(provider, task_id, attempt, run_id, model, cost_usd, datetime.now(UTC))
        self.entries.append(entry)
        return entry

    def clear(self) -> None:
        """Forget every entry."""
        self.entries.clear()

    def to_json(self) -> dict[str, object]:
        """Return `{calls, totals}`; totals in all and by provider."""
        by_provider = {
            provider.value: _total([entry for entry in self.entries if entry.provider is provider])
            for provider in Provider
        }
        return {
            "calls": [entry.to_json() for entry in self.entries],
            "totals": {**_total(self.entries), "byProvider": by_provider},
        }


def _total(entries: list[Entry]) -> dict[str, object]:
    return {"calls": len(entries), "costUsd": round(sum(entry.cost_usd for entry in entries), 8)}
