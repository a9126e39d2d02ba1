"""Tasks, for people: as the old `api_tasks` had them, and more."""

from collections.abc import Iterable, Mapping
from typing import Any

from ekiden.domain.messages import TaskStatus
from ekiden.domain.provider import Kind, Provider
from ekiden_gateway.models import parts as model
from ekiden_gateway.models.sessions import TaskBrief, TaskCounts
from ekiden_gateway.models.wire import TaskType, usd

Document = Mapping[str, Any]
_TYPES: Mapping[Kind, TaskType] = {Kind.TEXT: TaskType.GPT_COMPLETION, Kind.SEARCH: TaskType.PERPLEXITY_SEARCH}
"""The first version's two types, which it named after the only providers there were."""


def task(document: Document) -> model.TaskAnswer:
    error = document.get("error")
    return model.TaskAnswer(
        id=document["_id"],
        type=_TYPES[Provider(document["provider"]).kind],
        provider=document["provider"],
        model=_model(document),
        fallback_reason=document.get("fallbackReason"),
        session_id=document["sessionId"],
        phase_number=document["phase"],
        step_name=document["step"],
        generation=document["generation"],
        index=document["index"],
        request=document["request"],
        response=document.get("response"),
        result=document.get("result"),
        status=document["status"],
        retry_count=retry_count(document),
        error=model.TaskError(error=error["error"], message=error["message"]) if error else None,
        created_at=document["createdAt"],
        started_at=document.get("startedAt"),
        completed_at=document.get("finishedAt"),
        not_before=document.get("notBefore"),
        run_id=document.get("runId"),
        lease=model.Lease(epoch=document["epoch"], until=document.get("leaseUntil")),
        submissions=[_submission(row) for row in document["submissions"]],
        cost_usd=usd(document.get("billed", 0)),
        cap_usd=usd(document["cap"]),
        at_risk_usd=usd(document["cap"] if document["status"] == TaskStatus.OUTCOME_UNKNOWN else 0),
        saved_usd=usd(document.get("saved", 0)),
        cached_from=document.get("cachedFrom"),
        flags=document.get("flags", []),
        simulated=document.get("simulated", False),
    )


def brief(document: Document) -> TaskBrief:
    error = document.get("error")
    return TaskBrief(
        id=document["_id"],
        type=_TYPES[Provider(document["provider"]).kind],
        provider=document["provider"],
        model=_model(document),
        fallback_reason=document.get("fallbackReason"),
        phase_number=document["phase"],
        step_name=document["step"],
        status=document["status"],
        retry_count=retry_count(document),
        cost_usd=usd(document.get("billed", 0)),
        error=error["error"] if error else None,
        created_at=document["createdAt"],
        started_at=document.get("startedAt"),
        completed_at=document.get("finishedAt"),
    )


def counts(documents: Iterable[Document]) -> TaskCounts:
    found = [TaskStatus(document["status"]) for document in documents]
    return TaskCounts(total=len(found), **{status.lower(): found.count(status) for status in TaskStatus})


def retry_count(document: Document) -> int:
    """How often it was sent again: waiting for a slot, or a claim after which nothing was sent, is no attempt."""
    sent = [row for row in document["submissions"] if row["outcome"] != "not_sent"]
    return max(0, len(sent) - 1)


def _model(document: Document) -> str | None:
    answered = [str(row["model"]) for row in document["submissions"] if row.get("model")]
    return answered[-1] if answered else document.get("model")


def _submission(row: Document) -> model.SubmissionAnswer:
    return model.SubmissionAnswer(
        epoch=row["epoch"],
        sent_at=row["sentAt"],
        ended_at=row.get("endedAt"),
        outcome=row["outcome"],
        run_id=row.get("runId"),
        cost_usd=usd(row.get("billed") or 0),
        input_tokens=row.get("inputTokens"),
        output_tokens=row.get("outputTokens"),
        model=row.get("model"),
        price=row.get("price"),
        simulated=row.get("simulated", False),
        error=row.get("error"),
        message=row.get("message"),
    )
