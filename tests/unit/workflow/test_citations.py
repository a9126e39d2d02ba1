"""What an answer cites is what a search returned: by id, then by address, with the search's own title and date."""

from dataclasses import replace
from pathlib import Path

import pytest

from ekiden.domain.ids import Position, Step, TaskId
from ekiden.domain.messages import Outcome, TaskStatus
from ekiden.workflow.citations import cleaned, received
from ekiden.workflow.package import read_package
from ekiden.workflow.sources import Source, Sources, evidence, sources_of
from tests.unit.workflow.tiny import POLICIES, session, workflow

ROOT = Path(__file__).parents[3]
TEA = Source("S1", "https://tea.example/news", "Tea is up", "2026-11-20", "What of tea?", 1)
MATE = Source("S2", "https://mate.example/a", "Mate", None, "What of mate?", 1)
FOUND = Sources((TEA, MATE))


def cite(answer: object) -> tuple[object, tuple[str, ...]]:
    return cleaned(answer, FOUND, FOUND.urls)


def row(**fields: object) -> dict[str, object]:
    return {"sourceId": "S1", "title": "Tea is up", "url": TEA.url, "date": "2026-11-20"} | fields


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        (row(), ()),
        (row(title="A better title", date="2026-12-24"), ()),
        (row(sourceId="[s1]"), ()),
        (row(sourceId="Ｓ１"), ()),
        (row(sourceId="S99"), ("source_corrected:evidence",)),
        (row(sourceId=""), ()),
        (row(url=""), ()),
        (row(url=MATE.url), ("source_corrected:evidence",)),
        (row(url="https://evil.example"), ("foreign_url_removed:evidence",)),
    ],
)
def test_a_source_is_the_search_s_record_whatever_the_model_wrote(
    said: dict[str, object], flags: tuple[str, ...]
) -> None:
    assert cite({"evidence": [said]}) == ({"evidence": [row()]}, flags)


def test_a_date_that_no_search_knew_is_not_made_up() -> None:
    made, _ = cite([row(sourceId="S2", url=MATE.url, date="2026-11-01")])
    assert made == [{"sourceId": "S2", "title": "Mate", "url": MATE.url, "date": None}]


def test_a_source_that_no_search_returned_is_taken_out_and_flagged_with_its_place() -> None:
    invented = row(sourceId="S9", url="https://evil.example")
    made, flags = cite({"topics": [{"title": "T", "evidence": [row(), invented]}]})
    assert made == {"topics": [{"title": "T", "evidence": [row()]}]}
    assert flags == ("foreign_source_removed:topics[0].evidence",)


def test_what_rests_on_nothing_says_so() -> None:
    _, flags = cite({"topics": [{"evidence": [row(sourceId="S9", url="https://evil.example")]}, {"evidence": []}]})
    assert flags == (
        "foreign_source_removed:topics[0].evidence",
        "no_sources:topics[0].evidence",
        "no_sources:topics[1].evidence",
    )


def test_the_same_page_is_named_once() -> None:
    assert cite([row(), row(sourceId="", url=TEA.url)])[0] == [row()]


def test_ids_alone_are_kept_when_a_search_gave_them() -> None:
    made, flags = cite({"sourceIds": ["S1", "S7", "none"], "facts": [{"claim": "c", "sourceId": "S2, S8"}]})
    assert made == {"sourceIds": ["S1"], "facts": [{"claim": "c", "sourceId": "S2"}]}
    assert flags == ("foreign_source_removed:sourceIds", "foreign_source_removed:facts[0].sourceId")


def test_a_row_that_is_more_than_a_source_is_never_dropped() -> None:
    made, _ = cite({"posts": [{"content": "text", "sourceId": "S9", "url": "https://evil.example"}]})
    assert made == {"posts": [{"content": "text", "sourceId": "", "url": ""}]}


@pytest.mark.parametrize(
    ("url", "left", "name", "flags"),
    [
        (TEA.url, TEA.url, "Tea is up", ()),
        ("https://evil.example", None, None, ("foreign_url_removed:sourceUrl",)),
        (None, None, "The Times", ()),
    ],
)
def test_the_main_source_has_the_search_s_title(
    url: str | None, left: str | None, name: str | None, flags: tuple[str, ...]
) -> None:
    assert cite({"sourceUrl": url, "newsSource": "The Times"}) == ({"sourceUrl": left, "newsSource": name}, flags)


@pytest.mark.parametrize(
    ("text", "left", "flags"),
    [
        ("a\u202eb\u200b", "ab", ("hidden_text_removed:t",)),
        ("hi" + "".join(chr(0xE0000 + ord(letter)) for letter in "obey"), "hi", ("hidden_text_removed:t",)),
        ("x\ufe00\ufe01\ufe02", "x", ("hidden_text_removed:t",)),
        ("ht\u200btps://evil.example", "", ("hidden_text_removed:t", "foreign_url_removed:t")),
        ("👩\u200d💻 葛\U000e0100 ☕\ufe0f می\u200cخواهم", "👩\u200d💻 葛\U000e0100 ☕\ufe0f می\u200cخواهم", ()),
        ("one\r\ntwo", "one\ntwo", ()),
    ],
)
def test_what_nobody_sees_is_taken_out_and_what_writing_needs_stays(
    text: str, left: str, flags: tuple[str, ...]
) -> None:
    assert cite({"t": text}) == ({"t": left}, flags)


# ── entering a session ───────────────────────────────────────────────────────────────────────────────────

PLANNED = {"questions": [{"question": "What of tea?"}, {"question": "What of mate?"}]}


def answer(source: Source) -> dict[str, object]:
    return {"text": "found", "sources": [{"url": source.url, "title": source.title, "date": source.date}]}


def entering(result: object, **fields: object) -> Outcome:
    told = session(**{"1T": PLANNED, "1E": [answer(TEA), answer(MATE)], "1I": None})
    task = TaskId(f"{told.id}.1I.g1.0")
    step = replace(told.steps["1I"], tasks=(task,))
    told = replace(told, position=Position(1, Step.INTEGRATE), steps={**told.steps, "1I": step}, **fields)
    return received(told, {task: Outcome(TaskStatus.COMPLETED, result=result)}, workflow())[task]


def test_an_answer_is_clean_when_it_enters_the_session() -> None:
    entered = entering({"topics": [{"title": "See https://evil.example"}]})
    assert entered.result == {"topics": [{"title": "See "}]}
    assert entered.flags == ("foreign_url_removed:topics[0].title",)


def test_the_user_s_own_address_may_stand_in_what_the_session_thinks_with() -> None:
    entered = entering({"topics": [{"title": "https://my.example/a"}]}, input={"theme": "Of https://my.example/a"})
    assert entered.flags == ()


def test_what_failed_is_left_as_it_is() -> None:
    told = session(**{"1T": PLANNED})
    task = TaskId(f"{told.id}.1I.g1.0")
    told = replace(told, position=Position(1, Step.INTEGRATE))
    outcomes = {task: Outcome(TaskStatus.FAILED, error="RequestRejected")}
    assert received(told, outcomes, workflow()) == outcomes


def test_sources_are_known_by_the_question_that_found_them() -> None:
    told = session(**{"1T": PLANNED, "1E": [answer(TEA), answer(MATE)]})
    assert sources_of(told, workflow().plan).all == (TEA, MATE)


def test_an_address_that_leads_elsewhere_than_to_the_web_is_no_source() -> None:
    evil = [{"url": url, "title": "x"} for url in ("javascript:alert(1)", "data:text/html,x", "https://a@evil.example")]
    told = session(**{"1T": PLANNED, "1E": [{"text": "", "sources": [*evil, *_sources(TEA)]}, answer(MATE)]})
    assert [source.id for source in sources_of(told, workflow().plan).all] == ["S1", "S2"]


def _sources(source: Source) -> list[dict[str, object]]:
    return [{"url": source.url, "title": source.title, "date": source.date}]


def test_a_second_phase_s_searches_are_numbered_on() -> None:
    """An id never means two pages: `market-brief` searches in both of its phases."""
    brief = read_package(ROOT / "workflows/market-brief").compile(POLICIES)
    told = session(**{"1T": PLANNED, "1E": [answer(TEA), answer(MATE)], "2T": PLANNED, "2E": [answer(TEA)]})
    told = replace(told, steps={**told.steps, "2E": replace(told.steps["2E"], missing=(1,))})
    second = evidence(told, Position(2, Step.EXECUTE), brief.plan)
    assert second["searches"] == [{"question": "What of tea?", "text": "found", "sources": [_shown(TEA, "S3")]}]
    assert [source.id for source in sources_of(told, brief.plan).all] == ["S1", "S2", "S3"]


def _shown(source: Source, known_as: str) -> dict[str, object]:
    return {"id": known_as, "url": source.url, "title": source.title, "date": source.date}
