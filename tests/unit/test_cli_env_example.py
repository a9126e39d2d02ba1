"""`.env.example` lists every setting there is, and none that is not."""

import re
from pathlib import Path

from ekiden.settings import KNOWN, unknown_names

EXAMPLE = Path(__file__).parents[2] / ".env.example"
INTERNAL = re.compile(r"EKIDEN_(CRASH_.*|METRICS_TARGETS|PROMETHEUS_URL)")
"""For fault runs, and for tools that read stack.env."""


def listed() -> set[str]:
    return set(re.findall(r"^#? ?([A-Z][A-Z_0-9]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_setting_is_in_the_example() -> None:
    assert {name for name in KNOWN if not INTERNAL.fullmatch(name)} - listed() == set()


def test_the_example_names_nothing_that_no_service_knows() -> None:
    assert unknown_names(dict.fromkeys(listed(), "")) == []


def test_copied_as_it_is_the_example_sets_nothing() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []
