"""One title of a session for lists, pages, reports and the command line, whatever workflow it is of."""

from collections.abc import Mapping

import pytest

from ekiden.domain.session import InputValue
from ekiden.domain.title import as_text, title_of


@pytest.mark.parametrize(
    ("inputs", "title"),
    [
        ({"style": "insight", "theme": "Tea"}, "Tea"),
        ({"market": "Tea", "region": ""}, "Tea"),
        ({"deep": True, "tags": ["green", "black"]}, "green, black"),
        ({"year": 2026}, "2026"),
        ({"a": ""}, "ses_1"),
    ],
)
def test_a_session_is_called_by_its_theme_or_else_by_its_first_input(
    inputs: Mapping[str, InputValue], title: str
) -> None:
    assert title_of(inputs, "ses_1") == title


def test_a_tuple_of_the_client_is_told_as_a_list_is() -> None:
    assert as_text(("green", "black")) == as_text(["green", "black"]) == "green, black"
