"""The workflow that docs/write-a-workflow.md shows: without mistakes, and with drafts on whatever it is about."""

from pathlib import Path

import pytest

from ekiden.workflow.check import check
from ekiden.workflow.package import read_package
from tests.guides import write
from tests.simulated import simulated


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(Path("docs/write-a-workflow.md"), tmp_path)
    return tmp_path / "my-workflows" / "digest"


def test_the_guides_workflow_has_no_mistake(folder: Path) -> None:
    check(read_package(folder))


@pytest.mark.parametrize("subject", ["urban beekeeping", "Wärmepumpen im Altbau", "空き家"])
def test_it_ends_in_three_different_drafts_with_sources(folder: Path, subject: str) -> None:
    drafts = simulated(folder, {"subject": subject}, "en").drafts

    assert len({str(draft.fields["content"]) for draft in drafts}) == 3
    for draft in drafts:
        assert not draft.flags
        assert subject.lower() in str(draft.fields["title"]).lower()
        assert draft.fields["sources"]
