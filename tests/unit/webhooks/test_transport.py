"""What is connected to is what was checked: over real sockets and real TLS, with names that change their mind."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trustme

from ekiden.clock import DatabaseClock
from ekiden.webhooks import transport
from ekiden.webhooks.guard import Allowed
from ekiden.webhooks.schedule import Answer
from ekiden.webhooks.transport import CheckedTransport, Resolver, WebhookClient
from tests.fakes.receiver import Behaviour, Receiver, answer, cut, endless, hang

NAME = "hooks.example.com"
PUBLIC, INSIDE = "127.0.0.2", "127.0.0.1"
"""Loopback has many addresses: one that is allowed stands for the Internet, another for what is behind the wall."""
OPEN = Allowed.read(PUBLIC)
NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts no certificate at all; reading those that there are takes a third of a second."""
PATIENT = 60.0
"""Seconds that no attempt of these tests takes, on whatever machine."""


class Names:
    """A resolver that answers what it is told, one answer after the other, the last one for ever."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(found, Exception):
            raise found
        return found


@asynccontextmanager
async def client(
    names: Names, allowed: Allowed = OPEN, *, deadline: float = PATIENT, verify: ssl.SSLContext | bool = NOBODY
) -> AsyncGenerator[WebhookClient]:
    made = WebhookClient(CheckedTransport(allowed, names, verify=verify), DatabaseClock(), deadline)
    try:
        yield made
    finally:
        await made.close()


async def post(url: str, names: Names, allowed: Allowed = OPEN, **more: Any) -> Answer:
    async with client(names, allowed, **more) as made:
        return await made.post(url, '{"type":"ping"}', {"webhook-id": "msg_1"})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def serving(authority: trustme.CA, name: str = NAME) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


# ── the checked address is the connected one ─────────────────────────────────────────────────────────────


async def test_the_name_stays_in_host_and_in_tls(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    async with Receiver(PUBLIC).listening(serving(authority)) as receiver:
        found = await post(receiver.url(NAME, "https"), Names([PUBLIC]), verify=trusting)
    assert (found.status, found.excerpt, found.error) == (200, "ok", "")
    (got,) = receiver.received
    assert (got.line, got.headers["host"]) == ("POST /hook HTTP/1.1", f"{NAME}:{receiver.port}")
    assert (receiver.names, got.headers["content-type"]) == ([NAME], "application/json")
    assert got.body == '{"type":"ping"}'


async def test_a_certificate_of_another_name_is_refused(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    async with Receiver(PUBLIC).listening(serving(authority, "other.example.com")) as receiver:
        found = await post(receiver.url(NAME, "https"), Names([PUBLIC]), verify=trusting)
    assert (found.status, receiver.received) == (None, [])
    assert "certificate" in found.error


async def test_a_certificate_of_nobody_we_know_is_refused(authority: trustme.CA) -> None:
    async with Receiver(PUBLIC).listening(serving(authority)) as receiver:
        found = await post(receiver.url(NAME, "https"), Names([PUBLIC]), verify=True)
    assert (found.status, receiver.received) == (None, [])


async def test_a_name_that_changes_behind_the_check_changes_nothing(
    authority: trustme.CA, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: a good answer for whoever checks, and the inside for whoever connects."""
    lookup = socket.getaddrinfo

    def rebound(host: Any, *rest: Any, **more: Any) -> Any:
        return lookup(INSIDE if host in {NAME, NAME.encode()} else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    names = Names([PUBLIC], [INSIDE])
    async with (
        Receiver(PUBLIC).listening(serving(authority)) as receiver,
        Receiver(INSIDE).listening(serving(authority), receiver.port) as victim,
    ):
        found = await post(receiver.url(NAME, "https"), names, verify=trusting)
    assert (found.status, len(receiver.received), victim.connections) == (200, 1, 0)
    assert names.asked == [NAME]


async def test_each_attempt_looks_anew(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    async with (
        Receiver(PUBLIC).listening(serving(authority)) as receiver,
        Receiver(INSIDE).listening(serving(authority), receiver.port) as victim,
        client(Names([PUBLIC], [INSIDE]), verify=trusting) as made,
    ):
        first, second = [await made.post(receiver.url(NAME, "https"), "{}", {}) for _ in range(2)]
    assert (first.status, second.status, victim.connections) == (200, None, 0)
    assert second.error == f"not sent: {NAME} leads to an address that is not public"


@pytest.mark.parametrize(
    "answers",
    [[INSIDE], [PUBLIC, INSIDE], [INSIDE, PUBLIC], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1%lo"], ["169.254.169.254"]],
    ids=str,
)
async def test_a_name_with_one_address_inside_gets_no_connection(answers: list[str]) -> None:
    async with Receiver(INSIDE).listening() as victim, Receiver(PUBLIC).listening(port=victim.port) as receiver:
        found = await post(victim.url(NAME, "https"), Names(answers))
    assert (victim.connections, receiver.connections) == (0, 0)
    assert found.error.startswith("not sent: ")
    assert not any(address in found.error for address in answers), "what a name means inside is not told"


async def test_an_address_that_does_not_answer_is_followed_by_the_next(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    async with Receiver(PUBLIC).listening(serving(authority)) as receiver:
        names = Names(["127.0.0.3", "127.0.0.4", PUBLIC])
        found = await post(
            receiver.url(NAME, "https"), names, Allowed.read("127.0.0.2,127.0.0.3,127.0.0.4"), verify=trusting
        )
    assert found.status == 200


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")], ids=repr)
async def test_a_name_that_is_not_found_is_a_failed_attempt(error: Exception) -> None:
    assert (await post(f"https://{NAME}/", Names(error))).error == f"ConnectError: {NAME} was not found"


async def test_the_systems_resolver_knows_this_machine_and_says_each_address_once() -> None:
    resolver = Resolver()
    try:
        found = await resolver("localhost", 80)
    finally:
        resolver.close()
    assert INSIDE in found or "::1" in found
    assert len(found) == len(set(found))


# ── receivers that misbehave ─────────────────────────────────────────────────────────────────────────────


async def asked(behaves: Behaviour, *, deadline: float = PATIENT) -> Answer:
    async with Receiver(INSIDE, behaves).listening() as receiver:
        return await post(receiver.url(), Names([INSIDE]), Allowed.read(INSIDE), deadline=deadline)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with Receiver(INSIDE).listening() as victim:
        found = await asked(answer(status, location=victim.url()))
    assert (found.status, found.took, victim.connections) == (status, False, 0)


async def test_no_proxy_of_the_environment_stands_between(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver(INSIDE).listening() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(path=""))
        found = await asked(answer(204))
    assert (found.status, proxy.connections) == (204, 0)


async def test_of_a_body_without_end_the_beginning_is_kept() -> None:
    found = await asked(endless)
    assert (found.status, found.took, found.excerpt) == (200, True, "x" * transport.EXCERPT_BYTES)


async def test_a_bomb_is_not_unpacked() -> None:
    """Two bytes of it would be a failure to gzip, and are shown as they are."""
    found = await asked(answer(200, "PK", content_encoding="gzip"))
    assert (found.status, found.excerpt) == (200, "PK")


@pytest.mark.parametrize(
    "said", ["", "HTTP/1.1 200 OK\r\nConten", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n"]
)
async def test_an_answer_that_breaks_off_is_a_failed_attempt(said: str) -> None:
    found = await asked(cut(said))
    assert (found.status, found.took) == (None, False)
    assert found.error


async def test_a_body_that_breaks_off_does_not_take_its_status_back() -> None:
    found = await asked(cut("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
    assert (found.status, found.took, found.excerpt) == (200, True, "half")


async def test_nor_does_one_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "EXCERPT_SECONDS", 0.05)
    found = await asked(hang("HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nso far"))
    assert (found.status, found.took, found.excerpt) == (202, True, "so far")


async def test_who_does_not_answer_is_given_up() -> None:
    found = await asked(hang(), deadline=0.2)
    assert (found.status, found.error) == (None, "no answer within 0.2 s")


async def test_a_name_that_takes_too_long_is_given_up_too() -> None:
    class Slow(Names):
        async def __call__(self, host: str, port: int) -> Sequence[str]:
            await asyncio.Event().wait()
            raise AssertionError

    assert (await post(f"https://{NAME}/", Slow([]), deadline=0.1)).error == "no answer within 0.1 s"


async def test_nobody_there_is_a_failed_attempt() -> None:
    async with Receiver(INSIDE).listening() as receiver:
        pass
    found = await post(receiver.url(), Names([INSIDE]), Allowed.read(INSIDE))
    assert (found.status, found.took) == (None, False)
    assert found.error.startswith("ConnectError")


async def test_what_a_library_lets_through_is_a_failed_attempt() -> None:
    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise RuntimeError("nobody foresaw this")

    made = WebhookClient(Broken(), DatabaseClock())
    found = await made.post("https://example.com/", "{}", {})
    assert found.error == "RuntimeError: nobody foresaw this"
    await made.close()


@pytest.mark.parametrize(
    ("wish", "is_right"),
    [
        ("120", lambda seconds: seconds == 120),
        ("Fri, 31 Dec 2999 23:59:59 GMT", lambda seconds: seconds > 1e9),
        ("Sat, 01 Jan 2000 00:00:00 GMT", lambda seconds: seconds == 0),
        ("soon", lambda seconds: seconds is None),
        ("-5", lambda seconds: seconds is None),
        ("٣", lambda seconds: seconds is None),
        ("9" * 5000, lambda seconds: seconds > 1e8),
    ],
    ids=["seconds", "a date", "a date that was", "a word", "less than nothing", "other digits", "for ever"],
)
async def test_a_wish_to_be_left_alone_is_seconds_or_a_date(wish: str, is_right: Callable[[Any], bool]) -> None:
    class Busy(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(503, headers=[(b"retry-after", wish.encode())])

    made = WebhookClient(Busy(), DatabaseClock())
    assert is_right((await made.post("https://example.com/", "{}", {})).retry_after)
    await made.close()
