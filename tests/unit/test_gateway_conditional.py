"""What a client has already is not sent again, and what it has not seen is not overwritten."""

import pytest

from ekiden_gateway.conditional import must_match, names
from ekiden_gateway.problems import Problem


@pytest.mark.parametrize("given", ['"7"', 'W/"7"', '"6", "7"', "*", ' "7" '])
def test_a_tag_that_still_holds_is_found(given: str) -> None:
    assert names(given, '"7"')


@pytest.mark.parametrize("given", [None, "", '"70"', "7", '"6", "8"', '"*"'])
def test_any_other_is_not(given: str | None) -> None:
    assert not names(given, '"7"')


@pytest.mark.parametrize("given", [None, '"7"', '"6","7"', "*"])
def test_who_has_seen_it_may_change_it(given: str | None) -> None:
    must_match(given, '"7"')


@pytest.mark.parametrize("given", ['"6"', 'W/"7"', "", "7"])
def test_who_has_not_may_not(given: str) -> None:
    with pytest.raises(Problem) as caught:
        must_match(given, '"7"')
    assert caught.value.kind.status == 412
