"""docs/workflows.md names every key that the form knows, as it is today."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from ekiden.workflow.reference_page import PARTS, filled_in

PAGE = Path(__file__).parents[3] / "docs" / "workflows.md"


def test_the_page_in_git_is_what_is_made_today() -> None:
    page = PAGE.read_text("utf-8")
    assert filled_in(page) == page, "docs/workflows.md is out of date: run `make docs`"


@pytest.mark.parametrize("model", PARTS.values(), ids=PARTS)
def test_every_key_says_what_it_means(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []
