"""The view of a session for programs: one transition, one line of JSON."""

from ekiden_cli.terminal import as_json
from ekiden_client import Entry, SessionStatus


class JsonView:
    def show_entry(self, entry: Entry) -> None:
        print(as_json(entry.raw), flush=True)

    def show_away(self, seconds: float | None) -> None:
        """Not a transition."""

    def show_status(self, status: SessionStatus) -> None:
        """Not a transition."""
