"""The OpenAPI document: what FastAPI says of the routes, completed by what holds for all of them."""

from collections.abc import Iterator
from typing import Any, cast

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from ekiden_gateway.access import SCHEMES
from ekiden_gateway.catalogue import Catalogue
from ekiden_gateway.documented import header, responses
from ekiden_gateway.kinds import FORBIDDEN, TOO_LARGE, TOO_MANY_REQUESTS, UNAUTHENTICATED
from ekiden_gateway.models.problems import ConflictAnswer, InvalidAnswer, ProblemAnswer
from ekiden_gateway.problems import MEDIA_TYPE
from ekiden_gateway.wishes import schemas as wishes

Json = dict[str, Any]
_SCHEMAS = "#/components/schemas/{model}"
_PROBLEMS = (ProblemAnswer, InvalidAnswer, ConflictAnswer)
_REQUEST_ID = header("The request's id: the one it came with, or a new one", {"type": "string"})


def document(app: FastAPI, catalogue: Catalogue, *, keys: bool) -> Json:
    """The document of a gateway with these workflows; without `keys` nobody is asked who he is."""
    made: Json = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        license_info=app.license_info,
        tags=app.openapi_tags,
        routes=app.routes,
    )
    schemas = made["components"]["schemas"]
    _, problems = models_json_schema([(model, "serialization") for model in _PROBLEMS], ref_template=_SCHEMAS)
    schemas |= problems["$defs"]
    schemas |= wishes(schemas["CreateSession"], catalogue)
    for left_over in ("HTTPValidationError", "ValidationError"):
        schemas.pop(left_over, None)
    for schema in schemas.values():
        _tidy(schema)
    made["components"]["headers"] = {"X-Request-ID": _REQUEST_ID}
    for method, operation in _operations(made):
        _complete(method, operation, keys=keys)
        for parameter in operation.get("parameters", []):
            parameter["schema"] = _plain(parameter["schema"])
        _share(operation["responses"], made["components"].setdefault("responses", {}))
    if keys:
        made["components"]["securitySchemes"] = jsonable_encoder(
            {way.scheme_name: way.model for way in SCHEMES}, exclude_none=True
        )
    else:
        del made["components"]["securitySchemes"]
    return made


def _operations(made: Json) -> Iterator[tuple[str, Json]]:
    for path in made["paths"].values():
        yield from path.items()


def _complete(method: str, operation: Json, *, keys: bool) -> None:
    """What any route can answer: who may not come in, a body that is too large, and the id of every request."""
    answers = operation["responses"]
    if MEDIA_TYPE not in answers.get("422", {}).get("content", {MEDIA_TYPE: {}}):
        del answers["422"]  # FastAPI's own, of a route that takes whatever it is given
    locked = operation.pop("security", None) is not None
    if locked and keys:
        operation["security"] = [{way.scheme_name: []} for way in SCHEMES]
        answers |= {str(status): made for status, made in responses(UNAUTHENTICATED, FORBIDDEN).items()}
        answers["401"]["headers"] = {"WWW-Authenticate": header("How to say who you are", {"type": "string"})}
    if not keys:
        answers.pop("403", None)
    if method != "get":
        answers |= {str(status): made for status, made in responses(TOO_LARGE).items()}
        if locked:
            answers.setdefault(str(TOO_MANY_REQUESTS.status), responses(TOO_MANY_REQUESTS)[TOO_MANY_REQUESTS.status])
    for answer in answers.values():
        answer.setdefault("headers", {})["X-Request-ID"] = {"$ref": "#/components/headers/X-Request-ID"}
    operation["responses"] = dict(sorted(answers.items()))


def _tidy(schema: Json) -> None:
    """FastAPI titles each field with its name again, and loses the nulls of examples."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    for example in schema.get("examples", []):
        for name in schema.get("required", []):
            if isinstance(example, dict):
                cast("Json", example).setdefault(name, None)


def _plain(schema: Json) -> Json:
    """A parameter's schema. It is left out or has a value: there is no way to write null in an address."""
    options = [option for option in schema.pop("anyOf", []) if option != {"type": "null"}]
    said = {name: schema[name] for name in schema if name not in {"title", "description"}}
    return said | (options[0] if len(options) == 1 else {"anyOf": options} if options else {})


def _share(answers: Json, shared: Json) -> None:
    """Problems are alike wherever they are met: each is written once."""
    for status, answer in answers.items():
        if found := answer.get("content", {}).get(MEDIA_TYPE):
            name = "-or-".join(found["examples"])
            shared[name] = answer
            answers[status] = {"$ref": f"#/components/responses/{name}"}
