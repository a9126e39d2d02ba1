"""Numbers that people type into forms."""

import pytest

from ekiden_gateway.page.screens.words import _number
from ekiden_gateway.problems import Problem


@pytest.mark.parametrize("text", ["", "many", "nan", "inf", "-Infinity"])
def test_what_is_no_number_that_counts_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(Problem):
        _number("phase", text)


def test_a_number_is_read() -> None:
    assert _number("phase", " 2 ") == 2
