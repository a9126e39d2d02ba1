"""A bell: whoever listens hears it each time it is rung."""

import asyncio


class Bell:
    """Wakes all who wait for it. Between a look at what it tells of and `heard` nothing must be awaited."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()

    async def heard(self, within_seconds: float) -> bool:
        """Wait until it is rung; False when it was not."""
        rung = self._rung
        try:
            async with asyncio.timeout(within_seconds):
                await rung.wait()
        except TimeoutError:
            return False
        return True
