"""The worker runtime: slot → gate → cache → claim → acknowledge → submit or collect → save → announce.

From the acknowledgement on a call knows nothing of the broker: its lease alone recovers it. Nothing waits between
claim and send. What a provider answered is saved before anything else, for as long as the process lives.

Longer than a module should be: the life of one task is best read on one page.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import structlog

from ekiden.broker.publisher import Announcer
from ekiden.crashpoints import reach
from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.messages import FINAL, TaskStatus
from ekiden.errors import InvalidOutput, NotBought, OutcomeUnknown, ProviderError, Rejected, RunLost, Unreachable
from ekiden.metrics import OUTCOME_UNKNOWN, PROVIDER_SECONDS, TASK_RETRIES
from ekiden.retry import Again, Ask, again
from ekiden.worker import spans
from ekiden.worker.adapter import Adapter, Call, Running, Submitted
from ekiden.worker.bill import count_answer, count_failure
from ekiden.worker.ending import ending_of, is_answer, tally_with, with_known_cost
from ekiden.worker.gate import Gate
from ekiden.worker.lease import RENEW_SECONDS, Leases
from ekiden.worker.ledger import Claim, Completed, Ledger, Saved
from ekiden.worker.polling import PollPlan

log = structlog.get_logger()
SAVE_AGAIN_SECONDS = 0.5
HOLD_SECONDS = 0.5
T = TypeVar("T")


@dataclass
class Runtime:
    """Works on the tasks of one provider, `concurrency` at a time.

    `longest_run_seconds` is the wall-clock cap of a run, from its submission on and whoever collects it: past it the
    run is cancelled and still collected.
    """

    adapter: Adapter
    ledger: Ledger
    gate: Gate
    announcer: Announcer
    concurrency: int
    polls: PollPlan
    longest_run_seconds: float = 15 * 60
    leases: Leases = field(default_factory=Leases)
    _in_hand: set[TaskId] = field(default_factory=set[TaskId])
    """Tasks with a message that is not acknowledged yet."""
    _working: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _collecting: dict[TaskId, str] = field(default_factory=dict[TaskId, str])
    _cancelling: dict[TaskId, asyncio.Task[None]] = field(default_factory=dict[TaskId, asyncio.Task[None]])
    _cancelled: set[TaskId] = field(default_factory=set[TaskId])
    """Runs under way whose cancellation has got through: asking twice changes nothing."""
    _waiting: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.concurrency)

    async def deliver(self, task_id: TaskId, session_id: SessionId, ack: Callable[[], Awaitable[None]]) -> None:
        """Take a task on, if it is free. Raises Unreachable while the database is away: nothing has happened then.

        A task that waits here is told of again after a while. One message is enough: a second would take a place of
        the rate line for nothing, or park the first.
        """
        if task_id in self._in_hand:
            await ack()
            return
        self._in_hand.add(task_id)
        try:
            await self._take_on(task_id, session_id, ack)
        finally:
            self._in_hand.discard(task_id)

    async def _take_on(self, task_id: TaskId, session_id: SessionId, ack: Callable[[], Awaitable[None]]) -> None:
        with self._abandoned_on_stop():
            await self._slots.acquire()
        try:
            claim = await self._claim(task_id, session_id)
        except BaseException:
            self._slots.release()
            raise
        try:
            self._reach("before_ack")
            await ack()
            self._reach("after_ack")
        finally:  # what is claimed is worked on, whatever becomes of the acknowledgement
            if claim is None:
                self._slots.release()
            else:
                self._begin(claim)

    async def renew_forever(self) -> None:
        """Extend all leases, two seconds after the last time; pass on what is to be cancelled."""
        while True:
            asked = self.leases.monotonic()
            try:
                cancelled = await self.ledger.renew()
                self.leases.renewed(asked)
                for task_id in cancelled:
                    self._begin_to_cancel(task_id)
            except Unreachable as error:
                log.warning("leases_not_renewed", error=str(error))
            except Exception:
                log.exception("renewal_crashed")
            await asyncio.sleep(RENEW_SECONDS)

    async def stop(self, grace_seconds: float) -> None:
        """Give submitted tasks back at once, let the others end within the grace period.

        Messages that still wait for a slot are let go unacknowledged. One that is in its claim is not: a claim
        without a worker would be an unknown outcome.
        """
        self.stop_claiming()
        if self._working:
            await asyncio.wait(self._working, timeout=grace_seconds)
        left: list[asyncio.Task[Any]] = [*self._working, *self._cancelling.values()]
        for work in left:
            work.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self.adapter.close()

    def stop_claiming(self) -> None:
        self._stopping.set()
        for handler in list(self._waiting):
            handler.cancel()

    @contextmanager
    def _abandoned_on_stop(self) -> Generator[None]:
        """A stretch of a handler in which nothing has been claimed, so that a stop may cut it off."""
        handler = cast("asyncio.Task[None]", asyncio.current_task())
        if self._stopping.is_set():
            raise asyncio.CancelledError
        self._waiting.add(handler)
        try:
            yield
        finally:
            self._waiting.discard(handler)

    @property
    def in_flight(self) -> int:
        return len(self._working)

    # ── before the claim ─────────────────────────────────────────────────────────────────────────────────

    async def _claim(self, task_id: TaskId, session_id: SessionId) -> Claim | None:
        if await self.ledger.answer_from_cache(task_id):
            await self._announce_end(task_id, session_id, completed=True)
            return None
        with self._abandoned_on_stop():
            while not self.leases.fresh:  # noqa: ASYNC110 - what it waits for is the clock, there is no event
                await asyncio.sleep(HOLD_SECONDS)
            # what is not queued would not be sent, and needs no gate
            queued = not self.gate.stands_open and await self.ledger.status(task_id) == TaskStatus.QUEUED
            parked = await self.gate.enter() if queued else 0.0
        if parked:
            await self.ledger.put_off(task_id, parked)
            return None
        claim: Claim | None = None
        try:
            if queued and await self.ledger.answer_from_cache(task_id):  # an identical one came while we waited
                await self._announce_end(task_id, session_id, completed=True)
                return None
            self._reach("before_claim")
            claim = await self.ledger.claim(task_id)
            self._reach("after_claim")
        finally:
            if queued and (claim is None or claim.run_id is not None):
                await self._tell_gate(self.gate.unused())
        if claim is None and await self.ledger.status(task_id) in FINAL:
            await self._announce_end(task_id, session_id, completed=True)
        return claim

    # ── after it ─────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, claim: Claim) -> None:
        work = asyncio.create_task(self._work(claim, self.leases.monotonic()))
        self._working.add(work)
        work.add_done_callback(self._done)

    async def _work(self, claim: Claim, held_at: float) -> None:
        bound = structlog.contextvars.bound_contextvars(session_id=claim.session_id, task_id=claim.task_id)
        with bound, spans.working(claim):
            began = self.leases.monotonic()
            try:
                reply = await self._reply(claim, held_at)
                collects = isinstance(reply, Submitted)
                if isinstance(reply, Submitted):
                    with spans.collecting(claim, reply.run_id):
                        answer = await self._collect(claim, reply.run_id, began)
                else:
                    answer = reply
            except ProviderError as error:
                await self._end(claim, error)
                return
            except Exception as error:
                log.exception("call_crashed")
                await self._end(claim, OutcomeUnknown(f"a bug of ours: {error!r}"))
                return
            if answer is None:
                return
            answer = with_known_cost(answer, claim.cap)
            self._reach("before_result_saved")
            try:
                saved = await self._persist(claim, lambda: self.ledger.complete(claim, answer))
            except Exception as error:
                log.exception("answer_not_stored")
                await self._end(claim, InvalidOutput(f"no answer to store: {error!r}", billed=answer.usage.billed))
                return
            finally:  # an answer it was, even one that cannot be stored
                if not collects:
                    await self._tell_gate(self.gate.answered(self.leases.monotonic() - began))
            self._reach("after_result_saved")
            if saved is not Saved.KNOWN:
                count_answer(self.adapter.provider, answer, claim.cap)
            log.info("task_completed", billed=answer.usage.billed, attempt=claim.attempt)
            await self._announce_end(claim.task_id, SessionId(claim.session_id), completed=True)

    async def _reply(self, claim: Claim, held_at: float) -> Completed | Submitted:
        """Submit, or go on with the run there is: the run id alone decides."""
        if claim.run_id is not None:
            return Submitted(claim.run_id)
        sent = self.leases.monotonic()
        reply = await self._submit(claim, held_at)
        if isinstance(reply, Submitted):
            log.info("run_accepted", run_id=reply.run_id, attempt=claim.attempt)
            self._reach("before_run_id_saved")
            try:
                await self._persist(claim, lambda: self.ledger.submitted(claim, reply.run_id))
            finally:
                await self._tell_gate(self.gate.answered(self.leases.monotonic() - sent))
            self._reach("after_run_id_saved")
        else:
            PROVIDER_SECONDS.labels(provider=self.adapter.provider).observe(self.leases.monotonic() - sent)
        return reply

    async def _submit(self, claim: Claim, held_at: float) -> Completed | Submitted:
        """Send a call, and tell the gate when it brought nothing: the breaker's state decides whether that counts."""
        call = Call(claim.task_id, claim.attempt, claim.request, claim.hint)
        sent = self.leases.monotonic()
        self._reach("before_post")
        try:
            with spans.submitting(claim):
                reply = await self.adapter.submit(call, self.leases.fence(claim.claimed_at, held_at))
                spans.heard(reply)
        except ProviderError as error:
            if is_answer(error):
                await self._tell_gate(self.gate.answered(self.leases.monotonic() - sent))
                raise
            open_now = await self._tell_gate(self.gate.refused(error))
            if isinstance(error, NotBought):
                error.held_back = open_now is True
            raise
        except Exception as error:
            log.exception("adapter_crashed")
            unknown = OutcomeUnknown(f"a bug of ours: {error!r}")
            await self._tell_gate(self.gate.refused(unknown))
            raise unknown from error
        self._reach("after_post")
        return reply

    async def _collect(self, claim: Claim, run_id: str, began: float) -> Completed | None:
        """Ask until the provider gives its verdict: nothing else ends a run. A GET is tried again whatever it says.

        None when the task was given back for somebody else.
        """
        self._collecting[claim.task_id] = run_id
        try:
            for pause in self.polls.waits():
                if await self._stopped_within(pause):
                    await self._persist(claim, lambda: self.ledger.let_go(claim))
                    log.info("task_released", run_id=run_id)
                    return None
                try:
                    state = await self.adapter.collect(run_id)
                except NotBought as error:
                    log.info("poll_failed", run_id=run_id, error=repr(error))
                    state = Running()
                except ProviderError:
                    raise
                except Exception as error:
                    log.exception("adapter_crashed")
                    raise RunLost(f"a bug of ours: {error!r}") from error
                took = self.leases.monotonic() - began + claim.run_age_seconds
                if not isinstance(state, Running):
                    if claim.run_id is None:
                        self.polls.measured(took)
                        PROVIDER_SECONDS.labels(provider=self.adapter.provider).observe(took)
                    spans.heard(state)
                    return state
                if took > self.longest_run_seconds:
                    self._begin_to_cancel(claim.task_id)
        finally:
            self._collecting.pop(claim.task_id, None)
            self._cancelled.discard(claim.task_id)
        return None

    async def _tell_gate(self, telling: Awaitable[T]) -> T | None:
        """Nothing that goes wrong at the gate may cost an answer. None when it did."""
        try:
            return await telling
        except Exception:
            log.exception("gate_crashed")
            return None

    async def _end(self, claim: Claim, error: ProviderError) -> None:
        """Save how a submission ended without an answer, tell who must know, and start again what may at once."""
        provider = self.adapter.provider
        verdict = again(error, tally_with(claim.tally, error), provider, claim.policy, random.random())  # noqa: S311 - jitter, no secret
        ending = ending_of(error, verdict, claim.cap)
        self._reach("before_failure_saved")
        saved = await self._persist(claim, lambda: self.ledger.end(claim, ending))
        spans.ended(ending)
        self._reach("after_failure_saved")
        if saved is not Saved.KNOWN:  # whoever freed it has counted it
            count_failure(provider, ending, claim.cap)
            if isinstance(error, OutcomeUnknown):
                OUTCOME_UNKNOWN.inc()
        log.warning(
            "call_failed", error=ending.error, message=ending.message, outcome=ending.outcome, verdict=repr(verdict)
        )
        session_id = SessionId(claim.session_id)
        if isinstance(verdict, Again):
            if saved is Saved.DECIDED:
                TASK_RETRIES.labels(provider=provider, error=ending.error).inc()
            if verdict.delay_seconds == 0:
                with suppress(Unreachable):
                    await self.announcer.command(provider, claim.task_id, session_id)
            return
        if isinstance(verdict, Ask) and saved is not Saved.KNOWN:
            log.warning("outcome_left_unknown", at_risk=claim.cap)
        await self._announce_end(claim.task_id, session_id, completed=False)

    def _begin_to_cancel(self, task_id: TaskId) -> None:
        """Beside renewals and polls, which must not wait for it. One try at a time, and none after one got through."""
        under_way = task_id in self._collecting and task_id not in self._cancelling
        if under_way and task_id not in self._cancelled:
            trying = asyncio.create_task(self._cancel_at_provider(task_id))
            self._cancelling[task_id] = trying
            trying.add_done_callback(lambda _: self._cancelling.pop(task_id, None))

    async def _cancel_at_provider(self, task_id: TaskId) -> None:
        """Ask for a run to be stopped; when that does not get through it is tried again."""
        run_id = self._collecting.get(task_id)
        if run_id is None:
            return
        try:
            await self.adapter.cancel(run_id)
        except Rejected as error:  # it ended by itself meanwhile: asking again would change nothing
            log.info("cancel_refused", task_id=task_id, run_id=run_id, error=repr(error))
        except Exception as error:
            log.info("cancel_failed", task_id=task_id, run_id=run_id, error=repr(error))
            return
        else:
            log.info("run_cancelled", task_id=task_id, run_id=run_id)
        if self._collecting.get(task_id) == run_id:
            self._cancelled.add(task_id)

    async def _announce_end(self, task_id: TaskId, session_id: SessionId, *, completed: bool) -> None:
        self._reach("before_event")
        try:
            await self.announcer.task_ended(task_id, session_id, completed=completed)
        except Unreachable as error:
            log.warning("announcement_lost", task_id=task_id, error=str(error))
        self._reach("after_event")

    async def _persist(self, claim: Claim, save: Callable[[], Awaitable[T]]) -> T:
        """Keep trying to save what the provider said, for as long as this process lives."""
        with spans.saving(claim):
            while True:
                try:
                    return await save()
                except Unreachable as error:
                    log.warning("save_postponed", error=str(error))
                    await asyncio.sleep(SAVE_AGAIN_SECONDS)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _reach(self, point: str) -> None:
        reach(f"{self.adapter.provider}:{point}")

    def _done(self, work: asyncio.Task[None]) -> None:
        self._working.discard(work)
        self._slots.release()
        if not work.cancelled() and (error := work.exception()) is not None:
            log.error("work_crashed", error=repr(error), exc_info=error)
