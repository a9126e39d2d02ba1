"""What a proxy may answer in a provider's place: a table that holds for both. Also: the tables have every class."""

from collections.abc import Callable

import pytest

from ekiden.errors import (
    AuthenticationFailed,
    ContextTooLong,
    Misconfigured,
    OutcomeUnknown,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
)
from ekiden.worker.adapter import Adapter
from ekiden.worker.refusal import AT_THE_DOOR
from ekiden_gpt_worker.openai_chat import OpenAIChat
from ekiden_perplexity_worker.perplexity_agent import PerplexityAgent
from tests.unit.worker.test_http import walk
from tests.unit.worker.wire import call, client, fence
from tests.unit.worker.wire_table import ABSTRACT, HTML, MEANING, Row, page, says

DOOR: dict[int, type[ProviderError]] = {
    401: AuthenticationFailed,
    402: QuotaExhausted,
    403: AuthenticationFailed,
    404: Misconfigured,
    405: Misconfigured,
    407: AuthenticationFailed,
    410: Misconfigured,
    413: ContextTooLong,
    426: Misconfigured,
    429: RateLimited,
}
UNREADABLE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "a page": HTML.encode(),
    "null": b"null",
    "a list": b"[]",
    "a text": b'"ok"',
    "truncated": b'{"id": "resp_1", "choi',
    "no UTF-8": b'{"id": "\xff\xfe',
    "nested without end": b"[" * 100_000,
    "an error after all": b'{"error": {"message": "no", "type": "server_error", "code": null}}',
}

ROWS = [
    *[page(f"{status} page", status, DOOR.get(status, RequestRejected)) for status in sorted(AT_THE_DOOR)],
    *[
        page(f"{status} page", status, OutcomeUnknown)
        for status in (408, 409, 418, 424, 425, 444, 460, 499, *range(500, 512), *range(520, 531), 598, 599)
    ],
    *[
        Row(f"{status} with JSON of somebody else", status, OutcomeUnknown, body, billed=None)
        for status in (408, 409, 499, 500, 503)
        for body in ({"error": "slow down"}, {"error": {}}, {"error": None}, {"message": "no"}, [], {"detail": "no"})
    ],
    *[
        Row(f"{status}, own JSON", status, OutcomeUnknown, {"error": {"message": "no"}}, billed=None)
        for status in (303, 307, 499, 502, 504, 520, 524, 529)
    ],
    *[
        page(f"{status} elsewhere", status, OutcomeUnknown, location="/elsewhere")
        for status in (300, 301, 302, 303, 304, 307, 308)
    ],
    *[Row(f"{status} and nothing more", status, OutcomeUnknown, b"", billed=None) for status in (101, 204, 205, 302)],
    *[
        Row(f"{status}, {name}", status, OutcomeUnknown, body, billed=None)
        for status in (200, 201, 202)
        for name, body in UNREADABLE.items()
    ],
    Row(
        "a charset of another world",
        200,
        OutcomeUnknown,
        b"abc",
        {"content-type": "text/html; charset=hex"},
        None,
        None,
    ),
    Row("a coding that is none", 200, OutcomeUnknown, b"{}", {"content-encoding": "gzip"}, None, None),
]


def chat(row: Row) -> Adapter:
    return OpenAIChat(client(lambda _: row.response()), "gpt-6-luna", deadline_seconds=30)


def agent(row: Row) -> Adapter:
    both = client(lambda _: row.response())
    return PerplexityAgent(both, both, "perplexity/sonar")


@pytest.mark.parametrize("adapter", [chat, agent])
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
async def test_every_answer_that_is_not_the_provider_s_means_what_its_row_says(
    row: Row, adapter: Callable[[Row], Adapter]
) -> None:
    with pytest.raises(ProviderError) as caught:
        await adapter(row).submit(call(), fence())
    says(caught.value, row)


def test_every_class_of_error_has_a_meaning() -> None:
    ours = {kind for kind in walk(ProviderError) if kind.__module__ == "ekiden.errors"}
    assert ours - ABSTRACT == set(MEANING)
