"""The second workflow and the simulator together: two phases, searches in both, one brief that rests on them."""

import re
from functools import cache
from typing import Any

import pytest

from ekiden.domain.ids import Step
from ekiden.workflow.sources import sources_of
from tests.simulated import WORKFLOWS, Simulated, simulated

FOLDER = WORKFLOWS / "market-brief"
MARKETS = {"ja": "電動アシスト自転車", "en": "heat pumps for old houses"}
SOURCE = re.compile(r'<source id="(S\d+)" url="([^"]*)"')
languages = pytest.mark.parametrize("language", MARKETS)


@cache
def ran(language: str) -> Simulated:
    return simulated(FOLDER, {"market": MARKETS[language], "region": "Hokkaido"}, language)


@languages
def test_a_session_ends_in_one_complete_brief(language: str) -> None:
    (draft,) = ran(language).drafts

    assert all(draft.fields.values())
    assert draft.flags == ()
    assert MARKETS[language].lower() in str(draft.fields["title"]).lower()
    assert str(draft.fields["content"]).count("\n## ") >= 4


@languages
def test_the_brief_rests_on_the_searches_of_both_phases(language: str) -> None:
    session, (draft,) = ran(language).session, ran(language).drafts
    first, second = (
        {source["url"] for answer in ran(language).result(phase, Step.EXECUTE) for source in answer["sources"]}
        for phase in (1, 2)
    )
    sources: Any = draft.fields["sources"]
    cited = {source["url"] for source in sources}

    assert cited & first
    assert cited & second
    assert cited <= sources_of(session, ran(language).workflow.plan).urls
    assert set(re.findall(r"https://\S+", str(draft.fields["content"]))) <= cited


@languages
def test_a_number_names_one_source_in_the_whole_session(language: str) -> None:
    shown = SOURCE.findall(str(ran(language).requests["2I"][0]["user"]))

    assert len(shown) > len(ran(language).result(2, Step.EXECUTE)[0]["sources"])
    assert len({number for number, _ in shown}) == len({url for _, url in shown})


@languages
def test_the_second_plan_asks_for_what_the_first_one_left_open(language: str) -> None:
    first, second = (ran(language).result(phase, Step.THINK)["questions"] for phase in (1, 2))

    assert (len(first), len(second)) == (3, 2)
    assert not {row["question"] for row in first} & {row["question"] for row in second}
    assert not {row["lens"] for row in first} & {row["lens"] for row in second}


@languages
def test_every_prompt_says_which_market_and_where(language: str) -> None:
    for key, requests in ran(language).requests.items():
        for request in requests:
            assert f": {MARKETS[language]}\n" in request["user"], key
            assert ": Hokkaido\n" in request["user"], key


@languages
def test_findings_of_the_first_phase_are_shown_to_the_second(language: str) -> None:
    findings = ran(language).result(1, Step.INTEGRATE)["findings"]

    for key in ("2T", "2I"):
        assert all(finding["statement"] in ran(language).requests[key][0]["user"] for finding in findings)
