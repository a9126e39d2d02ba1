"""Lines of mixed Japanese and Latin text, measured in cells."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ekiden_cli.wrap import clean, pad, shorten, wrap

MIXED = st.text(alphabet=st.sampled_from("AIと働き方、。「」（）word 12% #タグ\n"), max_size=200)


@given(MIXED, st.integers(8, 60))
def test_no_line_is_wider_than_it_may_be(text: str, width: int) -> None:
    assert all(cell_len(line) <= width for line in wrap(text, width))


@given(MIXED, st.integers(8, 60))
def test_nothing_but_spaces_is_lost_at_a_break(text: str, width: int) -> None:
    assert "".join("".join(wrap(text, width)).split()) == "".join(text.split())


def test_latin_words_stay_whole_and_japanese_fills_the_line() -> None:
    assert wrap("AIで浮いた時間をMicrosoftはどう測るか", 20) == ["AIで浮いた時間を", "Microsoftはどう測る", "か"]


def test_no_line_begins_with_a_closing_mark_or_ends_with_an_opening_one() -> None:
    assert wrap("ああああ、いいい「うう」", 8) == ["あああ", "あ、いい", "い「う", "う」"]


def test_line_breaks_of_the_text_are_kept() -> None:
    assert wrap("一\n\n二", 20) == ["一", "", "二"]


def test_a_text_cannot_command_the_terminal() -> None:
    told = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://evil\x1b\\link\x9b2J\x07\r\u202eevil"

    assert clean(told) == "red link2Jevil"


def test_shortening_counts_cells() -> None:
    assert shorten("トレンド調査", 8) == "トレン…"
    assert shorten("short", 8) == "short"
    assert pad("企画", 6) == "企画  "
