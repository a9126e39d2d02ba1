"""A whole session in memory: the prompts as they are rendered, the answers as the simulator gives them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ekiden.domain.ids import NOTHING, Position, SessionId, Step, TaskName
from ekiden.domain.plan import Provider
from ekiden.domain.progress import Order
from ekiden.domain.session import Money, Session, StepState
from ekiden.retry import UnknownOutcome
from ekiden.workflow.drafts import Draft, make_drafts
from ekiden.workflow.package import Workflow, read_package
from ekiden_simulator.answers import complete, search

WORKFLOWS = Path(__file__).parents[1] / "workflows"
TODAY = datetime(2026, 11, 22, tzinfo=UTC)
_POLICIES = dict.fromkeys(Provider, UnknownOutcome.ASK)


@dataclass
class Simulated:
    """One run, with every request in the order of its position, and the session as it stands at the end."""

    workflow: Workflow
    session: Session
    seed: int = 1
    requests: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def run(self) -> "Simulated":
        for position in self.workflow.definition.positions():
            self.session = replace(self.session, position=position)
            result = self._answers(position)
            single = self.workflow.definition.step(position).for_each is None
            state = StepState(generation=1, result=result[0] if single else result)
            self.session = replace(self.session, steps={**self.session.steps, position.key: state})
        return self

    def result(self, phase: int, step: Step) -> Any:
        return self.session.steps[Position(phase, step).key].result

    @property
    def drafts(self) -> list[Draft]:
        return make_drafts(self.session, self.workflow)

    def _answers(self, position: Position) -> list[Any]:
        items = self.workflow.plan.items(position, self.session.results, self.session.edited)
        return [self._answer(position, index, item) for index, item in enumerate(items)]

    def _answer(self, position: Position, index: int, item: object) -> Any:
        name = TaskName(self.session.id, position, 1, index)
        request = self.workflow.prompts.request(self.session, Order(name, item, NOTHING))
        self.requests.setdefault(position.key, []).append(request)
        system, user = str(request["system"]), str(request["user"])
        if position.step is Step.EXECUTE:
            found = search(f"{system}\n{user}", self.seed)
            sources = [{"title": row.title, "url": row.url, "date": row.date} for row in found.results]
            return {"text": found.text, "sources": sources}
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        schema: Any = request["schema"]
        return json.loads(complete(str(request["schemaName"]), schema, messages, self.seed))


def simulated(folder: Path, given: Mapping[str, str], language: str, seed: int = 1) -> Simulated:
    """Run a workflow on some inputs; those that are not given have their defaults."""
    workflow = read_package(folder).compile(_POLICIES)
    inputs = {name: given.get(name, known.default) for name, known in workflow.definition.inputs.items()}
    name = SessionId("ses_" + "0" * 32)
    session = Session(name, "local", workflow.id, inputs, language, TODAY, Money(NOTHING))
    return Simulated(workflow, session, seed).run()
