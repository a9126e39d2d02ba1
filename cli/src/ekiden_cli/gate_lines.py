"""A gate as a person reads it: what was found, what is asked, what it would cost, and the answers."""

import json
from collections.abc import Iterator

from ekiden_cli.moments import second
from ekiden_cli.session_lines import calls_line, question_of, reused
from ekiden_cli.wording import usd
from ekiden_cli.wrap import clean
from ekiden_client import GateLink, WholeGate

_OPTIONS = {"approve": "--approve", "edit": "--edit FILE", "rerun": "--rerun", "stop": "--stop"}


def gate_lines(session_id: str, gate: WholeGate) -> Iterator[str]:
    yield f"Gate:      {gate.id}"
    if gate.due_at:
        yield f"Due:       {second(gate.due_at)}, then: {gate.on_timeout}"
    if gate.found:
        yield f"Found:     {clean(gate.found.title)} (phase {gate.found.phase}.{gate.found.step})"
        found = gate.found.result
        yield clean(found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, indent=2))
        yield from (f"  source:  {clean(source.title or '')} {clean(source.url)}" for source in gate.found.sources)
        yield from (f"  missing: {clean(question)}" for question in gate.found.missing)
    yield from (f"Asks:      {question_of(item)}" for item in gate.items)
    yield f"Step:      {calls_line(gate.forecast)}"
    if gate.cached:
        yield f"           {reused(gate.cached, gate.saved_usd)}"
    yield f"Phase:     {calls_line(gate.phase)}"
    yield f"To end:    {calls_line(gate.to_end)}"
    yield f"Spent:     {usd(gate.cost.spent_usd)} of {usd(gate.cost.budget_usd)}"
    if gate.budget_short_usd:
        yield f"Budget:    {usd(gate.budget_short_usd)} too small for the step"
    for action in gate.actions:
        yield f"{action.action:<10} {clean(action.description)}"
        if option := _OPTIONS.get(action.action):
            yield f"           ekiden sessions gate {session_id} --gate {gate.id} {option}"


def link_lines(link: GateLink) -> Iterator[str]:
    yield link.url
    yield f"Whoever has this link may answer the gate {link.gate}, once, until {second(link.expires_at)}."
