"""What a trace tells of one task: its work, the call, the collecting, the saving. Names are OpenTelemetry's own for
generative AI where it has one (https://opentelemetry.io/docs/specs/semconv/gen-ai/); never a prompt or an answer.
"""

from contextlib import AbstractContextManager

from ekiden import tracing
from ekiden.domain.provider import Kind, Provider
from ekiden.worker.adapter import Submitted
from ekiden.worker.ledger import Claim, Completed, Ended

_OPERATION = {Kind.TEXT: "chat", Kind.SEARCH: "invoke_agent"}
_VENDOR = {Provider.GPT: "openai"}
"""Where the vendor has another name than the provider."""
RUN_ID = "ekiden.run.id"


def working(claim: Claim) -> AbstractContextManager[None]:
    """All of one claim's work, in the trace of whoever ordered the task: a takeover goes on in it."""
    about = _about(claim) | {"ekiden.task.epoch": claim.epoch, "ekiden.task.taken_over": claim.run_id is not None}
    return tracing.span(f"{claim.provider} task", about, within=claim.traceparent)


def submitting(claim: Claim) -> AbstractContextManager[None]:
    """One sending of a task to its provider."""
    return tracing.span(f"{_OPERATION[claim.provider.kind]} submit", _about(claim) | _called(claim), "CLIENT")


def collecting(claim: Claim, run_id: str) -> AbstractContextManager[None]:
    """All questions for one run's answer, with the waiting between them."""
    return tracing.span(
        f"{_OPERATION[claim.provider.kind]} collect", _about(claim) | _called(claim) | {RUN_ID: run_id}, "CLIENT"
    )


def saving(claim: Claim) -> AbstractContextManager[None]:
    """One save in the ledger, however often it has to be tried."""
    return tracing.span("ledger save", _about(claim) | {"db.system.name": "mongodb", "db.collection.name": "tasks"})


def heard(reply: Completed | Submitted) -> None:
    """What the provider said, to the span that asked it."""
    if isinstance(reply, Submitted):
        tracing.note({RUN_ID: reply.run_id})
        return
    usage = reply.usage
    tracing.note(
        {
            "gen_ai.response.model": usage.model,
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "ekiden.cost.usd": (usage.billed or 0) / 1_000_000,
        }
    )


def ended(ending: Ended) -> None:
    tracing.note({"ekiden.task.outcome": ending.outcome, "error.type": ending.error})


def _about(claim: Claim) -> dict[str, str | int]:
    return {
        tracing.SESSION_ID: claim.session_id,
        tracing.TASK_ID: claim.task_id,
        "ekiden.task.attempt": claim.attempt,
    }


def _called(claim: Claim) -> dict[str, str]:
    model = claim.request.get("model")
    named = {"gen_ai.request.model": model} if isinstance(model, str) else {}
    return {
        "gen_ai.operation.name": _OPERATION[claim.provider.kind],
        "gen_ai.provider.name": _VENDOR.get(claim.provider, claim.provider.value),
        "gen_ai.conversation.id": claim.session_id,
        **named,
    }
