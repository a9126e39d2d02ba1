"""Which providers a native stack uses for real. Money depends on it."""

import pytest

from ekiden_native.errors import MixedProviders
from ekiden_native.providers import choose_providers, forget_simulator

OPENAI = {"OPENAI_API_KEY": "sk-real"}
PERPLEXITY = {"PERPLEXITY_API_KEY": "pplx-real"}
MIX = {"EKIDEN_MIX_SIMULATOR": "on"}


@pytest.mark.parametrize("environ", [{}, {"OPENAI_API_KEY": ""}, MIX, {"OPENAI_API_KEY": "simulator"}])
def test_without_a_key_both_providers_are_simulated(environ: dict[str, str]) -> None:
    providers = choose_providers(environ, simulate=False)

    assert providers.simulator_needed
    assert providers.environment("http://127.0.0.1:8090") == {
        "OPENAI_API_KEY": "simulator",
        "OPENAI_BASE_URL": "http://127.0.0.1:8090/v1",
        "PERPLEXITY_API_KEY": "simulator",
        "PERPLEXITY_BASE_URL": "http://127.0.0.1:8090",
    }


def test_with_both_keys_both_providers_are_real_and_the_announcement_says_so() -> None:
    providers = choose_providers(OPENAI | PERPLEXITY, simulate=False)

    assert not providers.simulator_needed
    assert providers.environment("http://127.0.0.1:8090") == {}
    assert "OpenAI is REAL" in providers.announcement
    assert "Perplexity is REAL" in providers.announcement


def test_simulate_drops_both_keys() -> None:
    providers = choose_providers(OPENAI | PERPLEXITY, simulate=True)

    assert providers.announcement == "OpenAI is simulated. Perplexity is simulated."
    assert providers.environment("http://s")["OPENAI_API_KEY"] == "simulator"
    assert providers.environment("http://s")["PERPLEXITY_API_KEY"] == "simulator"


def test_a_simulated_search_provider_has_no_rate_limit_and_a_real_one_keeps_its_own() -> None:
    assert choose_providers({}, simulate=False).defaults == {"EKIDEN_PERPLEXITY_RATE_PER_MINUTE": "unlimited"}
    assert choose_providers(OPENAI | PERPLEXITY, simulate=False).defaults == {}


def test_simulate_needs_no_second_key() -> None:
    assert choose_providers(OPENAI, simulate=True).simulator_needed


@pytest.mark.parametrize("environ", [OPENAI, PERPLEXITY, OPENAI | {"EKIDEN_MIX_SIMULATOR": "off"}])
def test_one_key_of_two_stops_with_a_sentence(environ: dict[str, str]) -> None:
    with pytest.raises(MixedProviders, match="EKIDEN_MIX_SIMULATOR=on"):
        choose_providers(environ, simulate=False)


def test_the_sentence_names_the_key_that_is_missing() -> None:
    with pytest.raises(MixedProviders, match="OPENAI_API_KEY is set and PERPLEXITY_API_KEY is not"):
        choose_providers(OPENAI, simulate=False)


def test_a_mixture_that_is_allowed_simulates_only_the_provider_without_a_key() -> None:
    providers = choose_providers(OPENAI | MIX, simulate=False)

    assert providers.environment("http://s") == {"PERPLEXITY_API_KEY": "simulator", "PERPLEXITY_BASE_URL": "http://s"}
    assert "OpenAI is REAL" in providers.announcement
    assert "Perplexity is simulated." in providers.announcement


def test_the_announcement_never_shows_a_key() -> None:
    announcement = choose_providers(OPENAI | PERPLEXITY, simulate=False).announcement

    assert "sk-real" not in announcement
    assert "pplx-real" not in announcement


def test_the_announcement_shows_an_address_of_the_users_own() -> None:
    environ = OPENAI | PERPLEXITY | {"OPENAI_BASE_URL": "http://gpu.local/v1"}

    assert "http://gpu.local/v1" in choose_providers(environ, simulate=False).announcement


def test_a_sourced_stack_env_does_not_send_a_real_key_to_an_old_simulator() -> None:
    sourced = {
        "EKIDEN_SIMULATOR_URL": "http://127.0.0.1:8090",
        "OPENAI_BASE_URL": "http://127.0.0.1:8090/v1",
        "PERPLEXITY_BASE_URL": "http://127.0.0.1:8090",
    }

    assert forget_simulator(sourced | OPENAI) == {"EKIDEN_SIMULATOR_URL": "http://127.0.0.1:8090"} | OPENAI


def test_an_address_of_the_users_own_is_kept() -> None:
    environ = {"OPENAI_BASE_URL": "http://gpu.local/v1", "EKIDEN_SIMULATOR_URL": "http://127.0.0.1:8090"}

    assert forget_simulator(environ) == environ
