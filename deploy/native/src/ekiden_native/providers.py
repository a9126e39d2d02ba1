"""Which providers are real: decided once, before anything starts, and said aloud."""

from collections.abc import Mapping
from dataclasses import dataclass

from ekiden_native.errors import MixedProviders

SIMULATOR_KEY = "simulator"
"""The value of both API keys when the simulator answers; in a caller's environment it counts as no key."""


@dataclass(frozen=True)
class Providers:
    """The providers of a stack: where each is reached for real, or None when it is simulated."""

    openai: str | None
    perplexity: str | None

    @property
    def simulator_needed(self) -> bool:
        return self.openai is None or self.perplexity is None

    @property
    def announcement(self) -> str:
        """One sentence for a person, to be printed before anything can cost money."""
        real = {"OpenAI": self.openai, "Perplexity": self.perplexity}
        sentences = [f"{name} is REAL and costs money ({where})." for name, where in real.items() if where]
        sentences += [f"{name} is simulated." for name, where in real.items() if not where]
        return " ".join(sentences)

    @property
    def defaults(self) -> dict[str, str]:
        """Return what services are told unless the caller says otherwise: a simulator has no account's rate limit."""
        return {"EKIDEN_PERPLEXITY_RATE_PER_MINUTE": "unlimited"} if self.perplexity is None else {}

    def environment(self, simulator_url: str) -> dict[str, str]:
        """Return the variables that send the simulated providers to the simulator."""
        variables: dict[str, str] = {}
        if self.openai is None:
            variables |= {"OPENAI_API_KEY": SIMULATOR_KEY, "OPENAI_BASE_URL": f"{simulator_url}/v1"}
        if self.perplexity is None:
            variables |= {"PERPLEXITY_API_KEY": SIMULATOR_KEY, "PERPLEXITY_BASE_URL": simulator_url}
        return variables


def forget_simulator(environ: Mapping[str, str]) -> dict[str, str]:
    """Drop what a shell that sourced a stack.env knows of that stack's simulator.

    A real key must not be sent to the address of a simulator that ran yesterday.
    """
    simulator_url = environ.get("EKIDEN_SIMULATOR_URL")
    left_over = {
        "OPENAI_API_KEY": SIMULATOR_KEY,
        "PERPLEXITY_API_KEY": SIMULATOR_KEY,
        "OPENAI_BASE_URL": f"{simulator_url}/v1",
        "PERPLEXITY_BASE_URL": simulator_url,
    }
    return {name: value for name, value in environ.items() if left_over.get(name, "") != value}


def choose_providers(environ: Mapping[str, str], *, simulate: bool) -> Providers:
    """Decide from the caller's keys. Raises MixedProviders when exactly one is set and that is not allowed."""
    openai, perplexity = (
        None if simulate else _real_address(environ, provider) for provider in ("OPENAI", "PERPLEXITY")
    )
    if (openai is None) != (perplexity is None) and environ.get("EKIDEN_MIX_SIMULATOR", "off") != "on":
        present, absent = ("OPENAI", "PERPLEXITY") if openai else ("PERPLEXITY", "OPENAI")
        raise MixedProviders(
            f"{present}_API_KEY is set and {absent}_API_KEY is not. Set both to use the real providers, neither "
            f"to simulate both, or EKIDEN_MIX_SIMULATOR=on to simulate only the one without a key."
        )
    return Providers(openai=openai, perplexity=perplexity)


def _real_address(environ: Mapping[str, str], provider: str) -> str | None:
    if environ.get(f"{provider}_API_KEY", "") in ("", SIMULATOR_KEY):
        return None
    return environ.get(f"{provider}_BASE_URL") or "its own address"
