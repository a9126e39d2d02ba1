"""Logs: one past-tense event a line, ids bound once per message, secrets masked. `log_events` has all of them.

What libraries log, what Python warns of and what ends the process comes through the same processors: each is one line
of JSON, too.
"""

import logging
import sys
import threading
from collections.abc import Iterable, MutableMapping
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import Processor

from ekiden import tracing
from ekiden.masking import hide, know, masked

log = structlog.get_logger()


def configure_logging(service: str, level: str, form: str | None, secrets: Iterable[str] = ()) -> None:
    """Set up structlog for a process, and lead everybody else's words through it. `secrets` are never shown."""
    know(secrets)
    console = form == "console" or (form is None and sys.stderr.isatty())
    shared: list[Any] = [
        _of(service),
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _add_trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Any] = [
        structlog.processors.format_exc_info,
        _mask_fields,
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(ensure_ascii=False),
        _mask_line,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, _as_event, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for noisy in ("aiormq", "aio_pika"):  # a lost connection is told by us, once, where it matters
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # that spans are lost, not each try to send them
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # a line is one write: a kill cuts none in two
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
    sys.excepthook = _crashed
    threading.excepthook = lambda args: _crashed(args.exc_type, args.exc_value, args.exc_traceback)


def _crashed(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """An error that nobody caught, in the words of every other line."""
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("process_crashed", exc_info=(kind, error or kind(), trace))


def _of(service: str) -> Processor:
    """Name the service in every line, whichever thread writes it."""

    def add(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add


def _as_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A library's text is no event's name."""
    event["message"] = event["event"]
    event["event"] = "library_logged"
    return event


def _add_trace(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.update(tracing.ids())
    return event


def _mask_fields(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        event[name] = masked(value, name)
    return event


def _mask_line(_logger: object, _method: str, line: str) -> str:
    """What is a secret by its value or by its look is hidden wherever in the line it got."""
    return hide(line)
