"""A completion as it is read, whoever made it. What was paid is not lost to an odd form."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator

from ekiden.domain.ids import Micros
from ekiden.errors import InvalidOutput
from ekiden.prices import PriceList
from ekiden.worker import refusal
from ekiden.worker.decoding import decode
from ekiden.worker.http import Reply
from ekiden.worker.ledger import Usage

_MOST_TOKENS = 10**12
"""What counts more is no count of tokens."""
_FENCE = re.compile(r"^\s*```(?:json)?\s*|\s*```\s*$")
_THINKING = re.compile(r"^.*</think>", re.DOTALL)
"""What a reasoning model writes before its answer where its server does not take it out (vLLM, Ollama)."""


def error_object(reply: Reply) -> Mapping[str, Any] | None:
    """The server's own JSON error: in `error`, or, as vLLM and LiteLLM also have it, the body itself.

    FastAPI's `{"detail": …}` is none: it says of an address that nobody serves it, whoever stands behind it.
    """
    found = refusal.error_object(reply)
    body = cast("object", reply.json)
    if found is not None or not isinstance(body, dict):
        return found
    fields = cast("dict[str, Any]", body)
    is_one = fields.get("object") == "error" or ("choices" not in fields and isinstance(fields.get("type"), str))
    return fields if is_one and isinstance(fields.get("message"), str) else None


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message: a string, nothing, or a list of parts, as Mistral has it."""
    content = cast("object", message.get("content"))
    if isinstance(content, list):
        parts = [cast("Mapping[str, Any]", part) for part in cast("list[object]", content) if isinstance(part, dict)]
        return "".join(str(part.get("text") or "") for part in parts)
    return str(content or "")


def usage_of(reply: Reply, model: str, prices: PriceList) -> Usage:
    """What the call cost. An answer that can be read is kept also when its usage cannot: the cost is not known then."""
    found = cast("object", reply.json)
    body: Mapping[str, Any] = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    answered_by = str(body.get("model") or model)
    simulated = "x-ekiden-simulator" in reply.headers
    try:
        counted: Mapping[str, Any] = body["usage"]
        tokens_in, tokens_out = _tokens(counted["prompt_tokens"]), _tokens(counted["completion_tokens"])
        billed, said = prices.price(counted, answered_by, model, reply.headers)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        return Usage(billed=None, price="usage not given", model=answered_by, simulated=simulated)
    return Usage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        billed=Micros(billed) if billed is not None else None,
        price=said,
        model=answered_by,
        simulated=simulated,
    )


def result_of(content: str, request: Mapping[str, object], usage: Usage) -> object:
    """The answer in its form. Raises InvalidOutput, with what it cost, for any other."""
    text = _THINKING.sub("", content)
    if "schema" not in request:
        if not text.strip():
            raise InvalidOutput("the answer is empty", billed=usage.billed)
        return text
    result = _decoded(text, usage)
    wrong = next(Draft202012Validator(cast("dict[str, Any]", request["schema"])).iter_errors(result), None)
    if wrong is not None:
        place = "/".join(str(part) for part in wrong.absolute_path) or "the top"
        raise InvalidOutput(
            f"the answer does not fit its schema at {place}: {wrong.message[:500]}", billed=usage.billed
        )
    return result


def _decoded(text: str, usage: Usage) -> Any:
    """The JSON of an answer: all of it, what is in its fence, or the object between its words."""
    first: ValueError | None = None
    for part in _parts(text):
        try:
            return decode(part)
        except ValueError as error:
            first = first or error
    raise InvalidOutput(f"the answer is no JSON: {first}", billed=usage.billed) from first


def _parts(text: str) -> Iterator[str]:
    yield _FENCE.sub("", text)
    begins, ends = text.find("{"), text.rfind("}")
    if 0 <= begins < ends:
        yield text[begins : ends + 1]


def _tokens(count: Any) -> int:
    """Raises ValueError for what is no count of tokens: nothing absurd may reach the bill."""
    if not 0 <= (tokens := int(count)) <= _MOST_TOKENS:
        raise ValueError(f"{count} tokens")
    return tokens
