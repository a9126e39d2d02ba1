"""The script of faults: which are armed, and which one strikes the request at hand."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ekiden_simulator.chance import fraction
from ekiden_simulator.faults import Delay, Fault
from ekiden_simulator.provider import Operation, Provider


@dataclass(slots=True)
class Armed:
    """A scripted fault and what has become of it."""

    number: int
    fault: Fault
    hits: int = 0
    sightings: Counter[str] = field(default_factory=Counter[str])

    @property
    def used_up(self) -> bool:
        """Whether it has struck as often as it was asked to."""
        return self.fault.times is not None and self.hits >= self.fault.times

    def to_json(self) -> dict[str, object]:
        """Return the fault as it was scripted, its number, and how often it struck."""
        scripted = self.fault.model_dump(mode="json", by_alias=True)
        return {"id": self.number, **scripted, "hits": self.hits, "usedUp": self.used_up}


@dataclass(frozen=True, slots=True)
class Strike:
    """What happens to one request: a wait in real seconds, and at most one fault beside it."""

    delay_seconds: float = 0.0
    fault: Fault | None = None
    provider: Provider | None = None
    armed: tuple[Armed, ...] = ()
    """Everything that struck: what is counted, and given back when the request is refused before it can happen."""


_NOTHING = Strike()


class FaultScript:
    """All scripted faults, in the order given. The first that fits strikes; delays add up and stop nothing."""

    def __init__(self, seed: int, faults: Iterable[Fault] = ()) -> None:
        self._seed = seed
        self._armed: list[Armed] = []
        self._last_number = 0
        self._struck: Counter[tuple[Provider, str]] = Counter()
        self.add(faults)

    def add(self, faults: Iterable[Fault]) -> list[Armed]:
        """Arm more faults, behind those already there."""
        added: list[Armed] = []
        for fault in faults:
            self._last_number += 1
            added.append(Armed(self._last_number, fault))
        self._armed += added
        return added

    def clear(self) -> None:
        """Disarm every fault. Numbers start again, so that the same script draws the same chances."""
        self._armed.clear()
        self._last_number = 0

    def forget(self) -> None:
        """Disarm every fault, and forget how many have struck."""
        self.clear()
        self._struck.clear()

    def strike(self, provider: Provider, operation: Operation, task_id: str | None) -> Strike:
        """Decide what happens to a request, and count it. Chance depends on the task and its repeats, not on order."""
        if not self._armed:
            return _NOTHING
        delay, struck = 0.0, list[Armed]()
        for armed in self._armed:
            if armed.used_up or not armed.fault.fits(provider, operation, task_id):
                continue
            if not self._chance(armed, operation, task_id):
                continue
            armed.hits += 1
            self._struck[provider, armed.fault.kind] += 1
            struck.append(armed)
            if not isinstance(armed.fault, Delay):
                return Strike(delay, armed.fault, provider, tuple(struck))
            delay += armed.fault.seconds
        return Strike(delay, None, provider, tuple(struck))

    def take_back(self, strike: Strike) -> None:
        """Uncount a strike that did not happen, because the provider's own limit refused the request first."""
        for armed in strike.armed:
            armed.hits -= 1
            if strike.provider is not None:
                self._struck[strike.provider, armed.fault.kind] -= 1

    def struck(self) -> dict[str, dict[str, int]]:
        """Return how many faults of each kind really struck each provider, also those that were cleared since."""
        counts: dict[str, dict[str, int]] = {provider.value: {} for provider in Provider}
        for (provider, kind), count in sorted(self._struck.items()):
            if count:
                counts[provider.value][kind] = count
        return counts

    def to_json(self) -> list[dict[str, object]]:
        """Return every fault, used up or not."""
        return [armed.to_json() for armed in self._armed]

    def _chance(self, armed: Armed, operation: Operation, task_id: str | None) -> bool:
        if armed.fault.probability >= 1:
            return True
        sighting = f"{operation.value} {task_id}"
        armed.sightings[sighting] += 1
        drawn = fraction(self._seed, "fault", str(armed.number), sighting, str(armed.sightings[sighting]))
        return drawn < armed.fault.probability
