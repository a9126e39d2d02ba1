"""The audience: whether anybody listens at this gateway, so that nothing is brought here for nobody."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Audience:
    def __init__(self) -> None:
        self.somebody = asyncio.Event()
        """Set while somebody listens."""
        self.nobody = asyncio.Event()
        """Set while nobody does."""
        self.nobody.set()
        self._listening = 0

    @contextmanager
    def joined(self) -> Generator[None]:
        """Somebody listens for as long as this lasts."""
        self._listening += 1
        self.nobody.clear()
        self.somebody.set()
        try:
            yield
        finally:
            self._listening -= 1
            if not self._listening:
                self.somebody.clear()
                self.nobody.set()
