"""What a session cost: calls, tokens, money and time, by provider."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from ekiden_cli.relay_view import LONGEST_LINE
from ekiden_cli.wording import seconds, usd
from ekiden_client import SessionStatus, Task

_NAMES = {"GPT_COMPLETION": "GPT", "PERPLEXITY_SEARCH": "Perplexity"}
SIMULATED = "Simulated: no provider was asked, nothing was bought, nothing is true."


@dataclass(frozen=True)
class Line:
    """The calls of one provider, as the ledger booked them."""

    provider: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


@dataclass(frozen=True)
class Receipt:
    lines: tuple[Line, ...]
    spent_usd: float
    saved_usd: float
    budget_usd: float
    seconds: float | None
    simulated: bool

    def document(self) -> dict[str, object]:
        providers = [
            {
                "provider": line.provider,
                "calls": line.calls,
                "inputTokens": line.input_tokens,
                "outputTokens": line.output_tokens,
                "costUsd": line.cost_usd,
            }
            for line in self.lines
        ]
        return {
            "providers": providers,
            "spentUsd": self.spent_usd,
            "savedUsd": self.saved_usd,
            "budgetUsd": self.budget_usd,
            "seconds": self.seconds,
            "simulated": self.simulated,
        }


def make_receipt(status: SessionStatus, tasks: Iterable[Task]) -> Receipt:
    known = list(tasks)
    session = status.session
    took = None
    if session.started_at and session.ended_at:
        took = (session.ended_at - session.started_at).total_seconds()
    lines = [_line(kind, [task for task in known if task.type == kind]) for kind in _NAMES]
    return Receipt(
        lines=tuple(line for line in lines if line.calls),
        spent_usd=status.cost.spent_usd,
        saved_usd=status.cost.saved_usd,
        budget_usd=status.cost.budget_usd,
        seconds=took,
        simulated=status.simulated or any(task.simulated for task in known),
    )


def _line(kind: str, tasks: list[Task]) -> Line:
    submissions = [submission for task in tasks for submission in task.submissions]
    return Line(
        provider=_NAMES[kind],
        calls=len(submissions),
        input_tokens=sum(submission.input_tokens or 0 for submission in submissions),
        output_tokens=sum(submission.output_tokens or 0 for submission in submissions),
        cost_usd=sum(submission.cost_usd or 0.0 for submission in submissions),
    )


def draw_receipt(receipt: Receipt, *, terminal_width: int) -> Group:
    """The receipt for a terminal."""
    width = min(terminal_width, LONGEST_LINE) - 1
    rows = [Text.assemble("  ", (" $ ", "bold white on red"), " ", ("─" * (width - 7), "bright_black"))]
    rows += [Text("  " + line) for line in table(receipt)]
    rows.append(Text.assemble("  ", (summary(receipt), "bold")))
    if receipt.simulated:
        note = Text(f" {SIMULATED} ", style="bold black on yellow")
        rows += [Text(), Text.assemble("  ", note) if cell_len(note.plain) < width else note]
    return Group(*rows, Text())


def table(receipt: Receipt) -> list[str]:
    """One line per provider."""
    return [
        f"{line.provider:<11}{line.calls:>3} {'calls' if line.calls != 1 else 'call '}"
        f"{line.input_tokens:>10,} tokens in{line.output_tokens:>9,} out{usd(line.cost_usd):>10}"
        for line in receipt.lines
    ]


def summary(receipt: Receipt) -> str:
    parts = [f"{usd(receipt.spent_usd)} spent of {usd(receipt.budget_usd)}"]
    if receipt.saved_usd:
        parts.append(f"{usd(receipt.saved_usd)} saved")
    if receipt.seconds is not None:
        parts.append(f"in {seconds(receipt.seconds)}")
    return ", ".join(parts)
