"""Sources and flags on a session's page: topics lead to what they rest on, and flags are said in words."""

from dataclasses import replace

import pytest

from ekiden.workflow.flags import Kind
from ekiden_gateway.page.languages import words
from tests.fakes.workflow import ANSWERS
from tests.unit.page.markup import Markup
from tests.unit.page.sessions import Runner, completed, draft, over, rendered

FOUND = {"text": "found", "sources": [{"url": "https://tea.example/news", "title": "Tea is up", "date": "2026-11-20"}]}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_flag_has_words(kind: Kind, language: str) -> None:
    say = words(language)
    assert say.has(f"flag.done.{kind}") != say.has(f"flag.look.{kind}")


def test_a_draft_s_flag_is_said_in_words_with_its_field() -> None:
    shown = draft(1) | {"flags": ["foreign_url_removed:content", "content_too_long"]}
    page = Markup.of(rendered(replace(completed(), drafts=[shown])))
    said = [" ".join(e.text.split()) for e in page.all("p") if "notice" in (e.attributes.get("class") or "").split()]
    assert "An address that no search returned was taken out. Text" in said
    assert "The text is too long for its platform." in said


def test_a_flag_of_an_older_version_is_shown_as_it_is() -> None:
    shown = draft(1) | {"flags": ["foreign_url_removed_from_hook"]}
    page = Markup.of(rendered(replace(completed(), drafts=[shown])))
    assert "foreign_url_removed_from_hook" in [e.text for e in page.all("code")]


def test_the_sources_stand_under_the_questions_that_found_them() -> None:
    told = Runner().start().run(over, {**ANSWERS, "search": FOUND}).told()
    page = Markup.of(rendered(told))
    fold = next(e for e in page.all("details") if (e.attributes.get("id") or "").startswith("sources-"))
    assert fold.text.index("What about 0?") < fold.text.index("Tea is up") < fold.text.index("What about 1?")
    assert "https://tea.example/news" in [e.attributes.get("href") for e in page.all("a")]


def test_a_thread_is_shown_post_by_post_until_a_person_has_edited_it() -> None:
    posts = draft(1, thread=["first post", "second post"])
    page = Markup.of(rendered(replace(completed(), drafts=[posts])))
    assert [e.text for e in page.all("li") if "post" in e.text and "Copy" in e.text][:1] != []
    edited = Markup.of(rendered(replace(completed(), drafts=[posts | {"editedContent": "mine"}])))
    assert "first post" not in " ".join(e.text for e in edited.all("main"))
