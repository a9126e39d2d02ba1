"""A gate on the command line: what it shows, and that an answer is for the gate that was looked at."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner, Result

from ekiden_cli.app import make_app
from ekiden_cli.commands import options
from ekiden_cli.commands.gate import read_items
from ekiden_cli.errors import Exit
from ekiden_client import EkidenClient, NotFound, Patience

SESSION = "ses_0199c0ffee0077778888999900001111"
TIME = "2026-11-22T09:30:00Z"
NAME = "before:1.EXECUTE@1"
CALLS = {"calls": {"perplexity": 3}, "atMostUsd": 0.09, "seconds": None}
GATE = {
    "id": NAME,
    "position": "before:1.EXECUTE",
    "since": TIME,
    "dueAt": TIME,
    "onTimeout": "stop",
    "items": [{"question": "What do \x1b[2Jrunners read?"}],
    "forecast": CALLS,
    "budgetShortUsd": 0.02,
    "found": {
        "phase": 1,
        "step": "THINK",
        "title": "調査計画",
        "result": {"angle": "朝"},
        "missing": ["And when?"],
        "sources": [{"url": "https://example.org/a", "title": "A", "date": None}],
    },
    "actions": [
        {"action": "edit", "description": "Go on with other questions", "method": "POST", "url": "/", "body": {}}
    ],
}
DONE = {"sessionId": SESSION, "status": "EXECUTING"}
FORESEEN = DONE | {"wouldChange": True, "forecast": {"now": CALLS}}
LINK = {
    "gate": NAME,
    "url": "http://gateway/gates/glk_1",
    "apiUrl": "http://gateway/api/gates/glk_1",
    "expiresAt": TIME,
}


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """What a gateway was asked whose session stands at a gate."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.method == "GET":
            return httpx.Response(200, json=GATE)
        if request.url.path.endswith("/gate-link"):
            return httpx.Response(200, json=LINK)
        dry = "dryRun" in request.url.params
        return httpx.Response(200 if dry else 202, json=FORESEEN if dry else DONE)

    def client(url: str, *, key: str, patience: Patience) -> EkidenClient:
        return EkidenClient(url, key=key, patience=patience, transport=httpx.MockTransport(answer))

    monkeypatch.setattr(options, "EkidenClient", client)
    return seen


def gate(*arguments: str, said: str | None = None) -> Result:
    done = CliRunner().invoke(make_app(), ["sessions", "gate", SESSION, *arguments], input=said)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def body(request: httpx.Request) -> Any:
    return json.loads(request.content)


@pytest.mark.usefixtures("requests")
def test_a_gate_shows_its_evidence_its_price_and_the_answers_it_takes() -> None:
    told = gate().stdout

    for wanted in (
        "調査計画",
        "https://example.org/a",
        "missing: And when?",
        "What do runners read?",
        "3 perplexity calls, at most $0.0900",
        "$0.0200 too small",
        "then: stop",
        f"ekiden sessions gate {SESSION} --gate {NAME} --edit FILE",
    ):
        assert wanted in told
    assert "\x1b" not in told
    assert json.loads(gate("--json").stdout)["id"] == NAME


@pytest.mark.parametrize("answer", ["approve", "rerun", "stop"])
def test_an_answer_names_the_gate_the_session_stands_at(requests: list[httpx.Request], answer: str) -> None:
    assert "is EXECUTING" in gate(f"--{answer}").stdout
    assert [request.method for request in requests] == ["GET", "POST"]
    assert body(requests[-1]) == {"gate": NAME, "decision": answer}


def test_the_gate_that_was_looked_at_is_answered_and_not_the_one_there_is_by_now(
    requests: list[httpx.Request],
) -> None:
    gate("--approve", "--gate", "after:1@1")

    assert [body(request)["gate"] for request in requests] == ["after:1@1"]


@pytest.mark.parametrize("text", ["What?\n\n  And when?\n", '["What?", "And when?"]'], ids=["lines", "json"])
def test_questions_come_from_a_file_or_from_standard_input(
    requests: list[httpx.Request], tmp_path: Path, text: str
) -> None:
    (tmp_path / "questions").write_text(text, encoding="utf-8")

    gate("--edit", str(tmp_path / "questions"))
    gate("--edit", "-", said=text)

    wanted = {"gate": NAME, "decision": "edit", "input": ["What?", "And when?"]}
    assert [body(request) for request in requests if request.method == "POST"] == [wanted, wanted]


def test_a_dry_run_only_foresees(requests: list[httpx.Request]) -> None:
    assert "nothing was done" in gate("--approve", "--dry-run").stdout
    assert requests[-1].url.params["dryRun"] == "true"


def test_a_link_is_printed_alone_on_its_line_with_whom_it_lets_in(requests: list[httpx.Request]) -> None:
    told = gate("--link", "--expires", "60", "--gate", NAME).stdout.splitlines()

    assert told[0] == LINK["url"]
    assert "Whoever has this link may answer" in told[1]
    assert body(requests[-1]) == {"gate": NAME, "expiresInSeconds": 60}


@pytest.mark.parametrize(
    "arguments",
    [["--approve", "--stop"], ["--approve", "--link"], ["--dry-run"], ["--expires", "60"], ["--edit", "-"]],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused_and_nothing_is_answered(
    requests: list[httpx.Request], arguments: Sequence[str]
) -> None:
    assert gate(*arguments, said="\n").exit_code == Exit.USAGE
    assert [request for request in requests if request.method == "POST"] == []


def test_a_file_that_is_half_a_list_is_no_list_of_questions() -> None:
    with pytest.raises(typer.BadParameter, match="no JSON"):
        read_items('["What?"')


def test_a_session_that_stands_at_no_gate_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = httpx.Response(404, headers={"content-type": "application/problem+json"}, content=b'{"detail": "No gate."}')

    def client(url: str, *, key: str, patience: Patience) -> EkidenClient:
        return EkidenClient(url, key=key, patience=patience, transport=httpx.MockTransport(lambda _: gone))

    monkeypatch.setattr(options, "EkidenClient", client)
    ran = CliRunner().invoke(make_app(), ["sessions", "gate", SESSION, "--approve"])

    assert isinstance(ran.exception, NotFound), "which is exit code 3"
