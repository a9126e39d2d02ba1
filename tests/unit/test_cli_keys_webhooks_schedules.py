"""Keys, webhooks and schedules on the command line: what is asked, what is printed, and secrets once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from ekiden_cli import completion
from ekiden_cli.app import make_app
from ekiden_cli.commands import deliveries, options
from ekiden_cli.doctor.finding import Verdict
from ekiden_cli.doctor.gateway import check_schedules
from ekiden_cli.errors import Exit
from ekiden_client import EkidenClient, Patience

TIME = "2026-11-22T09:30:00Z"
KEY = {"id": "key_1", "client": "marketing", "scopes": ["read"], "ratePerMinute": 60, "createdAt": TIME}
HOOK = {"id": "whk_1", "url": "https://example.org/a", "events": None, "createdAt": TIME}
DELIVERY = {"id": "dlv_1", "webhookId": "whk_1", "type": "ping", "status": "PENDING", "createdAt": TIME}
ATTEMPT = {"at": TIME, "durationMs": 12, "status": 204, "error": None, "response": ""}
OFF = {"on": False, "lastSeenAt": None, "message": "No scheduler is at work."}
ON = {"on": True, "lastSeenAt": TIME, "message": "A scheduler is at work."}
SCHEDULE = {
    "scheduleId": "sch_1",
    "name": "Every working day",
    "status": "active",
    "cron": "0 9 * * MON-FRI",
    "timeZone": "Asia/Tokyo",
    "createdAt": TIME,
    "nextAt": TIME,
    "month": {"beganAt": TIME, "spentUsd": 1.5, "committedUsd": 2.0, "budgetUsd": 15.0},
    "lastRun": {"at": TIME, "outcome": "skipped", "reason": "overlap", "sessionId": None},
    "scheduler": OFF,
}
CREATE = ["schedules", "create", "a", "--cron", "0 9 * * *", "--time-zone", "UTC"]


class Gateway:
    """Answers one request after the other, and the last answer from then on."""

    def __init__(self, *answers: object) -> None:
        self.answers: Sequence[object] = answers
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer, *rest = self.answers
        self.answers = rest or self.answers
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]

    @property
    def body(self) -> Any:
        return json.loads(self.requests[-1].content)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    found = Gateway({})

    def client(url: str, *, key: str, patience: Patience) -> EkidenClient:
        return EkidenClient(url, key=key, patience=patience, transport=httpx.MockTransport(found))

    monkeypatch.setattr(options, "EkidenClient", client)
    monkeypatch.setattr(completion, "EkidenClient", client)
    return found


def ekiden(*arguments: str, said: str | None = None) -> Result:
    done = CliRunner().invoke(make_app(), arguments, input=said)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


@pytest.mark.parametrize(
    ("arguments", "answer", "secret"),
    [
        (["keys", "create", "marketing", "--scope", "read"], KEY, "ek_shown_once"),
        (["webhooks", "create", "https://example.org/a"], HOOK, "whsec_shown_once"),
        (["webhooks", "rotate-secret", "whk_1"], HOOK, "whsec_shown_once"),
    ],
    ids=["key", "webhook", "rotated"],
)
def test_a_secret_is_printed_once_and_said_to_be(
    gateway: Gateway, arguments: Sequence[str], answer: dict[str, Any], secret: str
) -> None:
    gateway.answers = [answer | {"secret": secret}]

    plain, as_json = ekiden(*arguments), ekiden(*arguments, "--json")

    assert plain.stdout.count(secret) == 1
    assert "shown this once" in plain.stdout
    assert json.loads(as_json.stdout)["secret"] == secret
    assert "shown this once" in as_json.stderr


def test_no_other_command_prints_one(gateway: Gateway) -> None:
    gateway.answers = [{"items": [HOOK], "nextCursor": None}, HOOK]

    assert "whsec" not in ekiden("webhooks").stdout + ekiden("webhooks", "show", "whk_1").stdout


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (["keys", "limit", "key_1", "--rate", "0"], {"ratePerMinute": None}),
        (["keys", "limit", "key_1", "--sessions", "5"], {"concurrentSessions": 5}),
        (["webhooks", "edit", "whk_1", "--all-events"], {"events": None}),
        (["webhooks", "edit", "whk_1", "--event", "session.failed"], {"events": ["session.failed"]}),
        (["webhooks", "edit", "whk_1", "--enable"], {"enabled": True}),
        (["schedules", "edit", "sch_1", "--budget", "0"], {"budgetUsd": None}),
        (["schedules", "edit", "sch_1", "--overlap", "queue"], {"overlap": "queue"}),
        (["schedules", "edit", "sch_1", "--catch-up", "0"], {"catchUpSeconds": 0}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_change_sends_what_it_names_and_nothing_else(
    gateway: Gateway, arguments: Sequence[str], body: dict[str, Any]
) -> None:
    gateway.answers = [{"keys": KEY, "webhooks": HOOK, "schedules": SCHEDULE}[arguments[0]]]

    assert ekiden(*arguments).exit_code == Exit.OK
    assert gateway.body == body


@pytest.mark.parametrize(
    "arguments",
    [
        ["keys", "limit", "key_1"],
        ["keys", "create", "a", "--scope", "root"],
        ["webhooks", "edit", "whk_1"],
        ["webhooks", "edit", "whk_1", "--event", "session.failed", "--all-events"],
        ["webhooks", "replay", "whk_1"],
        ["webhooks", "replay", "whk_1", "dlv_1", "--failed"],
        ["schedules", "edit", "sch_1"],
        [*CREATE, "--session", "-"],
        ["run", "AI", "--gate-default", "approve"],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(gateway: Gateway, arguments: Sequence[str]) -> None:
    assert ekiden(*arguments, said="[1]").exit_code == Exit.USAGE
    assert gateway.requests == []


def test_a_schedule_is_created_of_a_file_and_options(gateway: Gateway, tmp_path: Path) -> None:
    gateway.answers = [httpx.Response(201, json=SCHEDULE)]
    body = tmp_path / "session.json"
    body.write_text('{"theme": "x", "expertise": "none"}', encoding="utf-8")

    ran = ekiden(*CREATE, "--session", str(body), "--theme", "AI", "--session-budget", "0.5", "--budget", "15")

    assert gateway.body == {
        "name": "a",
        "cron": "0 9 * * *",
        "timeZone": "UTC",
        "session": {"theme": "AI", "expertise": "none", "budgetUsd": 0.5},
        "budgetUsd": 15.0,
    }
    assert "$1.50 spent, $2.00 with what runs of $15.00" in ran.stdout
    assert "No scheduler is at work." in ran.stdout, "nobody shall wait for a session that will not come"


def test_schedules_in_a_list_tell_their_last_tick_and_whether_a_scheduler_is_at_work(gateway: Gateway) -> None:
    gateway.answers = [{"items": [SCHEDULE], "nextCursor": "abc", "scheduler": OFF}]

    told = ekiden("schedules").stdout

    assert "skipped (the session before still ran)" in told
    assert "More: ekiden schedules list --cursor abc" in told
    assert "No scheduler is at work." in told


def test_runs_and_preview_say_what_was_and_what_will_be(gateway: Gateway) -> None:
    run = {"runId": "run_1", "at": TIME, "outcome": "missed", "reason": "catch_up", "ticks": 3, "lastAt": TIME}
    gateway.answers = [
        {"items": [run | {"decidedAt": TIME}], "nextCursor": None, "scheduler": ON},
        {
            "scheduleId": "sch_1",
            "timeZone": "Asia/Tokyo",
            "explained": "At nine.",
            "ticks": [{"at": TIME, "local": "2026-11-22T18:30:00+09:00"}],
            "forecast": {"month": {"runs": 22, "atMostUsd": 11.0, "expectedUsd": 3.0}},
            "scheduler": ON,
        },
    ]

    assert "missed (too late to be caught up)  3 ticks until" in ekiden("schedules", "runs", "sch_1").stdout
    told = ekiden("schedules", "preview", "sch_1").stdout
    assert "2026-11-22 18:30 +0900  2026-11-22 09:30 UTC" in told
    assert "22 sessions, at most $11.00, about $3.00" in told
    assert "Scheduler" not in told


@pytest.mark.parametrize(
    ("end", "code"), [("DELIVERED", Exit.OK), ("PENDING", Exit.FAILED)], ids=["arrives", "is refused"]
)
def test_a_ping_is_waited_for(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, end: str, code: Exit) -> None:
    monkeypatch.setattr(deliveries, "_LOOK_SECONDS", 0.0)
    waits, done = DELIVERY | {"attempts": []}, DELIVERY | {"status": end, "attempts": [ATTEMPT]}
    gateway.answers = [httpx.Response(202, json=DELIVERY), waits, waits, done]

    ran = ekiden("webhooks", "test", "whk_1")

    assert ran.exit_code == code
    assert "12 ms  204" in ran.stdout
    assert len(gateway.requests) == 4


def test_a_ping_that_nobody_sends_is_not_waited_for_for_ever(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "ATTEMPT_SECONDS", 0.0)
    gateway.answers = [httpx.Response(202, json=DELIVERY), DELIVERY | {"attempts": []}]

    ran = ekiden("webhooks", "test", "whk_1")

    assert ran.exit_code == Exit.FAILED
    assert "see whether one runs" in ran.stdout


def test_all_that_was_given_up_is_replayed_over_all_pages(gateway: Gateway) -> None:
    failed = DELIVERY | {"status": "FAILED"}
    gateway.answers = [
        {"items": [failed], "nextCursor": "abc"},
        {"items": [failed | {"id": "dlv_2"}], "nextCursor": None},
        httpx.Response(202, json=DELIVERY),
    ]

    ran = ekiden("webhooks", "replay", "whk_1", "--failed")

    assert "2 will be sent again." in ran.stdout
    assert gateway.asked[2:] == [f"POST /api/webhooks/whk_1/deliveries/{name}/replay" for name in ("dlv_1", "dlv_2")]


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["keys", "revoke", "key_1"], {"id": "key_1", "revoked": True}),
        (["webhooks", "delete", "whk_1"], {"id": "whk_1", "deleted": True}),
        (["schedules", "delete", "sch_1"], {"scheduleId": "sch_1", "deleted": True}),
    ],
    ids=["key", "webhook", "schedule"],
)
def test_what_is_gone_is_said(gateway: Gateway, arguments: Sequence[str], answer: dict[str, Any]) -> None:
    gateway.answers = [httpx.Response(204)]

    assert arguments[-1] in ekiden(*arguments).stdout
    assert json.loads(ekiden(*arguments, "--json").stdout) == answer
    assert {request.method for request in gateway.requests} == {"DELETE"}


def test_what_others_wrote_cannot_move_the_cursor(gateway: Gateway) -> None:
    evil = "\x1b[2Jboo"
    gateway.answers = [
        {"items": [KEY | {"client": evil}], "nextCursor": None},
        {"items": [HOOK | {"url": evil}], "nextCursor": None},
        {"items": [SCHEDULE | {"name": evil}], "nextCursor": None, "scheduler": OFF | {"message": evil}},
    ]

    told = ekiden("keys").stdout + ekiden("webhooks").stdout + ekiden("schedules").stdout
    assert "boo" in told
    assert "\x1b" not in told


def test_the_shell_is_offered_their_ids(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "LONGEST_SECONDS", 60.0)
    gateway.answers = [{"items": [KEY]}, {"items": [HOOK]}, {"items": [SCHEDULE]}]

    assert list(completion.key_ids("key")) == [("key_1", "marketing read")]
    assert list(completion.webhook_ids("whk")) == [("whk_1", "https://example.org/a")]
    assert list(completion.schedule_ids("sch")) == [("sch_1", "0 9 * * MON-FRI Every working day")]
    assert completion.delivery_statuses("fa") == ["FAILED"]


@pytest.mark.parametrize(
    ("page", "verdict"),
    [
        ({"items": [], "scheduler": OFF}, Verdict.OK),
        ({"items": [SCHEDULE], "scheduler": ON}, Verdict.OK),
        ({"items": [SCHEDULE], "scheduler": OFF}, Verdict.WARNING),
    ],
    ids=["none", "on", "off"],
)
async def test_the_doctor_warns_when_schedules_exist_and_no_scheduler_is_at_work(
    page: object, verdict: Verdict
) -> None:
    transport = httpx.MockTransport(Gateway(page))
    async with EkidenClient("http://gateway", key="", transport=transport) as client:
        finding = await check_schedules(client)

    assert finding.verdict is verdict
    assert ("EKIDEN_SCHEDULER" in finding.change) is (verdict is Verdict.WARNING)
