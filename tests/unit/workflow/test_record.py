"""The record of a session: a call is the same when all that is sent is, and what rests on a new answer is new."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ekiden.domain.ids import Position, SessionId, TaskId, TaskName
from ekiden.domain.plan import Provider
from ekiden.domain.progress import Order
from ekiden.domain.session import Replay, Session, StepState
from ekiden.retry import UnknownOutcome
from ekiden.workflow.package import Package, Workflow
from ekiden.workflow.record import Expected, Record, expect
from tests.fakes.workflow import ANSWERS, small_package
from tests.unit.domain.small_plan import AT, ID, new_session

POLICIES = {Provider.GPT: UnknownOutcome.RESEND, Provider.PERPLEXITY: UnknownOutcome.ASK}
SEARCHED = {"text": "found", "sources": []}
STEPS = ("1T", "1E", "1I", "2T", "2I")
Row = dict[str, Any]
Change = Callable[[Package], Package]


def compiled(package: Package) -> Workflow:
    return package.compile(POLICIES)


def ran(workflow: Workflow) -> list[Row]:
    """The ledger of a session that ran to its end; each call cost 5."""
    rows: list[Row] = []
    session = new_session()
    for step in workflow.plan.steps:
        items = workflow.plan.items(step.position, session.results, {})
        schema = workflow.definition.step(step.position).schema_name
        answer = ANSWERS[schema] if schema else SEARCHED
        rows += [_row(session, step.position, index, item, workflow, answer) for index, item in enumerate(items)]
        session = _with(session, step.position, [answer] * len(items) if step.for_each else answer)
    return rows


def _row(session: Session, place: Position, index: int, item: object, workflow: Workflow, answer: object) -> Row:
    name = TaskName(session.id, place, 1, index)
    step = workflow.plan.by_position[place]
    request = workflow.prompts.request(session, Order(name, item, step.cap))
    marks = {"flags": ["incomplete"] if index else [], "simulated": True, "billed": 5}
    return {
        "_id": name.id,
        "sessionId": session.id,
        "provider": step.provider,
        "request": request,
        "result": answer,
    } | marks


def _with(session: Session, place: Position, result: object) -> Session:
    return replace(session, steps={**session.steps, place.key: StepState(generation=1, result=result)})


WORKFLOW = compiled(small_package())
ROWS = ran(WORKFLOW)


def expected(package: Package, rows: list[Row] = ROWS, session: Session | None = None) -> Mapping[str, Expected]:
    found = expect(session or new_session(), compiled(package), Record(rows, ID))
    return {step.position.key: step for step in found}


def bought(found: Mapping[str, Expected]) -> dict[str, int]:
    return {key: step.bought for key, step in found.items() if step.bought}


def prompt(name: str, text: str) -> Change:
    def change(package: Package) -> Package:
        old = package.templates["en"][f"{name}.md.j2"]
        return replace(
            package,
            templates={
                "en": {
                    **package.templates["en"],
                    f"{name}.md.j2": old.replace("{% endblock %}", text + "{% endblock %}"),
                }
            },
        )

    return change


def document(phase: int, step: str, **fields: object) -> Change:
    def change(package: Package) -> Package:
        phases: Any = [dict(one) for one in package.document["phases"]]  # type: ignore[union-attr]
        phases[phase - 1][step] = {**phases[phase - 1][step], **fields}
        return replace(package, document={**package.document, "phases": phases})

    return change


def schema(name: str) -> Change:
    return lambda package: replace(
        package, schemas={**package.schemas, name: {**package.schemas[name], "description": "changed"}}
    )


def test_the_workflow_as_it_was_buys_nothing() -> None:
    found = expected(small_package())
    assert [(key, step.calls, step.recorded, step.saved) for key, step in found.items()] == [
        ("1T", 1, 1, 5), ("1E", 3, 3, 15), ("1I", 1, 1, 5), ("2T", 1, 1, 5), ("2I", 1, 1, 5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "buys"),
    [
        (prompt("write", "!"), {"2I": 1}),
        (prompt("weigh", "!"), {"2T": 1, "2I": 1}),
        (prompt("join", "!"), {"1I": 1, "2T": 1, "2I": 1}),
        (prompt("search", "!"), {"1E": 3, "1I": 1, "2T": 1, "2I": 1}),
        (prompt("plan", "!"), {"1T": 1, "1E": 5, "1I": 1, "2T": 1, "2I": 1}),
        (schema("note"), {"2T": 1, "2I": 1}),
        (document(2, "integrate", model="another"), {"2I": 1}),
        (document(2, "integrate", max_output_tokens=200), {"2I": 1}),
        (document(2, "integrate", cap_usd=0.02), {}),
    ],
    ids=["last-prompt", "prompt", "joining-prompt", "search-prompt", "first-prompt", "schema", "model", "limit", "cap"],
)
def test_a_change_buys_what_is_asked_differently_and_what_rests_on_it(change: Change, buys: dict[str, int]) -> None:
    assert bought(expected(change(small_package()))) == buys


def test_what_does_not_use_a_new_answer_is_on_record() -> None:
    apart = prompt("write", "")(small_package())
    apart = replace(
        apart,
        templates={
            "en": {
                **apart.templates["en"],
                "write.md.j2": "{% block system %}{% endblock %}{% block user %}W{% endblock %}",
            }
        },
    )
    assert bought(expected(prompt("weigh", "!")(apart), ran(compiled(apart)))) == {"2T": 1}


def test_a_search_that_was_never_answered_is_bought_and_all_that_rests_on_it() -> None:
    rows = [row for row in ROWS if not row["_id"].endswith("1E.g1.2")]
    assert bought(expected(small_package(), rows)) == {"1E": 1, "1I": 1, "2T": 1, "2I": 1}


def test_another_provider_or_another_session_of_the_family_is_told_apart() -> None:
    row = next(row for row in ROWS if ".2I." in row["_id"])
    assert Record([row], ID).find(Provider.GPT, row["request"]) is not None
    assert Record([row], ID).find(Provider.PERPLEXITY, row["request"]) is None
    other = row | {"_id": "other.2I.g1.0", "sessionId": "other", "result": "another", "saved": 9, "billed": 0}
    assert Record([other, row], ID).find(Provider.GPT, row["request"]).task_id == row["_id"]  # type: ignore[union-attr]
    found = Record([other], ID).find(Provider.GPT, row["request"])
    assert found is not None
    assert (found.result, found.saved, found.simulated) == ("another", 9, True)


def test_of_two_answers_the_newest_of_the_session_counts() -> None:
    row = next(row for row in ROWS if ".2I." in row["_id"])
    newer = row | {"_id": TaskId(f"{ID}.2I.g2.0"), "result": "newer"}
    found = Record([newer, row], ID).find(Provider.GPT, row["request"])
    assert found is not None
    assert found.result == "newer"


def test_a_replay_speaks_of_the_day_of_its_original() -> None:
    dated = prompt("plan", "{{ today }}")(small_package())
    later = replace(new_session(), id=SessionId("ses_" + "1" * 32), created_at=AT + timedelta(days=40))
    rows = ran(compiled(dated))
    assert "1T" in bought(expected(dated, rows, later))
    assert bought(expected(dated, rows, replace(later, replay=Replay(ID, ID, AT)))) == {}
