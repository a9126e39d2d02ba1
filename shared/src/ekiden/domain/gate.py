"""Gates: where a session stops until a person, or a date, says how it goes on.

A gate is named for its place: `after:1` between phases, `before:1.EXECUTE` before a step. A session may come to the
same gate several times, because a phase was run again: `after:1@3` names one such time, the third gate it came to.
"""

from datetime import datetime

from ekiden.domain.ids import Position
from ekiden.domain.plan import Plan
from ekiden.domain.session import Gate, Session


def gates_before(session: Session, position: Position, plan: Plan) -> frozenset[str]:
    """The gates that stand before a position: one between phases, one asked for by name."""
    gates: set[str] = set()
    between_phases = position.phase > 1 and position == plan.first(position.phase)
    wanted = not session.wishes.auto_advance or position.phase - 1 in session.wishes.pause_after
    if between_phases and wanted:
        gates.add(f"after:{position.phase - 1}")
    if position in session.wishes.pause_before:
        gates.add(f"before:{position}")
    return frozenset(gates)


def closed_before(session: Session, position: Position, plan: Plan) -> frozenset[str]:
    return gates_before(session, position, plan) - session.gates_passed


def closed_again(gate: str, phase: int) -> bool:
    """Whether a gate lies at or behind the beginning of a phase, so that it closes again when that restarts."""
    kind, _, place = gate.partition(":")
    return int(place) >= phase if kind == "after" else Position.parse(place).phase >= phase


def reached(session: Session, at: datetime) -> Gate:
    """The gate that a session comes to: it is answered by itself when the time that was wished for is over."""
    timeout = session.wishes.gate_timeout
    return Gate(at, at + timeout.after if timeout is not None else None)


def gate_id(session: Session, plan: Plan) -> str:
    """Names the gate a session stands at, and which time it is that it came to one. Empty when it stands at none."""
    if session.gate is None or session.position is None:
        return ""
    return f"{min(closed_before(session, session.position, plan), default='')}@{session.gates_reached}"


def stands_at(session: Session, gate: str, plan: Plan) -> bool:
    """Whether a session stands at a gate, which may be named with or without the time."""
    if session.gate is None or session.position is None:
        return False
    name, _, number = gate.partition("@")
    return name in closed_before(session, session.position, plan) and number in {"", str(session.gates_reached)}


def has_passed(session: Session, gate: str) -> bool:
    """Whether a session stands at no gate, and has passed the one named."""
    name, _, number = gate.partition("@")
    return session.gate is None and name in session.gates_passed and number in {"", str(session.gates_reached)}


def phase_to_run_again(session: Session, plan: Plan) -> int | None:
    """The phase whose results a gate is about: before the first step of a phase it is the one before.

    None before the very first step: nothing has run yet.
    """
    position = session.position
    if session.gate is None or position is None:
        return None
    phase = position.phase - 1 if position == plan.first(position.phase) else position.phase
    return phase or None
