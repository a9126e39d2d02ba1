"""The documents that are kept in `docs/`, made from the code: `python -m ekiden_gateway.documents openapi.json`."""

import json
import sys
from collections.abc import Callable, Mapping

from ekiden.domain.plan import Provider
from ekiden.retry import UnknownOutcome
from ekiden.workflow.package import Policies
from ekiden_gateway import asyncapi, openapi
from ekiden_gateway.app import bare_app
from ekiden_gateway.catalogue import Catalogue
from ekiden_gateway.kinds import KINDS
from ekiden_gateway.settings import PACKAGED_WORKFLOWS


def _openapi() -> str:
    """Of a gateway with keys and the packaged workflows."""
    policies: Policies = dict.fromkeys(Provider, UnknownOutcome.ASK)
    catalogue = Catalogue.read([PACKAGED_WORKFLOWS], policies)
    return _json(openapi.document(bare_app(), catalogue, keys=True))


def _asyncapi() -> str:
    return _json(asyncapi.document())


def _problems() -> str:
    lines = [
        "# Problems",
        "",
        "Made from `services/gateway/src/ekiden_gateway/kinds.py` by `make docs`.",
        "",
        "Whatever goes wrong, the gateway answers `application/problem+json` (RFC 9457):",
        "`{type, title, status, detail, instance, requestId}`, and what its kind adds. `type` is one of the paths",
        "below; the gateway explains it there, too. `detail` is this time's reason, and where there is one what helps.",
        "",
    ]
    for kind in KINDS.values():
        again = f" `Retry-After: {kind.again_seconds}`." if kind.again_seconds is not None else ""
        lines += [
            f"## {kind.name}",
            "",
            f"`{kind.type}` · {kind.status} · {kind.title}.{again}",
            "",
            kind.meaning,
            "",
            f"What helps: {kind.remedy}",
            "",
        ]
    return "\n".join(lines)


def _json(made: object) -> str:
    return json.dumps(made, ensure_ascii=False, indent=2) + "\n"


DOCUMENTS: Mapping[str, Callable[[], str]] = {
    "openapi.json": _openapi,
    "asyncapi.json": _asyncapi,
    "problems.md": _problems,
}


if __name__ == "__main__":
    sys.stdout.write(DOCUMENTS[sys.argv[1]]())
