"""Models whose price nobody knows are warned of before they cost."""

from typing import Any, cast

from ekiden.prices import ListPrice, PriceList
from ekiden.workflow.package import Package
from ekiden.workflow.unpriced import unpriced
from tests.fakes.workflow import small_package


def asking(**think: object) -> Package:
    package = small_package()
    cast("list[dict[str, Any]]", package.document["phases"])[0]["think"] |= think
    return package


def told(package: Package, **own: ListPrice) -> list[str]:
    return [line.partition(":")[0] for line in unpriced(package.definition, PriceList(own))]


def test_a_workflow_that_names_no_model_is_the_worker_s_matter() -> None:
    assert told(small_package()) == []


def test_a_model_that_no_list_knows_is_warned_of() -> None:
    assert told(asking(model="ours")) == ["phases.look.think"]


def test_a_model_with_a_price_is_not() -> None:
    assert told(asking(model="gpt-6-luna")) == told(asking(model="ours"), ours=ListPrice(0, 0)) == []


def test_a_model_of_a_fallback_is_warned_of_too() -> None:
    assert told(asking(fallback=[{"provider": "gpt", "model": "ours"}])) == ["phases.look.think"]
