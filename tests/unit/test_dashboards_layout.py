"""The dashboards' JSON is what Grafana takes as it is: provisioned, without overlaps, and readable at night."""

import re
from collections import Counter
from itertools import combinations

import pytest
import yaml

from tests.dashboards import BOARDS, GRAFANA, Json, panels

SCRAPED = yaml.safe_load((GRAFANA.parent / "prometheus" / "prometheus.yml").read_text("utf-8"))
DOCS = GRAFANA.parents[1] / "docs"
WIDTH = 24
KINDS = {"row", "stat", "timeseries", "bargauge", "heatmap", "state-timeline"}
ALL = {f"{name}: {panel['title']}": panel for name, board in BOARDS.items() for panel in panels(board)}
PANELS = [pytest.param(panel, id=name) for name, panel in ALL.items()]
FIGURES = [pytest.param(panel, id=name) for name, panel in ALL.items() if panel["type"] == "stat"]
EACH = pytest.mark.parametrize("board", [pytest.param(board, id=name) for name, board in BOARDS.items()])


def provisioned(kind: str) -> list[Json]:
    [path] = (GRAFANA / "provisioning" / kind).glob("*.yml")
    found = yaml.safe_load(path.read_text("utf-8"))
    return found["datasources" if kind == "datasources" else "providers"]


def test_the_boards_are_those_that_were_asked_for_under_ids_that_stay() -> None:
    assert {name: board["uid"] for name, board in BOARDS.items()} == {
        "broker-and-database": "ekiden-broker",
        "sessions": "ekiden-sessions",
        "workers-and-providers": "ekiden-workers",
    }


def test_the_one_data_source_is_prometheus_and_as_fast_as_it_is_scraped() -> None:
    [source] = provisioned("datasources")

    assert (source["uid"], source["type"]) == ("ekiden-prometheus", "prometheus")
    assert source["jsonData"]["timeInterval"] == SCRAPED["global"]["scrape_interval"]


def test_the_boards_are_read_from_where_they_are_mounted_and_only_changed_in_git() -> None:
    [provider] = provisioned("dashboards")

    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    assert provider["allowUiUpdates"] is False
    assert not any(board["editable"] for board in BOARDS.values())


@EACH
def test_a_board_begins_with_whether_all_is_well(board: Json) -> None:
    first, *rest = board["panels"]
    answers = rest[: next(n for n, panel in enumerate(rest) if panel["type"] == "row")]

    assert (first["type"], first["title"]) == ("row", "Is all well?")
    assert {panel["type"] for panel in answers} == {"stat"}
    assert len({panel["gridPos"]["y"] for panel in answers}) == 1, "one line says it all"


@EACH
def test_a_board_leads_to_the_others_and_marks_alerts_and_starts(board: Json) -> None:
    [link] = board["links"]

    assert board["tags"] == link["tags"] == ["ekiden"]
    assert [mark["name"] for mark in board["annotations"]["list"]] == ["Alerts", "Starts"]
    assert {mark["datasource"]["uid"] for mark in board["annotations"]["list"]} == {"ekiden-prometheus"}


@EACH
def test_ids_and_titles_of_panels_are_unique(board: Json) -> None:
    assert max(Counter(panel["id"] for panel in board["panels"]).values()) == 1
    assert max(Counter(panel["title"] for panel in board["panels"]).values()) == 1


@EACH
def test_panels_stand_on_the_grid_and_none_covers_another(board: Json) -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in board["panels"]]
    for title, at in places:
        assert at["w"] > 0, title
        assert at["h"] > 0, title
        assert 0 <= at["x"] <= WIDTH - at["w"], title
    for (one, a), (other, b) in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or below, f"{one} covers {other}"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit_and_what_to_do(panel: Json) -> None:
    assert panel["type"] in KINDS
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "ekiden-prometheus"}


def test_every_part_of_the_runbook_that_is_named_is_there() -> None:
    named = {
        match for panel in ALL.values() for match in re.findall(r"docs/(\S+?\.md)(?:#(\w+))?\b", panel["description"])
    }
    headings = {
        page: {line.lstrip("# ").lower() for line in (DOCS / page).read_text("utf-8").splitlines() if line[:1] == "#"}
        for page, _ in named
    }

    assert len(named) > 1
    assert not {(page, part) for page, part in named if part and part not in headings[page]}


@pytest.mark.parametrize("panel", PANELS)
def test_every_query_of_a_panel_has_a_name_of_its_own_and_several_have_legends(panel: Json) -> None:
    targets = panel["targets"]

    assert max(Counter(target["refId"] for target in targets).values()) == 1
    assert panel["type"] == "stat" or all(target["legendFormat"] for target in targets)


@pytest.mark.parametrize("panel", FIGURES)
def test_a_figure_has_its_colour_from_thresholds_that_rise(panel: Json) -> None:
    first, *rest = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]

    assert first["value"] is None
    assert [step["value"] for step in rest] == sorted(step["value"] for step in rest)


def test_the_same_thing_has_the_same_colour_on_every_board() -> None:
    colours: dict[str, set[str]] = {}
    for panel in ALL.values():
        for override in panel["fieldConfig"]["overrides"]:
            [colour] = [p["value"]["fixedColor"] for p in override["properties"] if p["id"] == "color"]
            colours.setdefault(override["matcher"]["options"], set()).add(colour)

    assert {matcher: len(used) for matcher, used in colours.items()} == dict.fromkeys(colours, 1)
