"""How long a provider takes, in seconds before `EKIDEN_SIMULATOR_TIME_SCALE` is applied.

Pure and drawn from the request itself, so concurrency changes nothing: the same seed and text always take as long.
"""

from math import exp, log
from statistics import NormalDist

from ekiden_simulator.chance import fraction

SUBMIT_SECONDS = 0.35
"""Perplexity answers a background submission with `queued` after this (captured 2026-10-09)."""

SEARCH_MEDIAN_SECONDS = 70.0
SEARCH_SIGMA = 0.1
SEARCH_RANGE_SECONDS = (55.0, 95.0)
"""What the first version of Ekiden measured for its searches; log-normal, cut at both ends."""

CHAT_RANGE_SECONDS = (8.0, 20.0)
CHAT_FULL_TOKENS = 1500
"""GPT takes 8 s for a short answer and reaches 20 s at about this many completion tokens."""
CHAT_JITTER = 0.1


def search_seconds(seed: int, text: str) -> float:
    """Return the seconds one search run takes."""
    deviation = NormalDist().inv_cdf(fraction(seed, "search", text))
    return _within(SEARCH_RANGE_SECONDS, exp(log(SEARCH_MEDIAN_SECONDS) + SEARCH_SIGMA * deviation))


def chat_seconds(seed: int, text: str, completion_tokens: int) -> float:
    """Return the seconds one chat completion of this size takes."""
    low, high = CHAT_RANGE_SECONDS
    typical = low + (high - low) * min(1.0, completion_tokens / CHAT_FULL_TOKENS)
    return _within(CHAT_RANGE_SECONDS, typical * (1 + CHAT_JITTER * (2 * fraction(seed, "chat", text) - 1)))


def _within(limits: tuple[float, float], seconds: float) -> float:
    return min(max(seconds, limits[0]), limits[1])
