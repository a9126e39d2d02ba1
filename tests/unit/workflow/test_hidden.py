"""A text with nothing hidden is seen to be one at a glance; one with anything is read as closely as ever."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from ekiden.workflow.hidden import _ANY, _IN_PROMPTS, _IN_TEXTS, _SELECTORS, unseen_removed, without_hidden

EVERY = [chr(number) for number in range(sys.maxunicode + 1)]


def test_the_glance_sees_every_character_that_can_be_taken_out() -> None:
    seen = set(_ANY.findall("".join(EVERY)))
    taken = _IN_PROMPTS.findall("".join(EVERY)) + _IN_TEXTS.findall("a".join(EVERY))
    doubled = _SELECTORS.findall(" ".join(each * 2 for each in EVERY))
    assert seen >= {character for found in taken + doubled for character in found}


@given(st.text(alphabet=st.characters() | st.sampled_from("ab\u200c\u200d\u061c\ufe0f\ufe00\U000e0100\U000e0041")))
def test_what_is_taken_out_does_not_depend_on_the_glance(text: str) -> None:
    assert unseen_removed(text) == _SELECTORS.sub("", _IN_PROMPTS.sub("", text))
    assert without_hidden(text) == _SELECTORS.sub("", _IN_TEXTS.sub("", text))
