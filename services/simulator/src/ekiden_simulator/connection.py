"""Closing a connection without an answer, which ASGI has no word for.

uvicorn's protocol object owns the transport. `CuttableProtocol` puts a `cut` function into the state of every request
it reads; `CutConnection` is the reply that calls it. The client sees what it sees of a dying server: end of file
("server disconnected without sending a response"), or a TCP reset.
"""

import socket
import struct
from collections.abc import Callable
from typing import cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LINGER_ZERO = struct.pack("ii", 1, 0)  # struct linger {on, 0 s}: close() then sends RST instead of FIN


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with a way to pull the plug."""

    def on_message_begin(self) -> None:
        """Start a request as uvicorn does, and offer `cut` in its state."""
        super().on_message_begin()
        self.scope.setdefault("state", {})["cut"] = self.cut

    def cut(self, reset: bool) -> None:
        """Close the connection at once, dropping whatever is unsent; with a TCP reset when asked."""
        if reset and (raw := self.transport.get_extra_info("socket")) is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.transport.abort()


class CutConnection(Response):
    """A reply that never comes: it closes the connection instead. Works only under `CuttableProtocol`."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Cut, and wait until the server has noticed, so that it does not answer 500 for us."""
        cut = cast("Callable[[bool], None]", scope["state"]["cut"])
        cut(self.reset)
        while (await receive())["type"] != "http.disconnect":
            pass
