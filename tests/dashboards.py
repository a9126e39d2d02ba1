"""The dashboards, read as Grafana reads them, and their expressions as Prometheus is asked them."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ekiden.metrics import TABLE

GRAFANA = Path(__file__).parents[1] / "deploy" / "grafana"
Json = dict[str, Any]
BOARDS: dict[str, Json] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((GRAFANA / "dashboards").glob("*.json"))
}

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_NO_METRICS = re.compile(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?![\w:]*\s*\()")
_KEYWORDS = {
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "or",
    "and",
    "unless",
    "bool",
    "offset",
    "Inf",
    "NaN",
}


@dataclass(frozen=True)
class Expression:
    """One query of one panel."""

    board: str
    panel: str
    text: str
    legend: str = ""

    def __str__(self) -> str:
        return f"{self.board}: {self.panel}: {self.text}"


@dataclass(frozen=True)
class Window:
    """What a dashboard shows, in seconds since 1970, and over how many seconds it takes a rate."""

    start: float
    end: float
    rate_seconds: int

    def fill(self, text: str) -> str:
        """Put Grafana's variables in."""
        variables = {
            "$__rate_interval": f"{self.rate_seconds}s",
            "$__interval": "1s",
            "$__range": f"{math.ceil(self.end - self.start)}s",
        }
        for name, value in variables.items():
            text = text.replace(name, value)
        assert "$" not in text, f"a variable that is not known here: {text}"
        return text


def panels(board: Json) -> list[Json]:
    """All panels but the rows, which have nothing but a title."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[Expression]:
    """All queries of all panels of all boards."""
    for name, board in BOARDS.items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield Expression(name, panel["title"], target["expr"], target.get("legendFormat", ""))


def annotations() -> Iterator[Expression]:
    """What is marked on all panels of a board."""
    for name, board in BOARDS.items():
        for mark in board["annotations"]["list"]:
            yield Expression(name, f"mark {mark['name']}", mark["expr"], mark["titleFormat"])


def metrics_in(expression: str) -> set[str]:
    """The names of the series that a PromQL expression asks for."""
    bare = _NO_METRICS.sub(" ", _QUOTED.sub('""', expression))
    return set(_NAME.findall(bare)) - _KEYWORDS


def series_names(metric: str, kind: str) -> set[str]:
    """What Prometheus knows a metric by."""
    return {f"{metric}{part}" for part in ("_bucket", "_sum", "_count")} if kind == "histogram" else {metric}


OURS: dict[str, str] = {
    series: metric.name for metric in TABLE.metrics for series in series_names(metric.name, metric.kind)
}
"""Each series that is exported by our services, with the name of its metric."""


async def values(prometheus: httpx.AsyncClient, expression: str, window: Window) -> list[list[float]]:
    """The values of each series that has any, second by second, as a panel draws them."""
    asked = {"query": window.fill(expression), "start": window.start, "end": window.end, "step": 1}
    answer = (await prometheus.post("/api/v1/query_range", data=asked)).json()
    assert answer["status"] == "success", f"{expression}: {answer}"
    found = [[float(value) for _, value in series["values"]] for series in answer["data"]["result"]]
    known = [[value for value in series if not math.isnan(value)] for series in found]
    return [series for series in known if series]
