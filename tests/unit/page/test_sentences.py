"""What the API says in English is said on a Japanese page in Japanese: every sentence that the code can make."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import ekiden
import ekiden_gateway
from ekiden.broker import dead_letters
from ekiden.domain.decider import Situation
from ekiden.domain.messages import TaskStatus
from ekiden.domain.told import Told, count, told
from ekiden.webhooks.schedule import FAILING_FOR
from ekiden_gateway.kinds import CONFLICT, INVALID, KINDS
from ekiden_gateway.page.filled import mistaken
from ekiden_gateway.page.languages import sentences, words
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.timetable import timetable
from ekiden_gateway.problems import Problem, invalid
from ekiden_gateway.receivers import BY_ITS_OWNER
from tests.unit.page.sessions import SITUATIONS, rendered, visitor
from tests.unit.page.test_words import places

SOURCES = [Path(package.__path__[0]) for package in (ekiden, ekiden_gateway)]
GONE = "its receiver answered 410 Gone"
NOTHING = f"nothing has arrived for {FAILING_FOR.days} days"
STORED = {
    *(dead_letters.UNDECODABLE, dead_letters.OVERSIZED, dead_letters.HANDLER_CRASHED, "delivery_limit", "rejected"),
    *("pending", "accepted", "completed", "unknown", "unusable", "not_sent", "held_back", "refused", "failed"),
    *(BY_ITS_OWNER, GONE, NOTHING, *(f"the webhook is disabled: {why}" for why in (BY_ITS_OWNER, GONE, NOTHING))),
    *("the receiver said that it is gone", "its last attempt has failed", "only the beginning of its body was kept"),
}
"""Fixed sentences that come out of the database, or through a model of the API."""
WORDS = {
    *(status.lower().replace("_", " ") for status in TaskStatus),
    *(status.capitalize() for status in (TaskStatus.FAILED, TaskStatus.CANCELLED)),
    *Situation,
    *("minute", "hour", "day of month", "month", "day of week", "is not valid", "{messages} waits", "{messages} wait"),
}
"""What is put together where it is said."""
COUNTED = ("task", "call", "attempt", "event", "message", "worker", "{provider}-worker")
ENGLISH = re.compile(r"[A-Za-z]{2,}(?:[ ,;:.]+[A-Za-z]{2,}){2,}")
"""Three words in a row are a sentence that nobody has translated."""


def patterns() -> Iterator[str]:
    """Every sentence that is said with `told`."""
    for folder in SOURCES:
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case ast.Call(func=ast.Name(id="told"), args=[ast.Constant(value=str(pattern))]):
                        yield pattern
                    case _:
                        pass


def counted() -> set[str]:
    return {count(number, word, provider="gpt").pattern for word in COUNTED for number in (1, 2)}


def test_every_sentence_has_its_japanese_and_none_is_left_over() -> None:
    said = {*patterns(), *STORED, *WORDS, *counted(), *(kind.meaning for kind in KINDS.values())}
    assert len(set(patterns())) > 100
    assert said - set(sentences("ja")) == set()
    assert set(sentences("ja")) - said == set()


def test_a_japanese_sentence_names_no_place_that_the_english_has_not() -> None:
    wrong = {pattern for pattern, text in sentences("ja").items() if not places(text) <= places(pattern)}
    assert wrong - {kind.meaning for kind in KINDS.values()} == set()
    assert not [
        text for text in sentences("ja").values() if ENGLISH.search(re.sub(r"[A-Z]{3,}|0 9|https?:\S+", "", text))
    ]


class Read(HTMLParser):
    """The text of a page as it is its own: what somebody else wrote stands in `bdi`, code in `code` and `pre`."""

    OTHERS = ("bdi", "code", "pre", "textarea", "script", "title")

    def __init__(self) -> None:
        super().__init__()
        self._inside: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.OTHERS:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside and data.strip():
            self.said.append(data.strip())


def english(page: str) -> list[str]:
    read = Read()
    read.feed(page)
    return [text for text in read.said if ENGLISH.search(text)]


def test_a_sentence_of_english_is_found() -> None:
    assert english("<p>Waits for approval before that.</p>")
    assert not english("<p>承認を待っています <bdi>a text of somebody's own</bdi></p>")


@pytest.mark.parametrize("name", list(SITUATIONS))
def test_a_japanese_page_says_nothing_in_english(name: str) -> None:
    assert english(rendered(SITUATIONS[name](), visitor("ja"))) == []


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize("template", ["problem.html.j2", "notice.html.j2"])
def test_a_problem_is_explained_in_japanese_whatever_its_detail_says(name: str, template: str) -> None:
    problem = Problem(KINDS[name], "It is a detail that nobody has translated.")
    shown = bytes(page(visitor("ja"), template, problem=problem).body).decode()
    assert english(shown) == []
    assert "nobody has translated" not in shown
    assert sentences("ja")[problem.kind.meaning] in shown


def test_a_problem_says_in_japanese_what_it_says_in_english() -> None:
    why = told("the session does not wait for {task}", task="<i>")
    shown = bytes(page(visitor("ja"), "problem.html.j2", problem=Problem(CONFLICT, why)).body).decode()
    assert "セッションは<bdi>&lt;i&gt;</bdi>を待っていません" in shown


def test_an_error_of_a_field_is_said_in_both_languages() -> None:
    found = mistaken(invalid("theme", told("must have at most {max_length} characters", max_length=10)))
    assert INVALID.name in KINDS
    assert words("en").said(found["theme"]) == "must have at most <bdi>10</bdi> characters"
    assert words("ja").said(found["theme"]) == "<bdi>10</bdi>字以内で入れてください"
    assert words("ja").said("nobody knows this", "is not valid") == "正しくありません"


def test_a_sentence_is_plain_english_to_everybody_else() -> None:
    sentence = told("{tasks}: {why}", tasks=("a", "b"), why=told("{n} lost", n=2))
    assert (sentence, isinstance(sentence, str), type(sentence)) == ("a, b: 2 lost", True, Told)


@pytest.mark.parametrize(
    ("expression", "japanese", "in_english"),
    [
        ("0 9 * * MON-FRI", "月曜〜金曜 9:00", "Monday to Friday, 9:00"),
        ("*/15 * * * *", "毎日 15分ごと", "every day, every 15 minutes"),
        ("30 18 1,15 * *", "毎月1日、15日 18:30", "each month: day 1, day 15, 18:30"),
        ("0 8 * JAN-MAR 1", "1〜3月の月曜 8:00", "in months 1 to 3: Monday, 8:00"),
        ("0 9 * * 1#2", "第2月曜 9:00", "Monday no. 2, 9:00"),
        ("0 9 * * 5L", "最後の金曜 9:00", "the last Friday, 9:00"),
        ("0 0 L * *", "毎月末日 0:00", "each month: the last day, 0:00"),
        ("0 9 15 * 1", "毎月15日または月曜 9:00", "each month: day 15 or Monday, 9:00"),
        ("0 9-17/2 * * *", "毎日 9〜17時の2時間ごとの0分", "every day, minute 0 of hours 9 to 17, every 2 hours"),
        ("15 * * * *", "毎日 毎時の15分", "every day, minute 15 of every hour"),
    ],
)
def test_a_cron_expression_is_told_in_words(expression: str, japanese: str, in_english: str) -> None:
    assert (timetable(expression, words("ja")), timetable(expression, words("en"))) == (japanese, in_english)
