"""A replay by name reads the workflow's folder as it is now, whatever is wrong with its neighbours."""

from pathlib import Path

import pytest

from ekiden.errors import WorkflowInvalid
from ekiden_gateway.replays import newest
from tests.unit.workflow.small_folder import write


def broken(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "workflow.yaml").write_text(text, "utf-8")
    return folder


def test_a_broken_neighbour_is_nobody_elses_matter(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine")
    broken(tmp_path / "zebra", "name: [")
    broken(tmp_path / "aardvark", "- no mapping")
    found = newest([tmp_path], "small")
    assert found is not None
    assert (found[0], found[1].document["name"]) == (folder, "small")


def test_a_broken_folder_says_so_when_it_is_the_one_that_is_named(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    broken(tmp_path / "zebra", "name: [")
    with pytest.raises(WorkflowInvalid) as raised:
        newest([tmp_path], "zebra")
    assert {wrong.file for wrong in raised.value.mistakes} == {"zebra/workflow.yaml"}


def test_a_folder_is_known_by_the_name_it_says(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine")
    (folder / "schemas" / "plan.json").write_text("{", "utf-8")
    with pytest.raises(WorkflowInvalid) as raised:
        newest([tmp_path], "small")
    assert {wrong.file for wrong in raised.value.mistakes} == {"mine/schemas/plan.json"}


def test_of_two_of_the_same_name_the_later_one_counts(tmp_path: Path) -> None:
    write(tmp_path / "packaged" / "small")
    later = write(tmp_path / "own" / "small")
    found = newest([tmp_path / "packaged", tmp_path / "own"], "small")
    assert found is not None
    assert found[0] == later
    assert newest([tmp_path / "own"], "other") is None
