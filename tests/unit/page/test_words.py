"""Every text of the page is there in both languages, says the same things, and stands in no template."""

import re
import string
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ekiden import domain
from ekiden.domain.session import Status, WaitingReason
from ekiden_gateway.kinds import KINDS
from ekiden_gateway.page.languages import DEFAULT, LANGUAGES, preferred, texts, words
from ekiden_gateway.page.rendering import TEMPLATES

PAGE = TEMPLATES.parent
DOMAIN = Path(domain.__file__).parent
OURS = sorted(path for path in TEMPLATES.glob("*.j2") if path.name != "reference.html.j2")
NAMES = {"Ekiden", "駅伝", "campaign:autumn"}
"""What is called so in every language."""
SPOKEN = ("aria-label", "title", "placeholder", "alt", "aria-description")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_languages_have_the_same_keys_with_the_same_places() -> None:
    assert LANGUAGES == ("ja", "en")
    english = texts("en")
    for language in LANGUAGES:
        assert set(texts(language)) == set(english)
        for key, text in texts(language).items():
            assert text.strip(), f"{language}: {key}"
    uneven = {key for key in english if places(texts("ja")[key]) != places(english[key])}
    assert uneven <= {key for key in uneven if key.startswith("unit.") or key.endswith(".one")}


def test_japanese_is_written_in_japanese() -> None:
    brands = ("choice.", "language.", "nav.docs")
    same = {key for key, text in texts("ja").items() if text == texts("en")[key] and re.search("[A-Za-z]{2}", text)}
    assert not [key for key in same if not key.startswith(brands)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_has_a_name_in_the_code_has_one_on_the_page(language: str) -> None:
    named = [f"status.{status}" for status in Status]
    named += [f"reason.{reason}" for reason in WaitingReason]
    named += [f"problem.{name}" for name in KINDS]
    told = re.findall(r'\bEvent\(\s*"(\w+)"', "".join(path.read_text("utf-8") for path in DOMAIN.glob("*.py")))
    assert len(told) > 20
    named += [f"event.{name}" for name in told if name != "CostSettled"]
    assert not [key for key in named if not words(language).has(key)]


def keys(source: str) -> set[str]:
    """The keys a template or a module asks for, as far as it names them."""
    return set(re.findall(r"""(?:\bt|words|self|say|\.count)\(\s*f?["']([a-z_]+\.[a-zA-Z_.]+)["']""", source))


def sources() -> Iterator[tuple[Path, str]]:
    for path in [*OURS, *sorted(PAGE.rglob("*.py"))]:
        yield path, path.read_text("utf-8")


def test_every_text_that_is_asked_for_is_there() -> None:
    known = set(texts(DEFAULT)) | {key.rpartition(".")[0] for key in texts(DEFAULT)}
    for path, source in sources():
        missing = {key.rstrip(".") for key in keys(source)} - known
        assert not missing, path.name


def test_no_text_is_there_that_nobody_asks_for() -> None:
    whole = "\n".join(source for _, source in sources())
    asked = keys(whole) | set(re.findall(r"""["']([a-z_]+\.[a-zA-Z_]*\.?)["'] ?~""", whole))
    asked |= set(re.findall(r"""f["']([a-z_]+\.)\{""", whole))
    asked |= set(re.findall(r"""choice\(t, '([a-z_.]+)'""", whole))
    unread = [key for key in texts(DEFAULT) if not any(key == a or key.startswith(f"{a.rstrip('.')}.") for a in asked)]
    assert not unread


class Bare(HTMLParser):
    """Collects what a template says itself."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def handle_data(self, data: str) -> None:
        data = re.sub(rf'(?<![\w-])(?!{"|".join(SPOKEN)})[\w:-]+="[^"]*"', "", data)  # attributes that a macro makes
        self.said += [word for word in re.findall(r"[^\W\d_]{2,}(?::\w+)?", data) if word not in NAMES]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in SPOKEN and value:
                self.handle_data(value)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_no_template_says_anything_itself(path: Path) -> None:
    source = re.sub(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", "", path.read_text("utf-8"), flags=re.DOTALL)
    bare = Bare()
    bare.feed(source)
    assert bare.said == []


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ja", "ja"),
        ("ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        ("en-US,en;q=0.9,ja;q=0.8", "en"),
        ("de,fr;q=0.8", "en"),
        ("de,ja;q=0.1", "ja"),
        ("en;q=0,ja;q=0.1", "ja"),
        ("ja;q=nonsense, en;q=0.1", "en"),
        ("*", "en"),
        (",;,;q=", "en"),
    ],
)
def test_a_browser_gets_the_language_it_asks_for_most(header: str, language: str) -> None:
    assert preferred(header) == language


def test_numbers_are_written_as_people_read_them() -> None:
    say = words("en")
    assert [say.money(usd) for usd in (0, 0.000296, 0.03179, 1.5, 1234)] == [
        "$0.00", "$0.0003", "$0.0318", "$1.50", "$1,234.00",
    ]  # fmt: skip
    assert [say.seconds(span) for span in (0.04, 9.94, 10, 61, 3723)] == [
        "0.0 s", "9.9 s", "10 s", "1 min 01 s", "1 h 02 min",
    ]  # fmt: skip
    assert words("ja").seconds(61) == "1分01秒"


def test_two_fields_of_one_answer_are_not_called_the_same() -> None:
    for language in LANGUAGES:
        assert words(language)("field.moment") != words(language)("field.window")


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_a_template_uses_every_macro_it_imports(path: Path) -> None:
    source = path.read_text("utf-8")
    imported = re.findall(r"import (.+?) %\}", source)
    names = [one.split(" as ")[-1].strip() for found in imported for one in found.split(",")]
    assert not [name for name in names if not re.search(rf"\b{name}\(", source)]
