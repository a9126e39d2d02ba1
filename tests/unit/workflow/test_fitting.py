"""A post fits its platform: what can be put right is, the rest is flagged, and nothing fails."""

import time

import pytest

from ekiden.workflow.definition import Platform, Thread
from ekiden.workflow.fitting import fit, split, weighted_length
from ekiden.workflow.hashtags import together

X = Platform(max_length=40, full_width=2, hashtags=(1, 2), links="reply")
THREADS = Platform(max_length=20, hashtags=(0, 2), thread=Thread(max_posts=3))


@pytest.mark.parametrize(
    ("content", "listed", "made", "tags"),
    [
        ("Tea.\n\n#a #b", ["#a", "#b"], "Tea.\n\n#a #b", ("#a", "#b")),
        ("Tea.\n\n#a #b", ["#b", "#a"], "Tea.\n\n#a #b", ("#a", "#b")),
        ("Tea. #a #A #a", ["a"], "Tea. #a", ("#a",)),
        ("お茶。\n＃茶 #茶", ["＃茶"], "お茶。\n#茶", ("#茶",)),
        ("Tea. #a #b #c #d", ["#a", "#b", "#c", "#d"], "Tea. #a #b", ("#a", "#b")),
        ("Tea.", ["a", "b c"], "Tea.\n\n#a #b", ("#a", "#b")),
        ("Tea.\n#a", [], "Tea.\n#a", ("#a",)),
        ("Tea", ["#1", "", "##"], "Tea", ()),
        ("We like #a and #b here.", ["#c"], "We like #a and #b here.", ("#a", "#b")),
        ("See https://a.example/b#c", [], "See https://a.example/b#c", ()),
        ("No. #1 fan", [], "No. #1 fan", ()),
    ],
)
def test_list_and_text_have_the_same_hashtags(
    content: str, listed: list[str], made: str, tags: tuple[str, ...]
) -> None:
    found = together(content, listed, 2)
    assert (found.content, found.hashtags) == (made, tags)


def test_a_repair_of_hashtags_is_flagged() -> None:
    assert fit("Tea. #a #a", ["#a"], X).flags == ("hashtags_repaired:hashtags",)


def test_another_order_of_the_list_is_no_repair() -> None:
    assert fit("Tea. #a #b", ["#b", "#a"], X).flags == ()


def test_hashtags_within_sentences_are_not_taken_out() -> None:
    made = fit("#a and #b and #c it is.", ["#a", "#b", "#c"], X)
    assert (made.content, made.flags) == ("#a and #b and #c it is.", ("hashtag_count",))


def test_too_few_hashtags_are_flagged() -> None:
    assert fit("Tea.", [], X).flags == ("hashtag_count",)


def test_a_text_with_no_room_for_a_listed_hashtag_stays_as_it_is() -> None:
    content = "x" * 35 + " #a"
    made = fit(content, ["#a", "#toolong"], X)
    assert (made.content, made.hashtags, made.flags) == (content, ("#a",), ("hashtags_repaired:hashtags",))


def test_a_hashtag_that_is_wanted_and_has_no_room_is_flagged() -> None:
    made = fit("x" * 38, ["#toolong"], X)
    assert (made.content, made.hashtags, made.flags) == ("x" * 38, ("#toolong",), ("hashtags_differ:hashtags",))


def test_a_workflow_without_hashtags_is_not_asked_for_any() -> None:
    assert fit("Tea.", None, X) == fit("Tea.", None, X.model_copy(update={"hashtags": (0, 0)}))


@pytest.mark.parametrize(
    ("content", "made", "flags"),
    [
        ("Tea.\nhttps://a.example/b\n#a", "Tea.\n#a", ("link_removed_from_body:content",)),
        ("お茶。\n出典：https://a.example/b", "お茶。", ("link_removed_from_body:content",)),
        ("See https://a.example now.", "See https://a.example now.", ("link_in_body:content",)),
        ("Tea.", "Tea.", ()),
    ],
)
def test_a_link_leaves_a_body_that_carries_none(content: str, made: str, flags: tuple[str, ...]) -> None:
    found = fit(content, None, X)
    assert (found.content, found.flags) == (made, flags)


def test_a_link_stays_where_the_platform_takes_it() -> None:
    assert fit("Tea.\nhttps://a.example/b", None, Platform(max_length=100)).flags == ()


def test_a_text_too_long_for_a_post_becomes_a_thread_that_ends_with_sentences() -> None:
    made = fit("One two three. Four five six.\n\nSeven eight.", None, THREADS)
    assert made.thread == ("One two three.", "Four five six.", "Seven eight.")
    assert made.flags == ("split_into_thread:content",)
    assert made.content.startswith("One")


def test_a_japanese_thread_breaks_behind_its_full_stops() -> None:
    x = X.model_copy(update={"thread": Thread(max_posts=4, max_length=20)})
    assert split("お茶が売れる。「なぜか。」それは香りだ。", x) == ("お茶が売れる。", "「なぜか。」", "それは香りだ。")


@pytest.mark.parametrize("content", ["x" * 21, "One two three four. " * 4])
def test_what_makes_no_thread_is_flagged_as_too_long(content: str) -> None:
    assert (fit(content, None, THREADS).thread, fit(content, None, THREADS).flags) == ((), ("content_too_long",))


def test_a_platform_without_threads_flags_what_is_too_long() -> None:
    assert fit("全角" * 11, None, X).flags == ("content_too_long",)


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("Tea. #a #b ", "Tea."),
        ("茶。#a\n#b", "茶。"),
        (" #a #b", ""),
        ("#a b", "#a b"),
        ("a/#b", "a/#b"),
        ("a #b#c", "a #b#c"),
        ("Tea.  ", "Tea.  "),
        ("", ""),
    ],
)
def test_hashtags_that_are_too_many_go_from_the_end_only(text: str, body: str) -> None:
    assert together(text, (), 0).content == body


def test_a_thread_holds_every_word_of_its_text() -> None:
    content = "One. Two!  Three?\nFour… (Five.) 六。七！"
    made = split(content, Platform(max_length=8, thread=Thread(max_posts=20)))
    assert "".join("".join(made).split()) == "".join(content.split())


LONG = 80_000
HOSTILE = {
    "full stops": "." * LONG + "x",
    "full stops and quotes": "." * (LONG // 2) + '"' * (LONG // 2) + "x",
    "sentences": "a. " * (LONG // 3),
    "line breaks": "\n" * LONG + "x",
    "hashtags within the text": "#a " * (LONG // 3) + "x",
    "hashtags that touch": "#a" * (LONG // 2),
    "spaces": " " * LONG + "x",
    "brackets": "[](" * (LONG // 3),
}
SECONDS = 5
"""Far above what a linear pass takes, and far below what the square of the length does."""


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_text_takes_time_by_its_length_whatever_a_model_writes(text: str) -> None:
    x = Platform(max_length=280, full_width=2, links="reply", thread=Thread(max_posts=100, max_length=LONG * 2))
    begun = time.process_time()
    fit(text, ["#b"], x)
    assert time.process_time() - begun < SECONDS


def test_each_post_of_a_thread_fits() -> None:
    x = Platform(max_length=30, full_width=2, thread=Thread(max_posts=20))
    posts = split("短い文。もう少し長い文です。Yes. 三つ目の文です。\n最後。", x)
    assert posts
    assert all(weighted_length(post, 2) <= 30 for post in posts)
