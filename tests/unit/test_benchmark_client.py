"""The client of the benchmarks speaks just enough HTTP, and takes no answer for another."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from benchmarks import client as client_of_the_bench
from benchmarks.client import Client


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncGenerator[tuple[str, asyncio.Queue[bytes]]]:
    """A server's address and the bodies it was sent, then nothing for a connection that is closed.

    Each connection gets the answers from the first one on.
    """
    bodies: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            head = await reader.readuntil(b"\r\n\r\n")
            await bodies.put(await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0])))
            writer.write(answer)
        writer.close()
        await writer.wait_closed()
        await bodies.put(b"")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}", bodies


def answer(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\n\r\n".encode() + body


async def test_a_client_keeps_its_connection_and_reads_each_answer() -> None:
    answers = answer("201 Created", b'{"n":1}'), answer("200 OK", b'{"n":2}')
    async with answering(*answers) as (url, bodies), Client(url) as client:
        assert [await client.post("/it", {"ask": n}) for n in (1, 2)] == [{"n": 1}, {"n": 2}]

        assert [await bodies.get() for _ in range(3)] == [b'{"ask": 1}', b'{"ask": 2}', b""]


async def test_a_client_does_not_use_a_connection_that_the_server_has_closed() -> None:
    async with answering(answer("200 OK", b'{"n":1}')) as (url, bodies), Client(url) as client:
        for _ in range(3):
            assert await client.post("/it", {}) == {"n": 1}
            while await bodies.get():
                pass
            await asyncio.sleep(0)  # what the kernel has is read with the next pass
            await asyncio.sleep(0)


async def test_a_client_does_not_use_a_connection_that_the_server_may_be_closing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_of_the_bench, "KEPT_SECONDS", 0.0)
    answers = answer("200 OK", b'{"n":1}'), answer("200 OK", b'{"n":2}')
    async with answering(*answers) as (url, _), Client(url) as client:
        assert [await client.post("/it", {}) for _ in range(2)] == [{"n": 1}, {"n": 1}]


async def test_a_client_raises_what_was_refused() -> None:
    async with answering(answer("429 Too Many Requests", b'{"detail":"full"}')) as (url, _), Client(url) as client:
        with pytest.raises(RuntimeError, match=r"429 too many requests: .*full"):
            await client.post("/it", {})


async def test_a_client_raises_when_an_answer_is_cut() -> None:
    async with answering(answer("200 OK", b'{"n":1}')[:-3]) as (url, _), Client(url) as client:
        with pytest.raises(EOFError):
            await client.post("/it", {})
