"""The two accounts of a report: what was spent by phase and provider, and when what was done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ekiden_gateway.models.wire import usd
from ekiden_gateway.page.languages import Words
from ekiden_gateway.page.report.markdown import inline, table

Document = Mapping[str, Any]
BAR = 24
"""Characters in which the whole time stands."""


@dataclass(frozen=True, slots=True)
class Span:
    """Something that was done, and from when to when."""

    what: str
    begun: datetime
    ended: datetime


def cost(ledger: Sequence[Document], phases: Mapping[int, str], t: Words) -> Iterator[str]:
    """A row for each phase, a column for each provider: calls that were sent, and what they cost."""
    providers = sorted({row["provider"] for row in ledger})
    if not providers:
        return
    yield from (f"## {t('money.title')}", "")
    rows = [
        (f"{number}. {name}", [row for row in ledger if row["phase"] == number]) for number, name in phases.items()
    ] + [(f"**{t('report.total')}**", list(ledger))]
    head = [t("report.phase"), *map(inline, providers), t("report.total")]
    yield from table(head, [[name, *_cells(of_row, providers, t)] for name, of_row in rows if of_row], right=1)


def time_line(spans: Sequence[Span], t: Words) -> Iterator[str]:
    """A row for each step: when it began, how long it took, and both to scale."""
    if not spans:
        return
    first, last = min(span.begun for span in spans), max(span.ended for span in spans)
    whole = max((last - first).total_seconds(), 0.001)
    rows: list[list[str]] = []
    for span in spans:
        begin, took = (span.begun - first).total_seconds(), (span.ended - span.begun).total_seconds()
        at = min(BAR - 1, round(begin / whole * BAR))
        length = max(1, min(BAR - at, round(took / whole * BAR)))
        bar = f"`{'·' * at}{'█' * length}{'·' * (BAR - at - length)}`"
        rows.append([span.what, bar, t.seconds(max(0.0, begin)), t.seconds(max(0.0, took))])
    yield from (f"## {t('time.title')}", "")
    yield from table([t("report.step"), "", t("report.began"), t("task.took")], rows, right=2)


def _cells(rows: Sequence[Document], providers: Sequence[str], t: Words) -> Iterator[str]:
    for provider in providers:
        found = [row for row in rows if row["provider"] == provider]
        sent = sum(1 for row in found for one in row["submissions"] if one["outcome"] != "not_sent")
        yield f"{t.count('relay.calls', sent)}, {_sum(found, t)}" if found else t("value.none")
    yield _sum(rows, t)


def _sum(rows: Sequence[Document], t: Words) -> str:
    return t.money(usd(sum(row.get("billed", 0) for row in rows)))
