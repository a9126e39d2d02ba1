"""Whatever is done to a workflow, who checks it is told of mistakes, and never sees a bug of ours or a traceback.

A short form of a longer search, with the same changes every time.
"""

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ekiden.errors import WorkflowInvalid
from ekiden.workflow.check import check, mistakes_of
from ekiden.workflow.folder import folders_in, read_files
from ekiden.workflow.package import Package
from tests.unit.workflow.tiny import package, parts

MUTATIONS = 40
JUNK: list[object] = [
    *([], {}, None, "", -1, 1e308, True, "x" * 5000, [[]], [None], {"a": 1}, "\0"),
    *({"enum": []}, {"enum": [[]]}, {"anyOf": []}, {"const": None}, {"type": []}, {"type": "null"}, {"$ref": "#"}),
    {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
]
Place = tuple[str | int, ...]


def places(value: object, place: Place = ()) -> Iterator[Place]:
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:  # pyright: ignore[reportUnknownVariableType]
        yield from places(part, (*place, name))  # pyright: ignore[reportUnknownArgumentType]


def at(value: Any, place: Place) -> Any:
    for part in place:
        value = value[part]
    return value


def mutated(chance: random.Random) -> Package:
    """The tiny workflow with one or two of its values taken out, or replaced by junk or by another of its values."""
    made = parts()
    for _ in range(chance.choice((1, 1, 2))):
        changed = made[chance.choice(("document", "schemas"))]
        *above, last = chance.choice([place for place in places(changed) if place])
        parent = at(changed, tuple(above))
        match chance.randrange(5):
            case 0:
                del parent[last]
            case 1:
                parent[last] = copy.deepcopy(at(changed, chance.choice([*places(changed)])))
            case _:
                parent[last] = copy.deepcopy(chance.choice(JUNK))
    return Package(made["document"], made["templates"], made["schemas"])


def test_no_change_to_a_workflow_finds_a_bug_of_ours() -> None:
    chance = random.Random(7)
    told = [mistake for _ in range(MUTATIONS) for mistake in mistakes_of(mutated(chance))]
    assert [mistake for mistake in told if "Ekiden's" in mistake.what] == []
    assert len(told) > MUTATIONS


class Hostile(dict[str, Any]):
    """Schemas that nobody can look at: stands for a bug that nobody has foreseen."""

    def items(self) -> Any:
        raise LookupError("only for us")


def test_a_bug_of_the_check_is_a_mistake_to_report_and_its_traceback_is_logged() -> None:
    whole = package()
    with capture_logs() as logs, pytest.raises(WorkflowInvalid) as caught:
        check(Package(whole.document, whole.templates, Hostile(whole.schemas)))
    assert str(caught.value).startswith("schemas: cannot be checked: LookupError at test_mutated_workflows.py:")
    assert str(caught.value).endswith("a mistake of Ekiden's; please report it")
    assert [(log["event"], log["file"], log["exc_info"].args) for log in logs] == [
        ("workflow_check_crashed", "schemas", ("only for us",))
    ]


@pytest.mark.parametrize(("name", "why"), [("x" * 5000, "File name too long"), ("a\0b", "embedded null byte")])
def test_a_folder_that_no_system_can_have_is_a_mistake(name: str, why: str) -> None:
    assert f"cannot be read: {why}" in [mistake.what for mistake in read_files(Path(name)).mistakes]


def test_a_folder_of_workflows_is_listed_whatever_lies_beside_them(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "workflow.yaml").touch()
    (tmp_path / "file").touch()
    (tmp_path / "long").symlink_to("x" * 300)
    (tmp_path / "self").symlink_to("self")
    assert folders_in(tmp_path) == [tmp_path / "good"]
    assert folders_in(tmp_path / "none") == []
