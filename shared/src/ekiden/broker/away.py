"""What aio-pika says when the broker does not answer, turned into our one word for it."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from aiormq.exceptions import AMQPError

from ekiden.errors import Unreachable
from ekiden.metrics import UNREACHABLE

_FAILURES = (AMQPError, ConnectionError, TimeoutError, RuntimeError, OSError)
"""What aio-pika lets out: a closed channel is a RuntimeError subclass there."""


@contextmanager
def away(what: str) -> Generator[None]:
    """Raise Unreachable, which begins with `what`, for all of it; also when aiormq cancels whoever waits for it."""
    try:
        yield
    except _FAILURES as error:
        raise _unreachable(f"{what}: {error!r}") from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling() == 0:  # nobody of ours did: a connection died
            raise _unreachable(f"{what}: the connection was lost") from None
        raise


def _unreachable(says: str) -> Unreachable:
    UNREACHABLE.labels(server="broker").inc()
    return Unreachable(says)
