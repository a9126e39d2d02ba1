"""How many tokens a text has, roughly.

Neither provider publishes the tokenizer of its current models, and a real one costs milliseconds per prompt. The rule
of thumb is 4 characters a token for Latin script and 1.3 for Japanese; whatever is not ASCII counts as Japanese.
"""

from math import ceil

LATIN_CHARACTERS_PER_TOKEN = 4.0
JAPANESE_CHARACTERS_PER_TOKEN = 1.3


def estimate(text: str) -> int:
    """Return the estimated number of tokens of a text; 0 only for an empty one."""
    latin = len(text.encode("ascii", "ignore"))
    return ceil(latin / LATIN_CHARACTERS_PER_TOKEN + (len(text) - latin) / JAPANESE_CHARACTERS_PER_TOKEN)


def cut(text: str, tokens: int) -> str:
    """Return the beginning of a text that has about so many tokens, the whole text when it has no more."""
    whole = estimate(text)
    return text if whole <= tokens else text[: len(text) * max(tokens, 0) // whole]
