"""Quotation marks inside quotation marks."""

from ekiden_simulator.answers.wording import Language

_INNER = {"ja": str.maketrans("「」", "『』"), "en": str.maketrans('"', "'")}


def inner(text: str, language: Language) -> str:
    """Give a text the inner kind of quotation marks, for quoting it as a whole."""
    return text.translate(_INNER[language])
