"""The simulator's pure parts: chance, latency, tokens, rates, strict schemas, fault scripts, settings."""

import doctest
import statistics

import pytest

from ekiden_simulator import openai_headers
from ekiden_simulator.chance import fraction
from ekiden_simulator.fault_script import FaultScript
from ekiden_simulator.faults import Delay, Status
from ekiden_simulator.latency import chat_seconds, search_seconds
from ekiden_simulator.prices import chat_cost
from ekiden_simulator.provider import Operation, Provider
from ekiden_simulator.rate_limit import RateLimit
from ekiden_simulator.settings import SettingsError, read_settings
from ekiden_simulator.strict_schema import mistake_in
from ekiden_simulator.tokens import cut, estimate


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_chance_depends_on_seed_and_text_only() -> None:
    assert fraction(1, "a", "b") == fraction(1, "a", "b")
    assert len({fraction(1, "a"), fraction(2, "a"), fraction(1, "b"), fraction(1, "a", "")}) == 4
    assert all(0 < fraction(1, str(number)) < 1 for number in range(1000))


def test_searches_take_about_seventy_seconds() -> None:
    seconds = [search_seconds(1, str(number)) for number in range(2000)]
    assert 68 < statistics.median(seconds) < 72
    assert min(seconds) >= 55
    assert max(seconds) <= 95


def test_a_longer_chat_answer_takes_longer() -> None:
    assert 8 <= chat_seconds(1, "x", 10) < chat_seconds(1, "x", 800) < chat_seconds(1, "x", 5000) <= 20


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("abcd" * 10, 10), ("あ" * 13, 10), ("あ" * 13 + "abcd", 11)]
)
def test_tokens_are_counted_by_script(text: str, tokens: int) -> None:
    assert estimate(text) == tokens


def test_a_text_is_cut_to_about_so_many_tokens() -> None:
    assert estimate(cut("あ" * 130, 10)) == 10
    assert cut("short", 10) == "short"
    assert cut("あ" * 130, 0) == ""


def test_a_chat_costs_its_tokens() -> None:
    assert chat_cost("gpt-6-luna", 1000, 500) == pytest.approx(0.00035)


def test_durations_read_as_in_go() -> None:
    assert doctest.testmod(openai_headers).failed == 0


def test_a_rate_refills_continuously() -> None:
    clock = Clock()
    rate = RateLimit(60, 500, clock)
    assert [rate.take().accepted for _ in range(61)] == [True] * 60 + [False]
    assert rate.look().retry_after_seconds == pytest.approx(1)
    clock.now = 1.0
    assert [rate.take().accepted for _ in range(2)] == [True, False]
    assert (rate.accepted, rate.refused) == (61, 2)


def test_without_a_rate_nothing_is_refused() -> None:
    rate = RateLimit(None, 50, Clock())
    assert {rate.take().remaining for _ in range(1000)} == {49}


GOOD: dict[str, object] = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        },
        "not": {"type": ["string", "null"]},
    },
    "required": ["items", "not"],
    "additionalProperties": False,
}


def test_a_strict_schema_is_taken_and_its_property_names_are_not_keywords() -> None:
    assert mistake_in("x", GOOD) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"additionalProperties": True}, "'additionalProperties' is required"),
        ({"required": ["items"]}, "Missing 'not'"),
        ({"type": "array"}, "'type: \"object\"'"),
        ({"allOf": []}, "'allOf' is not permitted"),
        ({"properties": {"items": {"type": "array", "items": {"type": "object"}}}}, "('properties', 'items', 'items')"),
        ({"$defs": {"a": {"type": "object"}}}, "('$defs', 'a')"),
        ({"properties": {"items": {"anyOf": [{"type": "object"}]}}}, "('properties', 'items', 'anyOf', '0')"),
    ],
)
def test_the_first_mistake_of_a_strict_schema_is_named_with_its_place(change: dict[str, object], words: str) -> None:
    assert words in (mistake_in("x", {**GOOD, **change}) or "")


def test_delays_add_up_and_do_not_stop_the_fault_behind_them() -> None:
    error = Status(kind="status", status=500, times=1)
    faults = FaultScript(1, [Delay(kind="delay", seconds=1), Delay(kind="delay", seconds=2), error])
    strikes = [faults.strike(Provider.OPENAI, Operation.SUBMIT, None) for _ in range(2)]
    assert [(strike.delay_seconds, strike.fault) for strike in strikes] == [(3, error), (3, None)]


def test_settings_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EKIDEN_SIMULATOR_FAULTS", "")
    monkeypatch.setenv("EKIDEN_GATEWAY_PORT", "not ours")
    settings = read_settings()
    assert (settings.host, settings.port, settings.time_scale, settings.seed) == ("127.0.0.1", 8090, 0.01, 1)
    assert settings.faults == ()


def test_all_mistakes_in_the_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PORT": "many", "TIME_SCALE": "-1", "FAULTS": '[{"kind": "boom"}]', "TYPO": "1"}.items():
        monkeypatch.setenv(f"EKIDEN_SIMULATOR_{name}", value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    message = str(caught.value)
    for name in ("PORT", "TIME_SCALE", "FAULTS[0]", "TYPO"):
        assert f"EKIDEN_SIMULATOR_{name}: " in message


def test_faults_that_are_not_json_are_a_named_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EKIDEN_SIMULATOR_FAULTS", "[")
    with pytest.raises(SettingsError, match="EKIDEN_SIMULATOR_FAULTS: "):
        read_settings()
