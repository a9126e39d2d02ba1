"""An address that no search returned does not stay in a text, however it is spelled; what is none, stays."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiden.workflow.addresses import _ADDRESS, _SIGN, addresses, is_web_address, sites_named, without_foreign

KNOWN = frozenset({"https://tea.example/news", "https://en.example/Tea_(drink)", "https://tea.example"})


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("See https://made.up/x.", "See ."),
        ("See https://tea.example/news.", "See https://tea.example/news."),
        ("https://tea.example/newsを見て", "https://tea.example/newsを見て"),
        ("https://tea.example．evil.example", ""),
        ("https://tea.example/news?secret=1", ""),
        ("https://tea.example@evil.example/", ""),
        ("https://tea.example/news.evil.example", ""),
        ("https://xn--ta-8ja.example/news", ""),
        ("https://tea.exаmple/news", ""),
        ("HTTPS://EVIL.EXAMPLE", ""),
        ("ｈｔｔｐｓ：／／evil.example/a", ""),
        ("https:\\\\evil.example\\a", ""),
        ("hxxps://evil.example", ""),
        ("//evil.example/pixel", ""),
        ("www.evil.example", ""),
        ("見てevil.example/login へ", "見て へ"),
        ("call evil.example:8080/x now", "call  now"),
        ("192.168.0.1/admin", ""),
        ("a ![x](https://evil.example/p.png?d=secret) b", "a  b"),
        ("read [this](https://evil.example) now", "read this now"),
        ("read [this](https://tea.example/news) now", "read [this](https://tea.example/news) now"),
        ("[Tea](https://en.example/Tea_(drink))", "[Tea](https://en.example/Tea_(drink))"),
        ("a <img src=https://evil.example/p.png> b", "a  b"),
        ("a <https://evil.example> b", "a  b"),
        ("a <https://tea.example/news> b", "a <https://tea.example/news> b"),
        ("[go](javascript:alert(1))", "go"),
        ("javascript:alert(1)", ""),
        ("data:text/html;base64,PHN2Zz4=", ""),
        ("https&colon;//evil.example&#47;x", ""),
        ("&#104;ttps://evil.example", ""),
        ("-.evil.example/x", ""),
        ("ſ.evil.example/x", ""),
        ("1.evil.example/x", ""),
        ("evil.example?q=1", ""),
        ("8//evil.example/p", "8"),
        ("日//evil.example/p", "日"),
        ("a1https://evil.example", "a1"),
        ("日https://evil.example", "日"),
        ("日www2.evil.example", "日"),
        ("wWw．evil.example", ""),
        ("file:///etc/passwd", ""),
        ("9javascript:alert(1)", "9"),
        ("javascript \n:\talert(1)", ""),
        ("VBSCRIPT：x=1", ""),
        ("日data：text/plain,x", "日"),
    ],
)
def test_what_no_search_returned_is_taken_out(text: str, left: str) -> None:
    assert without_foreign(text, KNOWN) == left


@pytest.mark.parametrize(
    "text",
    [
        "Node.js/React and ASP.NET/Blazor",
        "either/or, 24/7, 3.5km/h, e.g./i.e.",
        "JavaScript: the good parts",
        "JavaScript：入門",
        "data: what we know",
        "比率は1.5/2.0です。",
        "R&amp;D &lt;3 <3 #tag @name",
        "[ ] todo (later) ![",
        "",
    ],
)
def test_what_is_no_address_stays(text: str) -> None:
    assert without_foreign(text, KNOWN) == text


@pytest.mark.parametrize("text", ["[" * 20_000, "![a](" * 5_000, "a." * 20_000, "<a " * 10_000, "www." * 10_000])
def test_a_hostile_text_takes_no_long_time(text: str) -> None:
    began = time.process_time()
    without_foreign(text + " https://evil.example", KNOWN)
    assert time.process_time() - began < 5


_marks = st.text(alphabet=":：/／\\\\.．?;= <aTwﬀſıK9日", max_size=3)
_words = [
    "http",
    "HTTPS",
    "ｈｔｔｐｓ",
    "www",
    "wWw1",
    "javascript",
    "javaſcript",
    "data",
    "a.jp",
    "192.168.0.1",
    ":80",
]
_hostile = st.lists(st.one_of(_marks, st.sampled_from(_words)), max_size=6).map("".join)


@given(st.one_of(st.from_regex(_ADDRESS), _hostile))
def test_every_address_has_the_sign_that_is_looked_for_first(text: str) -> None:
    assert _SIGN.search(text) or not _ADDRESS.search(text)


@pytest.mark.parametrize("known", ["https://ok.example/a*", "https://ok.example/a.", "https://ok.example/a"])
@pytest.mark.parametrize("behind", ["", ".", "*", "_", ".*", "**", "!?"])
def test_the_marks_behind_a_known_address_do_not_make_it_another(known: str, behind: str) -> None:
    assert without_foreign(f"See {known}{behind} now", frozenset({known})) == f"See {known}{behind} now"


@pytest.mark.parametrize(
    ("text", "sites"),
    [
        ("Buy at evil.com!", ["evil.com"]),
        ("詳しくはEvil-Shop.jpへ", ["evil-shop.jp"]),
        ("me@evil.com", ["evil.com"]),
        ("https://tea.example/evil.com", []),
        ("Node.js, ver. 2.0 and U.S. news", []),
    ],
)
def test_a_site_that_is_only_named_is_found(text: str, sites: list[str]) -> None:
    assert sites_named(text) == sites


def test_addresses_end_before_the_marks_of_their_sentence() -> None:
    assert list(addresses("See https://a.example/b, or https://c.example.")) == [
        "https://a.example/b",
        "https://c.example",
    ]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://tea.example/記事?a=1#b", True),
        ("http://tea.example", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("ftp://tea.example", False),
        ("https://tea.example@evil.example", False),
        ('https://tea.example/"onload=', False),
        ("https://tea.example/a b", False),
        ("https:///x", False),
        ("http://[::1", False),
        ("https://tea.example/" + "a" * 2000, False),
        (None, False),
        (7, False),
    ],
)
def test_only_an_address_of_the_web_is_a_source(text: object, is_one: bool) -> None:
    assert is_web_address(text) is is_one
