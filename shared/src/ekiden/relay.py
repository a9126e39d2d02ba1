"""The relay: load → decide → save → send, for whatever is said to a session.

The gateway's commands and the orchestrator's events come through here and nowhere else. After a save the same
things can always be sent again from the session alone, so there is neither an outbox nor a transaction.

Longer than a module should be: deciding, saving and sending are one thing, and are best read in their order.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol
from weakref import WeakValueDictionary

import structlog

from ekiden import tracing
from ekiden.broker.publisher import Announcer
from ekiden.clock import Clock
from ekiden.crashpoints import reach
from ekiden.domain.decider import decide
from ekiden.domain.ids import NOTHING, Micros, Position, SessionId, Step, TaskId, TaskName
from ekiden.domain.messages import Look, Message, Outcome
from ekiden.domain.plan import Provider
from ekiden.domain.progress import Decision, Order, Verdict, abandoned, orders
from ekiden.domain.session import ACTIVE, Replay, Session, Status, StepState
from ekiden.errors import Unreachable
from ekiden.metrics import (
    CAS_CONFLICTS,
    COST_SAVED,
    HANDOFF_SECONDS,
    SESSION_SECONDS,
    SESSIONS_FINISHED,
    SESSIONS_STARTED,
    STEP_SECONDS,
)
from ekiden.store.drafts import DraftStore
from ekiden.store.remembered import Remembered
from ekiden.store.sessions import Actor, Idempotency, SessionStore
from ekiden.store.task_document import NewTask
from ekiden.store.tasks import TaskStore
from ekiden.workflow.citations import received
from ekiden.workflow.drafts import make_drafts
from ekiden.workflow.package import Policies, Workflow
from ekiden.workflow.prompts import request_hash
from ekiden.workflow.record import Record

log = structlog.get_logger()
MakeMessage = Callable[[Session], Message]


class Workflows(Protocol):
    async def compiled(self, workflow_id: str) -> Workflow:
        """The version of a workflow that a session started with. Raises KeyError when it is not stored."""
        ...


@dataclass(frozen=True)
class Relay:
    sessions: SessionStore
    tasks: TaskStore
    drafts: DraftStore
    workflows: Workflows
    announcer: Announcer
    clock: Clock
    policies: Policies
    remembered: Remembered = field(default_factory=partial(Remembered, most=0))
    _looking: WeakValueDictionary[SessionId, asyncio.Lock] = field(default_factory=WeakValueDictionary, init=False)

    async def say(
        self,
        session_id: SessionId,
        make: MakeMessage,
        known_as: Idempotency | None = None,
        by: Actor | None = None,
        *,
        loaded: Session | None = None,
    ) -> Decision | None:
        """Say something to a session, and send what follows. None when there is no such session.

        `loaded` is the session as the caller has just loaded it: it is loaded again only when somebody else moved it.
        Whoever loses the race for a version loads and decides again: a conflict costs one more round. What moved the
        session under the same idempotency key before is a repeat: it is looked for behind the load, so that whoever
        says it at the same time has either been seen or wins the race for the version.
        Raises Unreachable when the database is away: then nothing, or all of the decision, is stored; and KeyReused.
        """
        while (session := loaded or await self.sessions.load(session_id)) is not None:
            loaded = None
            if known_as is not None and await self.sessions.said_before(session_id, known_as):
                return Decision(Verdict.REPEAT, session)
            workflow = await self.workflows.compiled(session.workflow)
            message = make(session)
            decision = decide(session, message, workflow.plan)
            if decision.verdict is not Verdict.MOVED:
                return decision
            saved = await self._move(session, decision, message, workflow, known_as, by)
            if saved is not None:
                if saved.status in ACTIVE and not decision.tasks:  # resumed: its answers may be there already
                    await self.look_at(saved)
                return decision
        return None

    async def begin(
        self, session: Session, message: Message, known_as: Idempotency | None = None, by: Actor | None = None
    ) -> Decision | None:
        """Store a new session as this message leaves it, in one write, and send what follows.

        None when there is one of its id, or of its owner and idempotency key, already. Raises Unreachable: then
        nothing, or all of the decision, is stored.
        """
        workflow = await self.workflows.compiled(session.workflow)
        decision = decide(session, message, workflow.plan)
        with tracing.span(f"decide {type(message).__name__}", _about(decision)):
            reach("relay:before_save")
            begun = await self.sessions.begin(session, decision, message, known_as, by)
            reach("relay:after_session_saved")
            if begun is not None:
                self.remembered.keep(begun)
                _count(session, decision)
                await self._send(begun, decision, workflow)
        return decision if begun is not None else None

    async def look(
        self, session_id: SessionId, *, late_bills: bool = False, known_as: Idempotency | None = None
    ) -> Decision | None:
        """Compare a session with the ledger, and move it when all that it waits for has ended.

        `late_bills` looks at settled tasks too: one of them may have been booked again by an answer that came late.
        `known_as` is kept with the move, when a person's word on a task is what led to it.
        """
        session = await self.sessions.load(session_id)
        if session is None:
            return None
        return await self.look_at(session, late_bills=late_bills, known_as=known_as)

    async def task_ended(self, session_id: SessionId, task_id: TaskId) -> Decision | None:
        """Look, because a task is said to have ended; its outcome is asked for at the same time as its session.

        Of searches that end together one look moves the session; without their turn all would decide and one would win.
        A session that was saved here and is remembered is moved without loading it. When that leads to no move, the
        answer counts only if the session is still stored like that.
        """
        async with self._looking.setdefault(session_id, asyncio.Lock()):
            kept = self.remembered.get(session_id)
            if kept is not None and task_id in kept.waits_for:
                decision = await self.look_at(kept)
                moved = decision is not None and decision.verdict is Verdict.MOVED
                if moved or await self.sessions.is_unmoved(kept):
                    return decision
            session, outcomes = await asyncio.gather(self.sessions.load(session_id), self.tasks.outcomes([task_id]))
            if session is None or task_id not in {*session.waits_for, *session.money.reserved}:
                return None  # its sibling's event has moved the session, and what that ordered has events of its own
            return await self.look_at(session, known=outcomes)

    async def look_at(
        self,
        session: Session,
        *,
        late_bills: bool = False,
        known_as: Idempotency | None = None,
        known: dict[TaskId, Outcome] | None = None,
    ) -> Decision | None:
        """The same for a session just loaded; loads again only when somebody else moves it meanwhile.

        `known` are outcomes asked for at the same time as the session; the ledger is asked when others are needed.
        """
        waited = session.waits_for if session.status in ACTIVE else ()
        if not late_bills and len(waited) > 1 and await self.tasks.any_open(waited):
            return None
        workflow = await self.workflows.compiled(session.workflow)
        wanted = {*session.waits_for, *session.money.reserved}
        outcomes = known if known is not None and wanted <= known.keys() else await self.tasks.outcomes(wanted)
        if late_bills:
            outcomes = await self.tasks.bills(set(session.money.settled) - wanted) | outcomes
        message = Look(self.clock.now(), received(session, outcomes, workflow))
        decision = decide(session, message, workflow.plan)
        if decision.verdict is not Verdict.MOVED:
            return decision
        if await self._move(session, decision, message, workflow, known_as) is None:
            return await self.look(session.id, late_bills=late_bills, known_as=known_as)
        if decision.tasks:
            self._measure_handoff(outcomes)
        return decision

    async def send_again(self, session: Session) -> int:
        """Do again what follows from a session's state. Answers how many tasks it waits for were missing."""
        workflow = await self.workflows.compiled(session.workflow)
        if left := abandoned(session):
            await self.tasks.abandon(_tombstones(session, left, workflow), cancel=session.status is Status.CANCELLED)
        if session.status not in ACTIVE:
            return 0
        known = await self.tasks.existing(session.waits_for)
        missing = [order for order in orders(session, workflow.plan) if order.id not in known]
        if missing:
            await self._order(session, missing, workflow)
        return len(missing)

    async def announce(self, named: Iterable[tuple[Provider, TaskId, SessionId]], *, first: bool = False) -> None:
        """Publish commands, and note which were; of tasks just created (`first`) a little later.

        Raises Unreachable when one of them could not be published.
        """
        wanted = list(named)
        sent = [self.announcer.command(*each) for each in wanted]
        errors = await asyncio.gather(*sent, return_exceptions=True)
        told = [task_id for (_, task_id, _), error in zip(wanted, errors, strict=True) if error is None]
        if first:
            self.tasks.first_told(told)
        elif told:
            await self.tasks.told(told)
        if failed := [error for error in errors if error is not None]:
            raise failed[0]

    async def cached(self, session: Session, orders: Sequence[Order], cache_seconds: float) -> Mapping[TaskId, Micros]:
        """Those of a session's orders that the cache would answer now, with what they cost when they were bought.

        Of two alike in one order the second is answered by the first. `cache_seconds` is for a step that says none.
        """
        workflow = await self.workflows.compiled(session.workflow)
        tasks = [self._task(session, order, workflow) for order in orders]
        wanted = {task.name.id: task.request_hash for task in tasks if task.request_hash}
        ages = {task.name.id: cache_seconds if task.cache_seconds is None else task.cache_seconds for task in tasks}
        bought: dict[tuple[str, float], Micros] = {}
        for age in {ages[task] for task in wanted}:
            of_age = [asked for task, asked in wanted.items() if ages[task] == age]
            found = await self.tasks.bought(session.owner, of_age, age)
            bought |= {(asked, age): price for asked, price in found.items()}
        hits = {task: bought[asked, ages[task]] for task, asked in wanted.items() if (asked, ages[task]) in bought}
        first = {asked: task for task, asked in reversed(wanted.items())}
        twins = [task for task, asked in wanted.items() if first[asked] != task and ages[task] > 0]
        return dict.fromkeys(twins, NOTHING) | hits

    async def _move(
        self,
        session: Session,
        decision: Decision,
        message: Message,
        workflow: Workflow,
        known_as: Idempotency | None,
        by: Actor | None = None,
    ) -> Session | None:
        """Save a decision and send what follows. None when somebody else moved the session meanwhile.

        In a trace it follows on what made us decide, or, where that was no request and no message, on the last move.
        """
        last = await self.sessions.traceparent(session.id) if tracing.is_on() else ""
        with tracing.span(f"decide {type(message).__name__}", _about(decision), after=last):
            saved = await self._save(session, decision, message, workflow, known_as, by)
            if saved is None:
                CAS_CONFLICTS.inc()
                self.remembered.forget(session.id)
                return None
            self.remembered.keep(saved)
            _count(session, decision)
            await self._send(saved, decision, workflow)
        return saved

    async def _save(
        self,
        session: Session,
        decision: Decision,
        message: Message,
        workflow: Workflow,
        known_as: Idempotency | None,
        by: Actor | None,
    ) -> Session | None:
        """Drafts first: they have ids of their own, so a second writing changes nothing.

        None are made of what has been cancelled, restarted or restored since the session was read.
        """
        reach("relay:before_save")
        after = decision.session
        if after.status is Status.COMPLETED and session.status is not Status.COMPLETED:
            reach("relay:before_drafts")
            simulated, unmoved = await asyncio.gather(
                self.tasks.any_simulated(session.id), self.sessions.is_unmoved(session)
            )
            if not unmoved:
                return None
            await self.drafts.create(make_drafts(after, workflow), self.clock.now(), simulated=simulated)
            reach("relay:after_drafts")
        saved = await self.sessions.apply(session, decision, message, known_as, by)
        reach("relay:after_session_saved")
        return saved

    async def _send(self, session: Session, decision: Decision, workflow: Workflow) -> None:
        """Abandon, create, publish. All of it may be lost here; the reconciler does it again from the session."""
        try:
            if decision.abandon:
                reach("relay:before_abandon")
                left = _tombstones(session, decision.abandon, workflow)
                await self.tasks.abandon(left, cancel=session.status is Status.CANCELLED)
                reach("relay:after_abandon")
            if decision.tasks:
                await self._order(session, decision.tasks, workflow)
        except Unreachable as error:
            log.warning("sending_postponed", session_id=session.id, error=str(error))
            return
        reach("relay:after_published")
        await self.announcer.session_moved(session)
        if any(order.doubted for order in decision.tasks):  # no worker will tell of these: a person is waited for
            await self.look_at(session)

    def _measure_handoff(self, outcomes: Mapping[TaskId, Outcome]) -> None:
        ended = [outcome.finished_at for outcome in outcomes.values() if outcome.finished_at]
        if ended:
            HANDOFF_SECONDS.observe(max(0.0, (self.clock.now() - max(ended)).total_seconds()))

    async def _order(self, session: Session, wanted: Sequence[Order], workflow: Workflow) -> None:
        reach("relay:before_tasks_created")
        tasks = await self._with_record(session, [self._task(session, order, workflow) for order in wanted])
        await self.tasks.create(tasks)
        reach("relay:after_tasks_created")
        sent = [task for task in tasks if task.recorded is None and not task.doubted]
        await self.announce(((task.provider, task.name.id, session.id) for task in sent), first=True)
        for task in tasks:
            if task.recorded is not None:  # as a worker tells of an answer out of the cache
                await self.announcer.task_ended(task.name.id, session.id, completed=True)

    async def _with_record(self, session: Session, tasks: Sequence[NewTask]) -> Sequence[NewTask]:
        """Give the tasks of a replay the answers that are on record; what was asked for anew is bought."""
        if session.replay is None:
            return tasks
        asked = {task.provider for task in tasks if not session.steps[task.name.position.key].fresh}
        if not asked:
            return tasks
        record = await self.record(session.owner, session.replay, asked)
        steps = session.steps
        return [
            task
            if steps[task.name.position.key].fresh
            else replace(task, recorded=record.find(task.provider, task.request))
            for task in tasks
        ]

    async def record(self, owner: str, replay: Replay, providers: Collection[Provider]) -> Record:
        """The answers that a replay runs on."""
        rows = await self.tasks.recorded(owner, await self.sessions.family(replay), providers)
        return Record(rows, replay.of)

    def _task(self, session: Session, order: Order, workflow: Workflow) -> NewTask:
        position = order.name.position
        plan, step = workflow.plan.by_position[position], session.steps.get(position.key) or StepState()
        provider = plan.source(step.fallback).provider
        request = workflow.prompts.request(session, order)
        generation = order.name.generation if step.fresh else None
        return NewTask(
            name=order.name,
            tenant=session.owner,
            provider=provider,
            request=request,
            request_hash=request_hash(provider, request, generation) if provider.searches else "",
            on_unknown=self.policies[provider],
            cap=plan.cap,
            doubted=order.doubted,
            traceparent=tracing.here(),
            fallback_reason=step.fallback_reason,
            may_fall_back=any(source.provider is not provider for source in plan.sources[step.fallback + 1 :]),
            cache_seconds=workflow.definition.step(position).cache_seconds,
        )


def _tombstones(
    session: Session, abandoned: Iterable[TaskId], workflow: Workflow
) -> list[tuple[TaskId, str, Provider]]:
    steps = workflow.plan.by_position
    return [(task, session.owner, steps[TaskName.parse(task).position].provider) for task in abandoned]


def _about(decision: Decision) -> tracing.Attributes:
    session = decision.session
    return {
        tracing.SESSION_ID: session.id,
        "ekiden.session.status": session.status.value,
        "ekiden.session.position": str(session.position or ""),
        "ekiden.tasks.ordered": len(decision.tasks),
    }


def _count(before: Session, decision: Decision) -> None:
    session = decision.session
    COST_SAVED.inc((session.money.saved - before.money.saved) / 1_000_000)
    for event in decision.events:
        if event.type == "SessionStarted":
            SESSIONS_STARTED.inc()
        elif event.type == "StepCompleted" and event.step:
            step = session.steps[Position(event.phase or 0, Step(event.step)).key]
            if step.started_at and step.finished_at:
                took = (step.finished_at - step.started_at).total_seconds()
                STEP_SECONDS.labels(phase=event.phase, step=event.step).observe(max(0.0, took))
        elif event.type in {"SessionCompleted", "SessionFailed", "SessionCancelled"}:
            SESSIONS_FINISHED.labels(outcome=event.type.removeprefix("Session").lower()).inc()
            if session.started_at and session.finished_at:
                SESSION_SECONDS.observe(max(0.0, (session.finished_at - session.started_at).total_seconds()))
