"""Log lines as a process writes them: JSON, whoever speaks, and never with a secret in it.

All that is said here is said by one process, because that is what logging is set up for; it ends with a crash.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from ekiden.masking import MASK

SECRET = "canary-0123456789"
SCRIPT = f"""
import asyncio, logging, sys, threading, warnings
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from ekiden import tracing
from ekiden.log import configure_logging

secret = "{SECRET}"
configure_logging("tester", "info", "json", [secret])
log = structlog.get_logger()

with structlog.contextvars.bound_contextvars(session_id="ses_1", task_id="t"):
    log.info("task_completed", billed=700)
log.debug("probe_failed")

nested = {{"headers": {{"Authorization": "x"}}, "list": [secret]}}
log.warning("call_failed", error=f"refused {{secret}}", nested=nested)
log.warning("message_kept", api_key="short", url="amqp://me:hush@broker/", said="Bearer abcdefghijklmnop")
try:
    raise ValueError(f"mongodb://me:hush@db/ {{secret}}")
except ValueError:
    log.exception("call_crashed", odd=ValueError(secret))

try:
    raise OSError(f"amqp://guest:{{secret}}@h/")
except OSError:
    logging.getLogger("uvicorn.error").error("Exception with %s", secret, exc_info=True)
logging.getLogger("httpx").info("HTTP Request: POST https://api")
warnings.warn(f"deprecated {{secret}}")

def crash():
    raise RuntimeError(f"in a thread {{secret}}")
thread = threading.Thread(target=crash)
thread.start()
thread.join()

async def forgotten():
    raise RuntimeError(f"forgotten {{secret}}")
async def main():
    task = asyncio.create_task(forgotten())
    await asyncio.sleep(0)
asyncio.run(main())

tracing.begin("tester", SimpleSpanProcessor(InMemorySpanExporter()))
with tracing.span("work", {{}}):
    log.info("run_accepted")
raise RuntimeError(f"at the end {{secret}}")
"""
Lines = Sequence[dict[str, Any]]


@pytest.fixture(scope="module")
def lines() -> Lines:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert SECRET not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def one(lines: Lines, **fields: str) -> dict[str, Any]:
    (found,) = [line for line in lines if fields.items() <= line.items()]
    return dict(found)


def test_a_line_has_the_event_its_level_its_time_and_what_is_bound(lines: Lines) -> None:
    line = one(lines, event="task_completed")
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "task_completed",
        "level": "info",
        "service": "tester",
        "session_id": "ses_1",
        "task_id": "t",
        "billed": 700,
    }


def test_what_is_below_the_level_is_not_written(lines: Lines) -> None:
    assert "probe_failed" not in [line["event"] for line in lines]


def test_secrets_are_masked_in_fields_of_any_depth(lines: Lines) -> None:
    line = one(lines, event="call_failed")
    assert line["error"] == f"refused {MASK}"
    assert line["nested"] == {"headers": {"Authorization": MASK}, "list": [MASK]}


def test_what_nobody_told_is_a_secret_is_masked_by_its_name_and_by_its_look(lines: Lines) -> None:
    line = one(lines, event="message_kept")
    assert (line["api_key"], line["url"], line["said"]) == (MASK, f"amqp://{MASK}@broker/", f"Bearer {MASK}")


def test_secrets_are_masked_in_tracebacks(lines: Lines) -> None:
    line = one(lines, event="call_crashed")
    assert "Traceback" in line["exception"]
    assert "hush" not in json.dumps(line)


def test_a_librarys_line_is_an_event_with_its_text_masked(lines: Lines) -> None:
    assert {line["service"] for line in lines} == {"tester"}
    line = one(lines, logger="uvicorn.error")
    assert (line["event"], line["level"], line["service"]) == ("library_logged", "error", "tester")
    assert line["message"] == f"Exception with {MASK}"
    assert "OSError" in line["exception"]


def test_warnings_and_forgotten_tasks_are_lines_too(lines: Lines) -> None:
    assert f"deprecated {MASK}" in one(lines, logger="py.warnings")["message"]
    assert f"forgotten {MASK}" in one(lines, logger="asyncio")["exception"]


@pytest.mark.parametrize("where", ["in a thread", "at the end"])
def test_an_error_that_nobody_caught_is_a_line_too(lines: Lines, where: str) -> None:
    crashes = [line for line in lines if line["event"] == "process_crashed"]
    assert [line["level"] for line in crashes] == ["critical", "critical"]
    assert len([line for line in crashes if f"RuntimeError: {where} {MASK}" in line["exception"]]) == 1


def test_while_traced_a_line_names_its_trace_and_span(lines: Lines) -> None:
    line = one(lines, event="run_accepted")
    assert (len(line["trace_id"]), len(line["span_id"])) == (32, 16)


def test_a_terminal_gets_no_json_and_no_secrets_either_and_an_interrupt_is_no_crash() -> None:
    setup = SCRIPT.split("with structlog")[0].replace('"json"', '"console"')
    script = setup + 'log.info("task_completed", error=f"x {secret}")\nraise KeyboardInterrupt'
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.count("\n") == 1
    assert "task_completed" in done.stderr
    assert SECRET not in done.stderr
