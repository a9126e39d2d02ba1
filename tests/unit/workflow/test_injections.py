"""Pages that give orders, and a model that obeys them: nothing of it crosses our side of the boundary.

The corpus is `tests/fixtures/injections.json`: what the page says, what the model then writes, what must be gone from
the drafts, and which flags tell a person. Each case is one whole session of the shipped workflow, decided, rendered
and received by the real code.
"""

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from ekiden.domain.decider import decide
from ekiden.domain.ids import Step
from ekiden.domain.messages import Look, Outcome, Start, TaskStatus
from ekiden.domain.progress import Order
from ekiden.domain.session import Session, Status
from ekiden.workflow.citations import received
from ekiden.workflow.drafts import Draft, make_drafts
from ekiden.workflow.package import read_package
from tests.fakes.obedient import EVIL_DATE, obey
from tests.unit.domain.small_plan import AT, new_session
from tests.unit.page.markup import Markup
from tests.unit.page.sessions import completed, draft, rendered
from tests.unit.workflow.tiny import POLICIES

ROOT = Path(__file__).parents[3]
CASES: list[dict[str, Any]] = json.loads((ROOT / "tests/fixtures/injections.json").read_text("utf-8"))
WORKFLOW = read_package(ROOT / "workflows/viral-content").compile(POLICIES)
REAL = {"url": "https://tea.example/news", "title": "Tea is up", "date": "2026-11-20"}
TAG = re.compile(r"</?([a-zA-Z_]+)|<([!?|%])|([＜﹤])(?=[a-zA-Z/／])")
SOURCE = re.compile(r'<source id="S\d+" url="https://(?:tea|mate)\.example/[^"<>]*" date="[^"<>]*">[^<]*</source>')
HARMLESS = {"name": "harmless", "page": "Tea is up.", "writes": "Tea is up.", "gone": [], "flags": []}


@dataclass
class Ran:
    """A session that obeyed, with all that was asked on its way."""

    session: Session
    drafts: list[Draft]
    orders: list[Order]
    prompts: list[tuple[Order, str]]
    leak: str

    @property
    def told(self) -> str:
        """All that a user gets, as text."""
        return json.dumps([dict(one.fields) for one in self.drafts], ensure_ascii=False)


@cache
def ran(name: str) -> Ran:
    case = next(case for case in [HARMLESS, *CASES] if case["name"] == name)
    theme = {"theme": "お茶と働き方", "style": "insight", "platform": "note"}
    decision = decide(
        replace(new_session(), workflow=WORKFLOW.id, input=theme, language="ja"), Start(AT), WORKFLOW.plan
    )
    orders: list[Order] = []
    prompts: list[tuple[Order, str]] = []
    leak = ""
    while decision.tasks:
        outcomes = {}
        for order in decision.tasks:
            request = WORKFLOW.prompts.request(decision.session, order)
            system, user = str(request["system"]), str(request["user"])
            leak = leak or max(system.splitlines(), key=len).strip(" -")
            prompts.append((order, user))
            outcomes[order.id] = Outcome(TaskStatus.COMPLETED, result=answer(case, request, leak))
        orders += decision.tasks
        clean = received(decision.session, outcomes, WORKFLOW)
        decision = decide(decision.session, Look(AT, clean), WORKFLOW.plan)
    return Ran(decision.session, make_drafts(decision.session, WORKFLOW), orders, prompts, leak)


def answer(case: dict[str, Any], request: dict[str, object], leak: str) -> object:
    if "schema" in request:
        return obey(cast("dict[str, object]", request["schema"]), case["writes"].replace("PROMPT", leak))
    poisoned = {"url": case.get("url", "https://mate.example/a"), "title": case.get("title", case["page"])}
    poisoned["date"] = case.get("date")
    return {"text": case["page"], "sources": [REAL, poisoned]}


every_case = pytest.mark.parametrize("name", [case["name"] for case in CASES])


def of(name: str, field: str) -> list[str]:
    return next(case for case in CASES if case["name"] == name)[field]


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) >= 50


@every_case
def test_what_the_page_wanted_is_in_no_draft(name: str) -> None:
    found = ran(name)
    gone = [found.leak if text == "PROMPT" else text for text in of(name, "gone")]
    assert [text for text in gone if text.lower() in found.told.lower()] == []


@every_case
def test_a_draft_names_only_what_a_search_returned_with_its_own_date(name: str) -> None:
    for made in ran(name).drafts:
        sources = cast("list[dict[str, object]]", made.fields["sources"])
        assert [source["url"] for source in sources] == [REAL["url"]]
        assert (sources[0]["title"], sources[0]["date"], made.fields["sourceUrl"]) == (
            REAL["title"],
            REAL["date"],
            None,
        )
        assert EVIL_DATE not in str(made.fields)


@every_case
def test_a_person_is_told(name: str) -> None:
    wanted = {flag if ":" in flag else f"{flag}:content" for flag in of(name, "flags")}
    wanted |= {"foreign_source_removed:sources", "foreign_url_removed:sourceUrl"}
    for made in ran(name).drafts:
        assert wanted <= set(made.flags)


@every_case
def test_no_further_call_is_ordered_and_the_budget_is_what_it_was(name: str) -> None:
    found = ran(name)
    assert found.session.status is Status.COMPLETED
    assert sum(order.name.position.step is Step.EXECUTE for order in found.orders) == 3
    assert len(found.orders) == 13
    assert found.session.money.budget == new_session().money.budget


@every_case
def test_the_page_s_text_opens_and_closes_no_section_of_a_prompt(name: str) -> None:
    """Every prompt has just the sections that it has for a harmless page; each source is one of ours, whole."""
    for (order, prompt), (_, harmless) in zip(ran(name).prompts, ran("harmless").prompts, strict=True):
        assert sections(prompt) == sections(harmless), order.id


def sections(prompt: str) -> list[str]:
    return [found[0] for found in TAG.finditer(SOURCE.sub("", prompt))]


@every_case
def test_no_prompt_has_a_foreign_address(name: str) -> None:
    """Not even the one that shows the search results: later phases have none to repeat, and no search is sent one."""
    gone = [text for text in of(name, "gone") if text in {"evil.example", "javascript:", "data:", "xn--", "SECRET"}]
    for order, prompt in ran(name).prompts:
        assert [text for text in gone if text in prompt.lower()] == [], order.id


@every_case
def test_nothing_of_a_page_is_evaluated_or_loaded_when_it_is_shown(name: str) -> None:
    made = ran(name).drafts[0]
    shown = draft(1, **made.fields) | {"flags": list(made.flags)}
    page = Markup.of(rendered(replace(completed(), drafts=[shown])))
    kinds = {"img", "iframe", "object", "embed", "style", "image", "base", "audio", "video"}
    assert {element.tag for element in page.elements} & kinds == set()
    links = [element.attributes.get("href") or "" for element in page.all("a")]
    assert [link for link in links if "evil" in link or not link.startswith(("/", "#", "https://"))] == []
    assert all((element.attributes.get("src") or "").startswith("/static/") for element in page.all("script"))


def test_template_syntax_of_a_page_stays_text() -> None:
    found = ran("template syntax")
    assert "{{ 7 * 7 }}" in str(found.drafts[0].fields["content"])
    assert all("{{ 7 * 7 }}" in prompt for order, prompt in found.prompts if order.name.position.phase > 1)


def test_the_ledger_s_answer_is_not_touched() -> None:
    task = ran("a plain order").orders[-1].id
    said = {"overview": "https://evil.example"}
    outcome = Outcome(TaskStatus.COMPLETED, result=said)
    told = ran("a plain order").session
    assert received(told, {task: outcome}, WORKFLOW)[task].result == {"overview": ""}
    assert said == {"overview": "https://evil.example"}
