"""The providers: an open set. What the rest of the system asks of one is its name and its kind, and nothing else.

Two are Ekiden's own. Whoever runs it adds others with EKIDEN_PROVIDERS: docs/add-a-provider.md.
"""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import ClassVar

PROVIDER_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
"""What can stand in the name of a queue, a routing key, a label and, in capitals, a variable."""


class Kind(StrEnum):
    """What a provider is asked for. It decides how its calls are treated.

    A TEXT is written by a model: it has a form, is asked for again when it has another one, and is sent again when
    its outcome is unknown. A SEARCH is bought once: its answer is taken as it comes and shared with whoever asks the
    same, and a person decides about an unknown outcome.
    """

    TEXT = "text"
    SEARCH = "search"


class _Set(type):
    """Lets the class be walked through like an enumeration."""

    def __iter__(cls) -> Iterator["Provider"]:
        return iter(tuple(_KNOWN.values()))


class Provider(str, metaclass=_Set):
    """A provider by its name. There is one value for each: `Provider("gpt") is Provider.GPT`.

    Raises ValueError for a name that is not known.
    """

    GPT: ClassVar["Provider"]
    PERPLEXITY: ClassVar["Provider"]
    kind: Kind

    def __new__(cls, name: str) -> "Provider":
        known = _KNOWN.get(name)
        if known is None:
            raise ValueError(f"there is no provider {name!r}; there are {', '.join(_KNOWN)}")
        return known

    @property
    def value(self) -> str:
        return str(self)

    @property
    def searches(self) -> bool:
        return self.kind is Kind.SEARCH

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Callable[[type], object]) -> dict[str, object]:
        """Lets a field of a pydantic model be one: a text that names a provider."""
        made = {"type": "no-info", "function": cls}
        return {"type": "function-after", "function": made, "schema": handler(str)}

    @classmethod
    def add(cls, name: str, kind: Kind) -> "Provider":
        """Make a provider known. Done as a process starts, before anything walks through them; twice changes nothing.

        Raises ValueError for a name that cannot be a queue's, or that is known as one of another kind.
        """
        if not PROVIDER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a provider: small letters, digits and -, 32 at most")
        known = _KNOWN.get(name)
        if known is None:
            known = _KNOWN[name] = str.__new__(cls, name)
            known.kind = kind
        elif known.kind is not kind:
            raise ValueError(f"the provider {name!r} is one of {known.kind}")
        return known


_KNOWN: dict[str, Provider] = {}
Provider.GPT = Provider.add("gpt", Kind.TEXT)
Provider.PERPLEXITY = Provider.add("perplexity", Kind.SEARCH)
BUILT_IN: frozenset[str] = frozenset(_KNOWN)
