"""The Perplexity Agent API: submit, poll, cancel, each under both of its names, and the retired Sonar paths."""

from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ekiden_simulator.access import bearer_key, is_good
from ekiden_simulator.fault_replies import before_acceptance, instead_of_reply, unreadable
from ekiden_simulator.faults import Fault, UnknownRun
from ekiden_simulator.latency import SUBMIT_SECONDS, search_seconds
from ekiden_simulator.perplexity_answer import answer
from ekiden_simulator.perplexity_errors import (
    AgentRefusal,
    PerplexityDialect,
    error_reply,
    not_found,
    rate_limited,
    refused,
    retired,
    unauthorized,
)
from ekiden_simulator.perplexity_fields import AgentRequest
from ekiden_simulator.perplexity_headers import headers_of
from ekiden_simulator.perplexity_reply import body_of
from ekiden_simulator.perplexity_request import read_request
from ekiden_simulator.provider import Operation, Provider
from ekiden_simulator.rate_limit import Grant
from ekiden_simulator.replies import compact_json, spoil_reply
from ekiden_simulator.runs import Run, RunStatus
from ekiden_simulator.world import World

_DIALECT = PerplexityDialect()
_SONAR_PATHS = (
    "/chat/completions",
    "/v1/sonar",
    "/v1/async/sonar",
    "/v1/async/sonar/{run_id}",
    "/async/chat/completions",
    "/async/chat/completions/{run_id}",
)


class PerplexityAgent:
    """The Agent API over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes; plain ones, because the strictness here is the provider's and not FastAPI's."""
        routes = [Route(path, self.sonar, methods=["GET", "POST"]) for path in _SONAR_PATHS]
        for path in ("/v1/agent", "/v1/responses"):
            routes += [
                Route(path, self.create, methods=["POST"]),
                Route(path + "/{run_id}", self.get, methods=["GET"]),
                Route(path + "/{run_id}/cancel", self.cancel, methods=["POST"]),
            ]
        return routes

    async def sonar(self, request: Request) -> Response:
        """Tell whoever still calls Sonar that it is gone."""
        return retired() if is_good(bearer_key(request)) else unauthorized()

    async def create(self, request: Request) -> Response:
        """Accept a run: answer at once in background mode, else when it has ended."""
        if not is_good(bearer_key(request)):
            return unauthorized()
        try:
            wanted = read_request(await request.body())
        except AgentRefusal as refusal:
            return refused(refusal)
        task_id = (wanted.metadata or {}).get("taskId")
        strike = self._world.faults.strike(Provider.PERPLEXITY, Operation.SUBMIT, task_id)
        if (refusal_reply := before_acceptance(strike.fault, _DIALECT)) is not None:
            await self._world.pause(strike.delay_seconds)
            return refusal_reply
        grant = self._world.rates[Provider.PERPLEXITY].take()
        if not grant.accepted:
            self._world.faults.take_back(strike)
            return rate_limited(grant)
        run = self._accept(wanted, strike.fault)
        if (lost := instead_of_reply(strike.fault, _DIALECT)) is not None:
            run.entry.reply_lost = True
            await self._world.pause(strike.delay_seconds)
            return lost
        seconds = self._world.real(SUBMIT_SECONDS) if wanted.background else run.ready_at - run.started_at
        await self._world.pause(strike.delay_seconds + seconds)
        run.entry.reply_lost = unreadable(strike.fault)
        status = RunStatus.QUEUED if wanted.background else self._world.runs.end(run)
        return spoil_reply(self._show(run, status, grant), strike.fault)

    async def get(self, request: Request) -> Response:
        """Show a run as it stands."""
        if not is_good(bearer_key(request)):
            return unauthorized()
        run = self._world.runs.find(request.path_params["run_id"])
        strike = self._world.faults.strike(Provider.PERPLEXITY, Operation.POLL, run and run.entry.task_id)
        await self._world.pause(strike.delay_seconds)
        if (struck := _instead(strike.fault)) is not None:
            return struck
        if run is None or not run.request.store or isinstance(strike.fault, UnknownRun):
            return not_found()
        run.suffer(strike.fault)
        grant = self._world.rates[Provider.PERPLEXITY].look()
        return spoil_reply(self._show(run, self._world.runs.poll(run), grant), strike.fault)

    async def cancel(self, request: Request) -> Response:
        """Cancel a run. One that has ended is a 400, and so is an unknown one, whatever the documents say."""
        if not is_good(bearer_key(request)):
            return unauthorized()
        run_id: str = request.path_params["run_id"]
        run = self._world.runs.find(run_id)
        strike = self._world.faults.strike(Provider.PERPLEXITY, Operation.CANCEL, run and run.entry.task_id)
        await self._world.pause(strike.delay_seconds)
        if (refusal_reply := before_acceptance(strike.fault, _DIALECT)) is not None:
            return refusal_reply
        cancelled = run is not None and self._world.runs.cancel(run)
        if (lost := instead_of_reply(strike.fault, _DIALECT)) is not None:
            return lost
        if not cancelled:
            return error_reply(400, "invalid_request", f"response {run_id} is already terminal")
        return compact_json({"response_id": run_id, "status": "cancelling"}, 200, headers_of(run_id))

    def _accept(self, wanted: AgentRequest, fault: Fault | None) -> Run:
        """Book a run and start its clock."""
        given, metadata = answer(wanted, self._world), wanted.metadata or {}
        run_id = f"resp_{uuid4()}"
        entry = self._world.bill.book(
            Provider.PERPLEXITY,
            task_id=metadata.get("taskId"),
            attempt=metadata.get("attempt"),
            run_id=run_id,
            model=wanted.resolved_model,
            cost_usd=given.usage.total_cost,
        )
        now = self._world.clock()
        run = Run(
            run_id=run_id,
            request=wanted,
            entry=entry,
            started_at=now,
            ready_at=now + self._world.real(search_seconds(self._world.settings.seed, wanted.sent)),
            truncated=given.truncated,
            cost_without_output_usd=given.usage.without_output().total_cost,
        )
        run.suffer(fault)
        self._world.runs.add(run)
        return run

    def _show(self, run: Run, status: RunStatus, grant: Grant) -> Response:
        given = answer(run.request, self._world) if status.final else None
        return compact_json(body_of(run, status, given), 200, headers_of(run.run_id, grant))


def _instead(fault: Fault | None) -> Response | None:
    """Return the reply of a fault for a request that has nothing to accept."""
    return before_acceptance(fault, _DIALECT) or instead_of_reply(fault, _DIALECT)
