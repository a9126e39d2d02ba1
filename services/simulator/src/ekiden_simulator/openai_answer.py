"""What a chat completion says, how many tokens that takes, and its body on the wire (`providers.md` 1.4)."""

import time
from dataclasses import dataclass

from ekiden_simulator.faults import Fault, Length, Refusal
from ekiden_simulator.openai_request import ChatRequest
from ekiden_simulator.replies import spoil_text
from ekiden_simulator.tokens import cut, estimate

_MESSAGE_TOKENS = 4  # what the chat format adds to each message
_REASONING_SHARE = {"none": 0.0, "minimal": 0.05, "low": 0.1, "medium": 0.25, "high": 0.5, "xhigh": 0.75, "max": 1.0}
"""Reasoning tokens per visible token, by effort: an assumption. The default effort is medium."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished completion. `completion_tokens` includes those of reasoning, as on the bill."""

    content: str | None
    refusal: str | None
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int


def prompt_tokens(request: ChatRequest) -> int:
    """Return the estimated tokens of everything sent, schema included."""
    schema = request.json_schema
    sent = sum(estimate(message.text) + _MESSAGE_TOKENS for message in request.messages)
    return sent + (estimate(str(schema.schema_)) if schema else 0)


def answer(request: ChatRequest, text: str, prompt: int, fault: Fault | None) -> Answer:
    """Fit a text into the request's token limit, and let a fault spoil it."""
    if isinstance(fault, Refusal):
        spent = estimate(fault.message)
        return Answer(None, fault.message, "stop", prompt, spent, 0)
    text = spoil_text(text, fault)
    visible = estimate(text)
    reasoning = round(visible * _REASONING_SHARE[request.reasoning_effort or "medium"]) if request.reasons else 0
    limit = request.max_completion_tokens or request.max_tokens
    if isinstance(fault, Length):
        spent = limit or visible + reasoning
        return Answer("", None, "length", prompt, spent, spent)
    if limit is not None and visible + reasoning > limit:
        reasoning = min(reasoning, limit)
        return Answer(cut(text, limit - reasoning), None, "length", prompt, limit, reasoning)
    return Answer(text, None, "stop", prompt, visible + reasoning, reasoning)


def body_of(given: Answer, run_id: str, model: str) -> dict[str, object]:
    """Return the completion as recorded, key for key."""
    return {
        "id": run_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": given.content,
                    "refusal": given.refusal,
                    "annotations": [],
                },
                "finish_reason": given.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": given.prompt_tokens,
            "completion_tokens": given.completion_tokens,
            "total_tokens": given.prompt_tokens + given.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": given.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": None,
    }
