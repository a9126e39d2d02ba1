"""What a session gave, to take away: it tells all there is to know, and runs nothing of what a model wrote."""

import csv
import io
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from ekiden.domain.plan import Plan, Provider, Source
from ekiden.domain.session import InputValue
from ekiden_gateway.page.languages import words
from ekiden_gateway.page.report import document, drafts
from ekiden_gateway.page.report.markdown import fenced, inline, link, quoted
from ekiden_gateway.page.report.report import Report
from ekiden_gateway.page.report.sheet import cell, sheet
from tests.unit.domain.small_plan import AT
from tests.unit.page.sessions import SITUATIONS, WORKFLOW, Told, completed, draft
from tests.unit.page.test_hostile import EVIL, hostile

_TAGS = "html head meta title style body main div h1 h2 h3 h4 p em strong a ul li pre code br blockquote table thead"
TAGS = {*_TAGS.split(), "tbody", "tr", "th", "td"}
NAMES = ["title", "hook", "content", "hashtags", "sources"]


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(tag, name) for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def report(told: Told) -> Report:
    return Report(told.session, WORKFLOW, told.ledger, told.drafts)


def as_html(told: Told) -> Seen:
    made = report(told)
    return Seen(document.html(made.markdown(), made.title, made.t.language))


def rows(told: Told) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(sheet(told.drafts, NAMES, simulated=True))))


@pytest.mark.parametrize("language", ["en", "ja", "xx"])
@pytest.mark.parametrize("name", list(SITUATIONS))
def test_there_is_a_report_of_every_session_wherever_it_stands(name: str, language: str) -> None:
    told = SITUATIONS[name]()
    made = report(replace(told, session=replace(told.session, language=language)))
    assert made.markdown().startswith("# tea\n")
    assert words(made.t.language)(f"status.{told.session.status}") in made.markdown()


def test_a_report_tells_what_was_planned_found_decided_and_spent() -> None:
    text = report(completed()).markdown()
    order = ["## Drafts", "### Draft 1", "better", "What was planned", "**1. What about 0?**"]
    order += ["What was searched and found", "> found", "What was decided, and why", "*Note:* a note", "## Cost"]
    order += ["| 1. Look | 2 calls, $0.01 | 3 calls, $0.015 | $0.025 |", "**Total**", "## Time", "█"]
    places = [text.find(part) for part in order]
    assert places == sorted(places)
    assert -1 not in places
    assert "> **The simulator answered" in text


def test_a_report_names_the_question_that_nobody_answered_and_why() -> None:
    text = report(SITUATIONS["one-missing"]()).markdown()
    assert "## Before you use this\n\n- 1. Look – Search: no answer to: What about 0? (RequestRejected: no)" in text


def test_what_stands_in_the_drafts_is_not_told_again() -> None:
    told = completed()
    assert "<https://example.com/run_0>" not in report(told).markdown().partition("### 2. Tell")[2]
    assert "<https://example.com/run_0>" in report(replace(told, drafts=[])).markdown().partition("### 2. Tell")[2]


def test_a_page_of_hostile_texts_has_no_element_and_no_link_of_theirs() -> None:
    seen = as_html(hostile())
    assert seen.tags <= TAGS
    assert {name for tag, name in seen.attributes if tag not in {"html", "meta"}} <= {"href", "rel", "class"}
    assert all(address.startswith(("http://", "https://")) for address in seen.links)
    assert "<script>alert(1)</script>" in seen.text
    assert not {"\u202e", "\u2066", "\x00"} & set(seen.text)


def test_markdown_of_hostile_texts_makes_nothing_in_a_reader_that_lets_html_pass() -> None:
    told = hostile()
    for text in (report(told).markdown(), drafts.drafts("<b>", told.drafts, words("en"), simulated=True)):
        seen = Seen(MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text))
        assert seen.tags <= TAGS
        assert all(address.startswith(("http://", "https://")) for address in seen.links)


@pytest.mark.parametrize(
    "text", [*EVIL[:20], "# a", "- a", "+ a", "1. a", "12) a", "a | b", "`a`", "a\n\n# b", "=", "a & &amp;"]
)
def test_a_text_on_a_line_reads_as_it_was_written(text: str) -> None:
    shown = Seen(MarkdownIt("commonmark").render(f"- {inline(text)}"))
    assert shown.tags == {"ul", "li"}
    wanted = "".join(letter for letter in text if letter not in "\x00\x07\ud800\u202e\u202c\u2066\u2069")
    assert shown.text.split() == wanted.split()


def test_a_fence_holds_whatever_it_holds() -> None:
    text = "one\n```\n<b>\n````\n\n\n\ntwo"
    shown = Seen(MarkdownIt("commonmark").render("\n".join(fenced(text))))
    assert (shown.tags, shown.text.strip("\n")) == ({"pre", "code"}, text)


def test_a_quotation_keeps_its_lines() -> None:
    shown = Seen(MarkdownIt("commonmark").render("\n".join(quoted("a\nb\n\n> c\n1. d"))))
    assert shown.tags == {"blockquote", "p", "br"}
    assert shown.text.split() == ["a", "b", ">", "c", "1.", "d"]


def test_an_address_that_is_none_is_text() -> None:
    assert link("A", "https://example.com/a?x=1&copy;=2") == "[A](<https://example.com/a?x=1\\&copy;=2>)"
    assert link("A", "javascript:alert(1)") == "A (javascript:alert(1))"
    assert link("A", "https://example.com/<b>") == "A (https://example.com/\\<b\\>)"
    assert link("https://example.com/a_b", "https://example.com/a_b") == "<https://example.com/a_b>"


def test_a_persons_text_comes_before_the_sessions() -> None:
    told = completed()
    assert [row["content"] for row in rows(told)] == ["a text", "better"]
    emptied = replace(told, drafts=[draft(1) | {"editedContent": ""}])
    assert [row["content"] for row in rows(emptied)] == [""]
    text = drafts.drafts("T", told.drafts, words("en"), simulated=False)
    assert "```\nbetter\n```" in text
    assert "simulator" not in text


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", " =1", "＝1", "＋1", "－1", "＠1", "|cmd", "%0A"]
)
def test_no_cell_runs_as_a_formula(text: str) -> None:
    assert cell(text).startswith("'")
    told = replace(completed(), drafts=[draft(1, title=text, hook=[text])])
    assert [row["title"][0] + row["hook"][0] for row in rows(told)] == ["''"]


def test_csv_has_a_column_for_each_field_and_quotes_every_cell() -> None:
    made = [
        draft(1, title='say "yes", or\nno', hashtags=["#a", "#b"], sources=[{"url": "u", "title": "t", "date": None}])
    ]
    text = sheet(made, NAMES, simulated=False)
    assert text.startswith('"conceptNumber","status","title","hook","content","hashtags","sources","flags",')
    row = next(csv.DictReader(io.StringIO(text, newline="")))
    assert (row["title"], row["hashtags"], row["sources"]) == ('say "yes", or\nno', "#a #b", "t | u")
    assert (row["hook"], row["flags"], row["simulated"]) == ("", "", "false")
    assert text.count("\r\n") == 2
    assert sheet(made, NAMES, simulated=False, bom=True) == "\ufeff" + text


def test_a_page_may_use_its_own_style_and_nothing_else() -> None:
    policy = document.policy()["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    page = document.html("| a |\n|---:|\n| ![x](https://example.com/p.png) |", "<t>", "en")
    assert "style=" not in page
    assert "<img" not in page
    assert "<title>&lt;t&gt; · Ekiden</title>" in page


IN_PLACE_OF = {
    "en": (
        "1. Look – Integrate: gpt last was asked in place of gpt, gpt other, because of ProviderUnavailable: busy",
        " · in place of gpt, gpt other · ",
    ),
    "ja": (
        "gpt、gpt otherに代わってgpt lastに頼みました（理由：プロバイダーの停止: busy）",
        " · gpt、gpt otherの代わり · ",
    ),
}


@pytest.mark.parametrize("language", IN_PLACE_OF)
def test_a_report_tells_who_was_asked_in_place_of_whom_and_why(language: str) -> None:
    told, (before_use, beside_the_answer) = completed(), IN_PLACE_OF[language]
    others = (Source(Provider.GPT, "other"), Source(Provider.GPT, "last"))
    steps = [replace(step, fallback=() if step.for_each else others) for step in WORKFLOW.plan.steps]
    fell = replace(told.session.steps["1I"], fallback=2, fallback_reason="ProviderUnavailable: busy")
    session = replace(told.session, language=language, steps={**told.session.steps, "1I": fell})
    made = Report(session, replace(WORKFLOW, plan=Plan(tuple(steps))), told.ledger, told.drafts).markdown()
    assert made.index(before_use) < made.index("\n### ")
    assert made.count(beside_the_answer) == 1


def test_waiting_shows_as_a_gap_on_the_time_line() -> None:
    told = completed()
    late = told.session.steps["2I"]
    assert late.started_at is not None
    moved = replace(
        late, started_at=late.started_at + timedelta(hours=1), finished_at=AT + timedelta(hours=1, seconds=9)
    )
    session = replace(told.session, steps={**told.session.steps, "2I": moved})
    last = report(replace(told, session=session)).markdown().strip().splitlines()[-1]
    assert "`·······················█`" in last


@pytest.mark.parametrize(("language", "yes", "no"), [("en", "yes", "no"), ("ja", "はい", "いいえ")])
def test_a_choice_of_two_is_told_in_the_words_of_the_report(language: str, yes: str, no: str) -> None:
    told = completed()
    given: dict[str, InputValue] = {"theme": "tea", "deep": True, "wide": False}
    text = report(replace(told, session=replace(told.session, language=language, input=given))).markdown()
    assert f"- **Deep:** {yes}\n- **Wide:** {no}\n" in text
    assert "True" not in text


def test_a_report_is_called_as_the_list_calls_its_session_and_does_not_tell_it_twice() -> None:
    told = completed()

    def of(given: dict[str, InputValue]) -> str:
        return report(replace(told, session=replace(told.session, input=given))).markdown()

    assert of({"style": "insight", "theme": "Tea"}).startswith("# Tea\n")
    listed = of({"tags": ["green", "black"]})
    assert listed.startswith("# green, black\n")
    assert "**Tags:**" not in listed


def test_a_source_is_one_line_whichever_question_found_it() -> None:
    found = {"sourceId": "S1", "title": "A", "url": "https://example.com/a", "date": "2026-11-20", "question": "Why?"}
    lines = drafts.drafts("T", [draft(1, sources=[found])], words("en"), simulated=False).splitlines()
    assert "  - **S1** [A](<https://example.com/a>) · 2026-11-20" in lines
    assert not [line for line in lines if "Why?" in line]


@pytest.mark.parametrize(("language", "said"), [("en", "Rising"), ("ja", "上昇中")])
def test_a_choice_out_of_a_schema_is_said_in_the_words_of_the_report(language: str, said: str) -> None:
    lines = drafts.drafts("T", [draft(1, velocity="rising")], words(language), simulated=False).splitlines()
    assert f"- *{words(language)('field.velocity')}:* {said}" in lines


def test_a_long_title_is_cut_on_the_tab() -> None:
    assert f"<title>{'a' * document.LONGEST_TITLE}… · Ekiden</title>" in document.html("", "a" * 2000, "en")


def test_a_thread_is_left_out_once_a_person_has_written_the_text() -> None:
    own = draft(1, thread=["first post", "second post"])
    edited = own | {"editedContent": "mine"}
    assert "first post" in drafts.drafts("T", [own], words("en"), simulated=False)
    assert "first post" not in drafts.drafts("T", [edited], words("en"), simulated=False)
    made = rows(replace(completed(), drafts=[own, edited]))
    assert [row["thread"] for row in made] == ["first post second post", ""]


def test_csv_has_no_column_for_a_thread_that_no_draft_has() -> None:
    assert "thread" not in rows(completed())[0]
