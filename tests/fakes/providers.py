"""One provider more, for as long as a test takes."""

from collections.abc import Generator
from contextlib import contextmanager

from ekiden.domain import provider
from ekiden.domain.provider import Kind, Provider


@contextmanager
def one_more(name: str, kind: Kind) -> Generator[Provider]:
    yield Provider.add(name, kind)
    del provider._KNOWN[name]
