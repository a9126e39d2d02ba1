"""A workflow is stored under its content's hash, and comes back as it was."""

import json

from ekiden.domain.ids import Position, Step
from ekiden.workflow.package import Package
from tests.unit.workflow.tiny import POLICIES, package, prompt


def test_a_stored_package_keeps_its_id() -> None:
    stored = json.loads(json.dumps(package().to_document()))
    assert Package.from_document(stored).id == package().id


def test_a_stored_package_is_the_same_value() -> None:
    assert Package.from_document(package().to_document()) == package()


def test_an_id_begins_with_the_workflow_s_name() -> None:
    assert package().id.startswith("tiny@")


def test_any_change_makes_another_id() -> None:
    changes = [
        package(),
        package(lambda parts: parts["document"].update(version=2)),
        package(lambda parts: parts["templates"]["en"].update({"plan.md.j2": prompt("Other")})),
        package(lambda parts: parts["schemas"]["outline"].update(description="Other")),
    ]
    assert len({changed.id for changed in changes}) == len(changes)


def test_a_reservation_covers_all_the_calls_a_policy_allows() -> None:
    plan = package().compile(POLICIES).plan
    assert plan.by_position[Position(1, Step.THINK)].reservation() == 60_000


def test_a_search_is_reserved_once() -> None:
    plan = package().compile(POLICIES).plan
    assert plan.by_position[Position(1, Step.EXECUTE)].reservation() == 50_000
