"""OpenAI Chat Completions: one call, answered when it is done."""

from secrets import token_hex

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ekiden_simulator.access import bearer_key, is_good, is_perplexity
from ekiden_simulator.bill import Entry, Outcome
from ekiden_simulator.fault_replies import before_acceptance, instead_of_reply, unreadable
from ekiden_simulator.faults import Fault
from ekiden_simulator.latency import chat_seconds
from ekiden_simulator.openai_answer import Answer, answer, body_of, prompt_tokens
from ekiden_simulator.openai_errors import (
    OpenAIDialect,
    OpenAIRefusal,
    error_reply,
    requests_exhausted,
    unauthorized,
)
from ekiden_simulator.openai_headers import identity_headers, rate_headers
from ekiden_simulator.openai_request import CONTEXT_TOKENS, ChatRequest, read_request
from ekiden_simulator.perplexity_errors import retired
from ekiden_simulator.prices import chat_cost
from ekiden_simulator.provider import Operation, Provider
from ekiden_simulator.rate_limit import Grant
from ekiden_simulator.replies import pretty_json, spoil_reply
from ekiden_simulator.world import World

_DIALECT = OpenAIDialect()


class OpenAIChat:
    """`POST /v1/chat/completions`. The path is Perplexity's too: a `pplx-` key is told that Sonar is retired."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes; plain ones, because the strictness here is the provider's and not FastAPI's."""
        return [Route("/v1/chat/completions", self.create, methods=["POST"])]

    async def create(self, request: Request) -> Response:
        """Check, refuse or accept, work, and answer."""
        key = bearer_key(request)
        if not is_good(key):
            return unauthorized(key)
        if is_perplexity(key):
            return retired()
        limits = self._world.rates[Provider.OPENAI]
        try:
            wanted = read_request(await request.body())
            prompt = prompt_tokens(wanted)
            _check_context(prompt)
        except OpenAIRefusal as refusal:
            return error_reply(refusal.wording, rate_headers(limits.look(), 0))
        task_id = request.headers.get("x-client-request-id")
        strike = self._world.faults.strike(Provider.OPENAI, Operation.SUBMIT, task_id)
        if (refused := before_acceptance(strike.fault, _DIALECT)) is not None:
            await self._world.pause(strike.delay_seconds)
            return refused
        grant = limits.take()
        if not grant.accepted:
            self._world.faults.take_back(strike)
            headers = rate_headers(grant, 0)
            return requests_exhausted(wanted.model, grant.limit, grant.retry_after_seconds, headers)
        return await self._work(wanted, prompt, task_id, strike.delay_seconds, strike.fault, grant)

    async def _work(
        self,
        wanted: ChatRequest,
        prompt: int,
        task_id: str | None,
        delay_seconds: float,
        fault: Fault | None,
        grant: Grant,
    ) -> Response:
        started = self._world.clock()
        given, seconds = self._answer(wanted, prompt, fault)
        entry = self._world.bill.book(
            Provider.OPENAI,
            task_id=task_id,
            run_id=f"chatcmpl-{token_hex(14)}",
            model=wanted.model,
            cost_usd=chat_cost(wanted.model, given.prompt_tokens, given.completion_tokens),
        )
        self._world.chats_in_flight += 1
        try:
            lost = instead_of_reply(fault, _DIALECT)
            await self._world.pause(delay_seconds + (0 if lost else self._world.real(seconds)))
        finally:
            self._world.chats_in_flight -= 1
        _close(entry, given, lost_reply=lost is not None or unreadable(fault))
        if lost is not None:
            return lost
        headers = {
            **identity_headers(),
            **rate_headers(grant, given.prompt_tokens + given.completion_tokens),
            "openai-processing-ms": str(round((self._world.clock() - started) * 1000)),
        }
        return spoil_reply(pretty_json(body_of(given, entry.run_id, wanted.model), 200, headers), fault)

    def _answer(self, wanted: ChatRequest, prompt: int, fault: Fault | None) -> tuple[Answer, float]:
        """Return the answer and the provider's seconds it takes."""
        messages = [{"role": message.role, "content": message.text} for message in wanted.messages]
        schema = wanted.json_schema
        text = self._world.complete(schema.name if schema else "", schema.schema_ if schema else {}, messages)
        given = answer(wanted, text, prompt, fault)
        asked = "\n".join(message["content"] for message in messages)
        seconds = chat_seconds(self._world.settings.seed, asked, given.completion_tokens)
        return given, seconds


def _check_context(prompt: int) -> None:
    if prompt > CONTEXT_TOKENS:
        message = (
            f"This model's maximum context length is {CONTEXT_TOKENS} tokens. However, your messages resulted in "
            f"{prompt} tokens. Please reduce the length of the messages."
        )
        raise OpenAIRefusal(message, "messages", "context_length_exceeded")


def _close(entry: Entry, given: Answer, *, lost_reply: bool) -> None:
    entry.reply_lost = lost_reply
    if given.refusal is not None:
        entry.outcome = Outcome.REFUSED
    else:
        entry.outcome = Outcome.INCOMPLETE if given.finish_reason == "length" else Outcome.COMPLETED
