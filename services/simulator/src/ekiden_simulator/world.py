"""The state of one simulator: everything that a request reads or changes. Made by `app.py`, passed to every route."""

import asyncio
import time
from functools import lru_cache

from ekiden_simulator.answers import SearchAnswer, complete, search
from ekiden_simulator.bill import Bill
from ekiden_simulator.fault_script import FaultScript
from ekiden_simulator.provider import Provider
from ekiden_simulator.rate_limit import RateLimit
from ekiden_simulator.runs import Runs
from ekiden_simulator.settings import Settings

_REMEMBERED_ANSWERS = 4096
_OPENAI_SHOWN, _PERPLEXITY_SHOWN = 500, 50
"""Calls per minute in the recorded headers of an OpenAI account (2026-07) and of Perplexity tier 0 (2026-10)."""


class World:
    """Both providers' shared state."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = time.monotonic
        self.bill = Bill()
        self.faults = FaultScript(settings.seed, settings.faults)
        self.runs = Runs(self.clock)
        self.rates = {
            Provider.OPENAI: RateLimit(settings.openai_rate_per_minute, _OPENAI_SHOWN, self.clock),
            Provider.PERPLEXITY: RateLimit(settings.perplexity_rate_per_minute, _PERPLEXITY_SHOWN, self.clock),
        }
        self.chats_in_flight = 0
        self._search = lru_cache(_REMEMBERED_ANSWERS)(search)

    def complete(self, schema_name: str, schema: dict[str, object], messages: list[dict[str, str]]) -> str:
        """Return the text of a GPT answer."""
        return complete(schema_name, schema, messages, self.settings.seed)

    def search(self, prompt: str) -> SearchAnswer:
        """Return what a search finds; remembered, because it is asked at submission and again at every poll."""
        return self._search(prompt, self.settings.seed)

    def real(self, provider_seconds: float) -> float:
        """Turn a provider's seconds into real ones."""
        return provider_seconds * self.settings.time_scale

    async def pause(self, real_seconds: float) -> None:
        """Wait; at once when there is nothing to wait for."""
        if real_seconds > 0:
            await asyncio.sleep(real_seconds)

    def reset(self, *, keep_bill: bool) -> None:
        """Forget runs, faults and counters, and the bill unless it is to be kept."""
        self.runs.clear()
        self.faults.forget()
        for rate in self.rates.values():
            rate.clear()
        if not keep_bill:
            self.bill.clear()
