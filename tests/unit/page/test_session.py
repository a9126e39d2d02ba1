"""A session's page, in every situation and in both languages: it renders, says one sentence, and offers what helps."""

from dataclasses import replace

import pytest

from ekiden.domain.decider import Situation, situation
from ekiden_gateway.keys import Scope
from ekiden_gateway.page.figures.relay import Place, relay
from ekiden_gateway.page.languages import LANGUAGES
from tests.unit.domain.small_plan import AT
from tests.unit.page.markup import Markup
from tests.unit.page.sessions import SITUATIONS, WORKFLOW, completed, draft, found, rendered, visitor

HELPS = {
    "pending": "start",
    "thinking": None,
    "searching": None,
    "gate": "continue",
    "gate-between": "continue",
    "budget": "continue",
    "unknown": "resolve",
    "paused": "resume",
    "retry": None,
    "failed": "retry",
    "one-missing": None,
    "cancelled": "restart_session",
    "restarted": None,
    "completed": None,
}


def test_the_examples_have_every_situation() -> None:
    assert {situation(make().session) for make in SITUATIONS.values()} == set(Situation)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", list(SITUATIONS))
def test_a_page_renders_whole_in_every_situation(name: str, language: str) -> None:
    page = Markup.of(rendered(SITUATIONS[name](), visitor(language)))
    assert len(page.ids) == len(set(page.ids)), "two elements have one id"
    assert page.all("html", lang=language)
    assert next(e.text.strip() for e in page.all("h2", id="now-says"))
    assert len(page.all("section", id="relay")) == 1


@pytest.mark.parametrize(("name", "verb"), HELPS.items())
def test_the_button_that_helps_stands_beside_the_sentence(name: str, verb: str | None) -> None:
    page = Markup.of(rendered(SITUATIONS[name]()))
    said = [e.attributes["action"] or "" for e in page.all("form", method="post")]
    said = [path.rpartition("/")[2] for path in said if "/say/" in path]
    if verb is None:
        first = [e for e in page.all("button") if "primary" in (e.attributes.get("class") or "")]
        assert not [e for e in first if e.text in {"Approve and go on", "Start", "Go on", "Try again"}]
    else:
        assert said[0] == verb


@pytest.mark.parametrize("name", list(SITUATIONS))
def test_every_form_has_the_word_of_its_visit_and_a_key_of_its_own(name: str) -> None:
    page = Markup.of(rendered(SITUATIONS[name]()))
    forms = page.all("form", method="post")
    assert len(page.all("input", name="csrf", value="the-token")) == len(forms)
    keys = [e.attributes["value"] for e in page.all("input", name="key")]
    commands = [e for e in forms if "/sessions/" in (e.attributes["action"] or "")]
    assert len(keys) == len(set(keys)) == len(commands)


@pytest.mark.parametrize("name", list(SITUATIONS))
def test_a_reader_is_offered_nothing(name: str) -> None:
    page = Markup.of(rendered(SITUATIONS[name](), visitor(may=frozenset({Scope.READ}))))
    assert not [e for e in page.all("form") if "/sessions/" in (e.attributes.get("action") or "")]


def test_the_price_stands_beside_what_is_bought() -> None:
    page = rendered(SITUATIONS["gate"]())
    assert "3 searches are bought for at most $0.15" in page
    assert "now at most $0.15 for 3 calls, about 1 min 10 s" in page


def test_the_planned_questions_can_be_edited_before_they_are_bought() -> None:
    page = Markup.of(rendered(SITUATIONS["gate"]()))
    assert [e.text for e in page.all("textarea", name="item")][:3] == [f"What about {n}?" for n in range(3)]


def test_each_unknown_call_is_decided_by_itself() -> None:
    page = Markup.of(rendered(SITUATIONS["unknown"]()))
    tasks = [e.attributes["value"] for e in page.all("input", name="task")]
    assert len(tasks) == 1
    assert {e.attributes["value"] for e in page.all("input", name="decision")} == {"resend", "give_up", "attach"}


def test_the_sash_is_where_the_session_is() -> None:
    for name, make in SITUATIONS.items():
        told = make()
        legs = relay(told.session, WORKFLOW, told.ledger, AT)
        here = [(leg.number, stage.step) for leg in legs for stage in leg.stages if stage.place is Place.HERE]
        position = told.session.position
        expected = [] if name in {"pending", "completed"} or position is None else [(position.phase, position.step)]
        assert here == expected, name
        order = [stage.place for leg in legs for stage in leg.stages]
        assert order == sorted(order, key=list(Place).index), name


def test_simulated_answers_are_marked() -> None:
    assert "nothing here is a fact" in rendered(SITUATIONS["completed"]())
    told = SITUATIONS["completed"]()
    for row in told.ledger:
        row["simulated"] = False
    assert found(told).status.simulated is False
    assert "nothing here is a fact" not in rendered(told)


def test_an_edited_draft_is_shown_as_edited_and_the_original_beside_it() -> None:
    page = Markup.of(rendered(SITUATIONS["completed"]()))
    assert [e.text for e in page.all("div", id="draft-2-text")] == ["better"]
    assert [e.attributes["value"] for e in page.all("input", name="seen")] == ['"g1.0"', '"g1.1"']
    assert page.all("button", name="original")


def test_a_draft_names_its_time_its_hashtags_and_its_sources_beside_the_text() -> None:
    sources = [
        {"url": "https://example.com/a", "title": "A <b>", "date": "2026-11-20"},
        {"url": "javascript:alert(1)", "title": "No address"},
        "only a text",
    ]
    told = replace(completed(), drafts=[draft(1, timing="at noon", hashtags=["#tea"], sources=sources)])
    page = Markup.of(rendered(told))
    links = [(e.attributes["href"], e.text) for e in page.all("a", rel="noopener noreferrer nofollow")]
    assert links[0] == ("https://example.com/a", "A <b>")
    assert not [href for href, _ in links if not href or not href.startswith("https://")]
    side = next(e.text for e in page.all("div") if e.attributes.get("class") == "draft-side")
    assert all(text in side for text in ("at noon", "#tea", "2026-11-20", "javascript:alert(1)", "only a text"))
