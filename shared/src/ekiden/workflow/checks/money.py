"""The budget: it covers the worst case of one pass, or sessions would stop for a person in the middle."""

from collections.abc import Iterator

from ekiden.errors import Mistake
from ekiden.retry import usual_policies
from ekiden.workflow.checks.places import wrong
from ekiden.workflow.definition import Definition
from ekiden.workflow.package import Package


def worst_case_usd(definition: Definition) -> float:
    """What one pass costs when every call costs its cap and is paid as often as its policy allows."""
    steps = definition.plan(usual_policies()).steps
    return sum(step.reservation() * (step.at_most if step.for_each else 1) for step in steps) / 1_000_000


def check_money(definition: Definition, package: Package) -> Iterator[Mistake]:
    try:
        most = worst_case_usd(definition)
    except KeyError:  # a for_each that names no step is said where steps are checked
        return
    if most > definition.budget_usd + 1e-9:
        what = (
            f"budget_usd: {definition.budget_usd:g} is less than the worst case of one pass, {most:g}: every call at "
            "its cap_usd, answers of the wrong form asked for again"
        )
        yield wrong(package, ("budget_usd",), what, f"raise it to {most:g}, or lower cap_usd and at_most")
