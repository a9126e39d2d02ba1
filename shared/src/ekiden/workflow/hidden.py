"""Characters that nobody sees: in them a page can hide a text from people but not from a model, or a model from both.

Two readings. A prompt loses all of them. A text that people will post keeps those that writing needs: the joiners of
emoji and of Persian, one variation selector behind a character, the marks of direction.
"""

import re

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_ALWAYS = (
    r"\u00ad\u034f\u115f\u1160\u180b-\u180f\u200b\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    r"\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e00ff"
)
_MARKS = r"\u061c\u200c-\u200f"
_SELECTING = r"\ufe00-\ufe0f\U000e0100-\U000e01ef"
_ANY = re.compile(rf"[{_CONTROLS}{_ALWAYS}{_MARKS}{_SELECTING}]")
"""All that either reading may take out: most texts have none of it, which is soon seen."""
_IN_PROMPTS = re.compile(rf"[{_CONTROLS}{_ALWAYS}{_MARKS}]")
_IN_TEXTS = re.compile(rf"[{_CONTROLS}{_ALWAYS}]|(?<=[!-~])[{_MARKS}]+(?=[!-~])")
"""Joiners and marks of direction have no use within Latin text, but to break an address that a reader's eye puts
together again."""
_SELECTORS = re.compile(rf"[{_SELECTING}]{{2,}}")
"""Each selects a shape of the character before it; a run of them selects nothing and can spell any text."""


def unseen_removed(text: str) -> str:
    """A text from outside as a prompt may hold it."""
    return _SELECTORS.sub("", _IN_PROMPTS.sub("", text)) if _ANY.search(text) else text


def without_hidden(text: str) -> str:
    """A model's text as people may post it."""
    return _SELECTORS.sub("", _IN_TEXTS.sub("", text)) if _ANY.search(text) else text
