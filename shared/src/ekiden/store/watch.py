"""How long the database takes for each kind of command.

On the way of every command: the driver makes two events of each, 5 µs in all, and this adds 1.5. The histogram of a
command is kept at hand, because looking it up by its label would take three times as long as to observe.
"""

from prometheus_client import Histogram
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from ekiden.metrics import MONGODB_FAILURES, MONGODB_SECONDS


class CommandWatch(CommandListener):
    """Called by the driver, in the event loop, around each command; must not block."""

    def __init__(self) -> None:
        self._seconds: dict[str, Histogram] = {}

    def started(self, event: CommandStartedEvent) -> None:
        """Nothing to do: the driver takes the time."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._observe(event.command_name, event.duration_micros)

    def failed(self, event: CommandFailedEvent) -> None:
        self._observe(event.command_name, event.duration_micros)
        MONGODB_FAILURES.labels(command=event.command_name).inc()

    def _observe(self, command: str, micros: int) -> None:
        seconds = self._seconds.get(command)
        if seconds is None:
            seconds = self._seconds[command] = MONGODB_SECONDS.labels(command=command)
        seconds.observe(micros / 1_000_000)
