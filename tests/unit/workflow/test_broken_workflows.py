"""Each broken workflow is reported with the right file, line, cause and suggestion, and never with a traceback."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiden.errors import Mistake, WorkflowInvalid
from ekiden.workflow.check import load
from tests.unit.workflow.broken_workflows import BROKEN, FILES, Broken
from tests.unit.workflow.small_folder import write


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("small") / "small")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "small")


def mistakes_in(folder: Path) -> list[Mistake]:
    try:
        load(folder, unused=True)
    except WorkflowInvalid as error:
        return error.mistakes
    return []


def test_the_small_workflow_has_no_mistake(whole: Path) -> None:
    assert mistakes_in(whole) == []


def test_there_are_more_than_enough_broken_ones() -> None:
    assert len(BROKEN) + len(FILES) >= 40


@pytest.mark.parametrize("broken", BROKEN, ids=[row.what for row in BROKEN])
def test_a_broken_workflow_is_reported_at_its_place(folder: Path, broken: Broken) -> None:
    for path in folder.glob(broken.file):
        text = path.read_text("utf-8")
        assert broken.old in text
        path.write_text(text.replace(broken.old, broken.new, 1), "utf-8")
    file = broken.told_in or broken.file
    told = (folder / file).read_text("utf-8")
    line = told[: told.index(broken.line)].count("\n") + 1 + broken.line.startswith("\n") if broken.line else None

    found = mistakes_in(folder)

    causes = [m for m in found if broken.cause in m.what and broken.suggestion in m.suggestion]
    assert causes, found
    assert not [mistake for mistake in found if "Ekiden's" in mistake.what]
    assert (file, line) in [(mistake.file, mistake.line) for mistake in causes], found


@pytest.mark.parametrize(("plant", "file", "line", "cause"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_what_cannot_be_read_is_reported_at_its_place(
    folder: Path, plant: Callable[[Path], object], file: str, line: int | None, cause: str
) -> None:
    plant(folder)
    assert (file, line) in [(mistake.file, mistake.line) for mistake in mistakes_in(folder) if cause in mistake.what]


def test_mistakes_of_all_kinds_are_told_at_once(folder: Path) -> None:
    for row in (
        next(row for row in BROKEN if row.what == what)
        for what in ("a missing language", "a key that is no number", "an unknown filter", "an unknown variable")
    ):
        path = folder / row.file
        path.write_text(path.read_text("utf-8").replace(row.old, row.new, 1), "utf-8")
    found = mistakes_in(folder)
    assert [mistake.file for mistake in found] == [
        "workflow.yaml",
        "workflow.yaml",
        "prompts/en/topics.md.j2",
        "prompts/ja/posts.md.j2",
    ]


def test_services_start_with_what_nobody_reaches(folder: Path) -> None:
    (folder / "prompts/en/old.md.j2").write_text("old")
    assert load(folder).definition.name == "small"
    assert [mistake.file for mistake in mistakes_in(folder)] == ["prompts/en/old.md.j2"]


def test_an_empty_folder_is_reported(tmp_path: Path) -> None:
    assert [mistake.file for mistake in mistakes_in(tmp_path)] == ["workflow.yaml"]


CUT = st.tuples(st.integers(0, 3000), st.integers(0, 40))
JUNK = st.one_of(
    st.sampled_from(
        ["{{", "}}", "{%", "[", "]", "{", "}", ":", "&a ", "*a ", "!!set ", "\t", "\n", "- ", "1e999", "~"]
    ),
    st.text(max_size=8),
    st.binary(max_size=8).map(lambda raw: raw.decode("latin-1")),
)


@settings(max_examples=50)
@given(
    name=st.sampled_from(
        ["workflow.yaml", "workflow.yaml", "schemas/topics.json", "prompts/en/topics.md.j2", "prompts/ja/_brief.md.j2"]
    ),
    cut=CUT,
    junk=JUNK,
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1"]),
)
def test_whatever_is_done_to_a_file_nobody_sees_a_traceback(
    whole: Path, name: str, cut: tuple[int, int], junk: str, encoding: str
) -> None:
    path = whole / name
    text = path.read_text("utf-8")
    start = cut[0] % (len(text) + 1)
    made = text[:start] + junk + text[start + cut[1] :]
    try:
        path.write_bytes(made.encode(encoding, "replace"))
        for mistake in mistakes_in(whole):
            str(mistake).encode()
    finally:
        path.write_text(text, "utf-8")
