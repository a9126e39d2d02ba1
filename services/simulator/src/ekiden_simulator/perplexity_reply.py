"""The body of a run on the wire, as captured 2026-10-09 (`providers.md` 2.1)."""

import time

from ekiden_simulator.faults import FailedRun, Length, NoSources
from ekiden_simulator.perplexity_answer import Answer, ToolCall
from ekiden_simulator.perplexity_fields import AgentRequest
from ekiden_simulator.replies import spoil_text
from ekiden_simulator.runs import Run, RunStatus


def body_of(run: Run, status: RunStatus, answer: Answer | None) -> dict[str, object]:
    """Return a run's body; the answer is needed when the status is final.

    Both times are rewritten on every GET, as the real one does: a client needs its own clock. Until the run has ended,
    `model` is the preset's name, `output` is empty and `usage` is null. A cancelled run never shows its usage.
    """
    now, request = int(time.time()), run.request
    wanted = request.response_format
    return {
        "id": run.run_id,
        "object": "response",
        "status": status.value,
        "background": request.background,
        "store": request.store,
        "created_at": now,
        "completed_at": now if status.final else None,
        "model": request.resolved_model if status is RunStatus.COMPLETED else request.named_model,
        "service_tier": request.service_tier or "default",
        "error": _error(run, status),
        "incomplete_details": {"reason": "max_output_tokens"} if status is RunStatus.INCOMPLETE else None,
        "previous_response_id": request.previous_response_id,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "text": {"format": wanted.model_dump(by_alias=True, exclude_none=True) if wanted else {"type": "text"}},
        "tools": [tool.model_dump(exclude_none=True) for tool in request.tools or []],
        "tool_choice": _tool_choice(request),
        "truncation": "",
        "temperature": 1 if request.temperature is None else request.temperature,
        "top_p": 1 if request.top_p is None else request.top_p,
        "metadata": request.metadata or {},
        "user": None,
        "safety_identifier": None,
        "reasoning": request.reasoning.model_dump(exclude_none=True) if request.reasoning else None,
        "output": _output(run, status, answer) if answer else [],
        "usage": _usage(run, status, answer) if answer else None,
    }


def _output(run: Run, status: RunStatus, answer: Answer) -> list[dict[str, object]]:
    if status is RunStatus.FAILED or isinstance(run.fault, Length):
        return []
    found = [] if isinstance(run.fault, NoSources) else _search_results(answer.calls)
    if status is RunStatus.CANCELLED:
        return found if run.was_searching() else []
    text: dict[str, object] = {
        "type": "output_text",
        "text": spoil_text(answer.text, run.fault),
        "annotations": [],
    }
    message: dict[str, object] = {
        "type": "message",
        "id": run.run_id.replace("resp_", "msg_"),
        "role": "assistant",
        "status": status.value,
        "content": [text],
    }
    return [*found, message]


def _search_results(calls: list[ToolCall]) -> list[dict[str, object]]:
    """Return one item per call; result ids are 1-based and run across items, a missing date is not there."""
    items: list[dict[str, object]] = []
    number = 0
    for call in calls:
        results: list[dict[str, object]] = []
        for found in call.results:
            number += 1
            result: dict[str, object] = {"id": number, "url": found.url, "title": found.title, "snippet": found.snippet}
            dates = {"date": found.date, "last_updated": found.last_updated}
            result.update({name: value for name, value in dates.items() if value})
            results.append({**result, "source": "web"})
        items.append({"type": "search_results", "queries": call.queries, "results": results})
    return items


def _usage(run: Run, status: RunStatus, answer: Answer) -> dict[str, object] | None:
    if status is RunStatus.CANCELLED:
        return None
    if status is RunStatus.FAILED:
        shown = isinstance(run.fault, FailedRun) and run.fault.usage
        return answer.usage.without_output().to_json() if shown else None
    return answer.usage.to_json()


def _error(run: Run, status: RunStatus) -> dict[str, object] | None:
    """Return the error inside a body; its shape is inferred from that of HTTP errors."""
    if status is RunStatus.FAILED and isinstance(run.fault, FailedRun):
        return {"message": run.fault.message, "type": run.fault.type, "code": 500}
    if status is RunStatus.CANCELLED:
        return {"message": "The response was cancelled.", "type": "cancelled", "code": 499}
    return None


def _tool_choice(request: AgentRequest) -> object:
    choice = request.tool_choice
    if choice is None or isinstance(choice, str):
        return choice or "auto"
    return choice.model_dump(exclude_none=True)
