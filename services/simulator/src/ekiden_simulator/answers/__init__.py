"""What the simulated providers say: drafts that read like drafts about the theme, and searches that rest on nothing.

Texts come from `phrases/<language>.json`; addresses only from names reserved for examples, so that no real site is
misquoted. The same seed and messages always give the same answer.
"""

from ekiden_simulator.answers.completion import complete
from ekiden_simulator.answers.web_search import SearchAnswer, SearchResult, search

__all__ = ["SearchAnswer", "SearchResult", "complete", "search"]
