"""Drafts are joined from the results, and checked: what is wrong is repaired or flagged, never failed."""

from dataclasses import replace

import pytest

from ekiden.domain.ids import Position, Step
from ekiden.domain.session import Session
from ekiden.workflow.drafts import Draft, make_drafts
from ekiden.workflow.fitting import weighted_length
from tests.unit.workflow.tiny import session, workflow

KNOWN = "https://tea.example/news"
WIKI = "https://en.example/Tea_(drink)"


def finished(*posts: dict[str, object], platform: str = "note") -> Session:
    sources = [{"url": url, "title": "", "date": None} for url in (KNOWN, WIKI)]
    planned = {"questions": [{"question": "What of tea?"}]}
    made = session(**{"1T": planned, "1E": [{"text": "", "sources": sources}], "2I": {"posts": list(posts)}})
    return replace(made, position=Position(2, Step.INTEGRATE), input={"theme": "tea", "platform": platform})


def post(number: int = 1, content: str = "Tea.", url: str | None = KNOWN) -> dict[str, object]:
    return {"number": number, "content": content, "sourceUrl": url}


def first(*posts: dict[str, object], platform: str = "note") -> Draft:
    return make_drafts(finished(*posts, platform=platform), workflow())[0]


def test_a_draft_is_joined_by_its_number_whatever_the_order() -> None:
    made = make_drafts(finished(post(2, "two"), post(1, "one")), workflow())
    assert [draft.fields["content"] for draft in made] == ["one", "two"]


def test_a_draft_has_an_id_of_its_own() -> None:
    assert first(post()).id == f"ses_{'0' * 32}.g1.1"


def test_a_restarted_session_makes_drafts_under_new_ids() -> None:
    ended = finished(post())
    again = replace(ended, steps={**ended.steps, "2I": replace(ended.steps["2I"], generation=2)})
    assert make_drafts(again, workflow())[0].id.endswith(".g2.1")


def test_a_draft_that_the_model_forgot_is_flagged() -> None:
    assert make_drafts(finished(post(1)), workflow())[1].flags == ("missing:content",)


def test_a_good_draft_has_no_flags() -> None:
    assert first(post(), post(2)).flags == ()


def test_an_address_that_no_search_returned_is_taken_out() -> None:
    assert first(post(url="https://made.up")).fields["sourceUrl"] is None


def test_an_address_that_was_taken_out_is_flagged() -> None:
    assert first(post(url="https://made.up")).flags == ("foreign_url_removed:sourceUrl",)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("See https://made.up/x.", "See ."),
        (f"See {KNOWN}.", f"See {KNOWN}."),
        (f"See {WIKI}, it says.", f"See {WIKI}, it says."),
        (f"See {KNOWN}.evil.example", "See "),
        ("出典：https://made.up/記事。以上", "出典：。以上"),
        ("HTTPS://MADE.UP", ""),
        ("No address here.", "No address here."),
    ],
)
def test_no_text_of_a_draft_has_an_address_that_no_search_returned(text: str, left: str) -> None:
    assert first(post(content=text)).fields["content"] == left


def test_a_text_that_lost_an_address_is_flagged() -> None:
    assert first(post(content="See https://made.up")).flags == ("foreign_url_removed:content",)


@pytest.mark.parametrize(
    ("content", "flags"), [("全角五文字", ()), ("全角は六文字", ("content_too_long",)), ("ten latin.", ())]
)
def test_a_full_width_character_counts_twice_where_the_platform_says_so(content: str, flags: tuple[str, ...]) -> None:
    assert first(post(content=content), platform="twitter").flags == flags


@pytest.mark.parametrize(
    ("text", "length"), [("tea", 3), ("お茶", 4), ("“tea” – yes…", 13), ("café", 4), ("Привет", 6), ("🍵", 2), ("", 0)]
)
def test_lengths_are_counted_as_x_counts_them(text: str, length: int) -> None:
    assert weighted_length(text, 2) == length


def test_other_platforms_count_every_character_once() -> None:
    assert weighted_length("お茶 tea", 1) == 6
