"""The state diagram in the docs is drawn from the table, and not out of date."""

import re
from pathlib import Path

from ekiden.domain.decider import RULES, Situation
from ekiden.domain.diagram import page

PAGE = Path(__file__).parents[3] / "docs" / "state-diagram.md"


def arrows() -> set[tuple[str, str]]:
    return {(here, there) for here, there in re.findall(r"^    (\w+) --> (\w+): ", page(), re.MULTILINE)}


def test_the_diagram_in_the_docs_is_the_one_of_the_table() -> None:
    made = "python -m ekiden.domain.diagram > docs/state-diagram.md"
    assert PAGE.read_text("utf-8") == page(), f"stale: run `{made}`"


def test_every_situation_is_drawn() -> None:
    assert all(situation.value.replace(" ", "_") in page() for situation in Situation)


def test_every_move_of_the_table_is_an_arrow() -> None:
    moves = {(here, there) for (here, _), rule in RULES.items() for there in rule.to if there is not here}
    assert arrows() == {(here.value.replace(" ", "_"), there.value.replace(" ", "_")) for here, there in moves}
