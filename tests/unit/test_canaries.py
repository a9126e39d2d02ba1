"""The search for canaries finds them: in a log, in the broker's files, in a line that is no event."""

import json
from pathlib import Path

import pytest

from ekiden_native import Program, Stack
from tests.canaries import CANARIES, SECRETS, Search, odd_lines, with_canaries

ONE = min(SECRETS)


def test_every_stack_of_a_test_is_given_canaries(tmp_path: Path) -> None:
    stack = Stack(tmp_path, services={"gpt-worker": 1})
    command = stack._programs["gpt-worker"].command
    assert f"OPENAI_API_KEY={CANARIES['gpt-worker']['OPENAI_API_KEY']}" in command
    assert command[-1] == "ekiden_gpt_worker"


def test_a_stack_with_keys_of_its_own_is_locked_and_has_the_canary_among_them(tmp_path: Path) -> None:
    command = Stack(tmp_path, env={"EKIDEN_API_KEYS": "me:my-own-long-secret"})._programs["gateway"].command
    assert f"EKIDEN_API_KEYS=me:my-own-long-secret,{CANARIES['gateway']['EKIDEN_API_KEYS']}" in command
    assert "EKIDEN_AUTH=off" not in command


def test_a_stack_that_uses_real_providers_is_not(tmp_path: Path) -> None:
    stack = Stack(tmp_path, simulate=False)
    assert not [word for program in stack._programs.values() for word in program.command if "canary" in word]


def test_other_programs_stay_as_they_are() -> None:
    stand_in = Program(("true",))
    assert with_canaries({"stand-in": stand_in}) == {"stand-in": stand_in}


@pytest.mark.parametrize("place", ["log/gpt-worker-1.log", "data/rabbitmq/mnesia/queue.wal", "stack.env"])
def test_a_canary_is_found_in_what_a_stack_leaves(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"event": "task_completed", "error": f"x{ONE}y"}) + "\n")
    search = Search()
    search.stack_down(tmp_path)
    assert search.found == [f"{ONE} in {path}"]


def test_a_stack_goes_down_with_an_error_when_one_is_found(tmp_path: Path, searched: Search) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "log" / "gateway-1.log").write_text(f'{{"event": "service_started", "key": "{ONE}"}}\n')
    found = list(searched.found)
    try:
        with pytest.raises(AssertionError, match=ONE):
            Stack(tmp_path).down()
    finally:
        searched.found[:] = found


@pytest.mark.parametrize(
    ("line", "odd"),
    [
        ('{"event": "task_completed"}', False),
        ("crashing at gpt:before_claim", False),
        ('{"event": "nobody_knows"}', True),
        ("Traceback (most recent call last):", True),
        ('["task_completed"]', True),
    ],
)
def test_a_services_line_is_an_event_of_the_table(line: str, odd: bool) -> None:
    assert bool(list(odd_lines("log", [line]))) == odd
