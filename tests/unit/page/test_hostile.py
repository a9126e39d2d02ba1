"""What models, people and providers write is text: it runs nothing, loads nothing, and leads nowhere but to the web."""

import re
from dataclasses import replace

import pytest

from ekiden.domain.messages import Outcome, TaskStatus
from ekiden.domain.session import Failure
from ekiden_gateway.page.rendering import clipped, label, web_address
from tests.unit.page.markup import Markup
from tests.unit.page.sessions import Runner, Told, draft, over, rendered

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<style>body{display:none}</style>",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    'https://ok.example/" onmouseover="alert(1)',
    "https://user:pass@evil.example/<b>",
    "![x](https://evil.example/pixel.png)",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u202c \u2066hidden\u2069",
    "\x00\x07\ud800",
    "a" * 100_000,
    "<!--",
    "]]>",
    "&lt;script&gt;",
]


def hostile() -> Told:
    evil = {"note": "\n".join(EVIL), **{re.sub("[.$\0]", "_", text[:50]): text for text in EVIL}}
    answers = {
        "questions": {"questions": [{"question": text, "intent": text} for text in EVIL[:3]]},
        "note": evil,
        "rows": {"rows": [{"n": 1, "title": text, "url": text} for text in EVIL], "deep": [[[[[[[[[EVIL]]]]]]]]]},
        "search": {"text": EVIL[0], "sources": [{"url": text, "title": text} for text in EVIL]},
    }
    clean = {name: _encodable(answer) for name, answer in answers.items()}
    text = str(_encodable("".join(EVIL)))
    runner = Runner(input={"theme": text, "style": EVIL[1]}, metadata={"k": EVIL[0]}).start().run(over, clean)
    told = runner.told()
    fields = {f"field{n}": _encodable(text) for n, text in enumerate(EVIL)}
    drafts = [
        draft(1, title=text, content=text, sources=[{"url": _encodable(t), "title": _encodable(t)} for t in EVIL]),
        draft(2, **fields) | {"editedContent": text, "flags": EVIL[:2]},
    ]
    session = replace(told.session, failure=Failure(EVIL[0], text))
    for row in told.ledger:
        row["error"] = {"error": EVIL[0], "message": text}
    return replace(told, session=session, drafts=drafts)


def _encodable(value: object) -> object:
    """As it comes out of the database: no half characters."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(inner) for name, inner in value.items()}
    return [_encodable(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def page() -> Markup:
    return Markup.of(rendered(hostile()))


def test_nothing_runs(page: Markup) -> None:
    scripts = [e.attributes.get("src") or "" for e in page.all("script")]
    assert len(scripts) == 2
    assert all(source.startswith("/static/") for source in scripts)
    handlers = [name for e in page.elements for name in e.attributes if name.startswith("on")]
    assert handlers == []


def test_nothing_is_loaded_or_styled(page: Markup) -> None:
    assert {e.tag for e in page.elements} & {
        "img",
        "iframe",
        "object",
        "embed",
        "style",
        "base",
        "audio",
        "video",
    } == set()
    assert [e for e in page.elements if "style" in e.attributes] == []
    assert all((e.attributes.get("href") or "").startswith("/static/") for e in page.all("link"))


def test_links_lead_to_us_or_to_the_web_and_tell_nobody_where_they_come_from(page: Markup) -> None:
    links = [(e.attributes.get("href") or "", e) for e in page.all("a")]
    outside = [(href, e) for href, e in links if not href.startswith(("/", "#"))]
    assert outside, "sources are linked"
    for href, element in outside:
        assert re.match(r"https?://[^\s\"<>]", href)
        assert set((element.attributes["rel"] or "").split()) == {"noopener", "noreferrer", "nofollow"}


def test_what_was_written_is_there_to_read(page: Markup) -> None:
    text = " ".join(e.text for e in page.all("main"))
    for said in (
        "<script>alert(1)</script>",
        "javascript:alert(1)",
        "{{ 7 * 7 }}",
        "![x](https://evil.example/pixel.png)",
    ):
        assert said in text


def test_text_of_another_direction_stays_in_its_place(page: Markup) -> None:
    """An override ends with the element that isolates it."""
    heading = page.all("h1")[0].text
    assert "\u202e" in heading
    assert heading in {e.text for e in page.all("bdi")}


def test_only_an_address_of_the_web_is_one() -> None:
    others = [
        "",
        "//evil.example",
        "https://",
        "https:///x",
        "http://[::1",
        "ftp://x.example",
        "https://a.example/" * 200,
        "https://user:pass@a.example/",
    ]
    linked = [text for text in [*EVIL, *others] if web_address(text) is not None]
    assert linked == []


def test_a_web_address_is_linked_as_it_is() -> None:
    assert web_address("https://example.com/記事?a=1#b") == "https://example.com/記事?a=1#b"


def test_a_text_without_end_is_cut() -> None:
    assert len(clipped("a" * 100_000)) == 20_001
    assert len(rendered(hostile())) < 3_000_000


def test_a_name_of_a_field_reads_as_words() -> None:
    assert [label(name) for name in ("visualGuide", "risk_assessment", "n", "")] == [
        "Visual guide",
        "Risk assessment",
        "N",
        "",
    ]


def test_a_refused_call_says_what_the_provider_said() -> None:
    told = Runner().start().end(Outcome(TaskStatus.FAILED, error="RequestRejected", message=EVIL[0])).told()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in rendered(told)
