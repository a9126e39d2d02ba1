"""The drafts in docs/samples are those that a session gives today."""

import pytest

from tests import sample_reports
from tests.samples import FOLDER, SAMPLES, page


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_what_the_simulator_says_today(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == page(SAMPLES[name]), "make samples"


def test_every_file_among_the_samples_is_made_again() -> None:
    of_a_stack = {name.format(language=one) for name in sample_reports.FILES for one in sample_reports.WISHES}
    assert {path.name for path in FOLDER.iterdir()} == set(SAMPLES) | of_a_stack
