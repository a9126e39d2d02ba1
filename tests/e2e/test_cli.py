"""The `ekiden` command against a real stack, as a script uses it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ekiden_cli import completion
from ekiden_native import Stack

PATIENCE_SECONDS = 60


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Ekiden = Callable[..., Ran]


@pytest.fixture(scope="module")
def environment(stack: Stack, machine: dict[str, str]) -> dict[str, str]:
    return machine | {"EKIDEN_STATE_DIR": str(stack.state.root)}


@pytest.fixture(scope="module")
def ekiden(environment: dict[str, str]) -> Ekiden:
    def run(*arguments: str, **variables: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "ekiden_cli", *arguments],
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="module")
def completed(ekiden: Ekiden) -> Mapping[str, Any]:
    """A session that ran to its end, as `run --json` tells it."""
    ran = ekiden("run", "朝の集中力", "--platform", "threads", "--json")
    assert ran.code == 0, ran.err
    return ran.json


def test_a_run_gives_three_drafts_and_their_price_as_json(completed: Mapping[str, Any]) -> None:
    assert completed["status"] == "COMPLETED"
    assert [draft["conceptNumber"] for draft in completed["drafts"]] == [1, 2, 3]
    assert completed["simulated"] is True
    receipt = completed["receipt"]
    assert {row["provider"]: row["calls"] for row in receipt["providers"]} == {"GPT": 10, "Perplexity": 3}
    assert receipt["spentUsd"] == pytest.approx(sum(row["costUsd"] for row in receipt["providers"]))
    assert receipt["seconds"] > 0


def test_a_run_in_a_pipe_says_each_transition_once_and_then_prints_the_drafts(ekiden: Ekiden) -> None:
    ran = ekiden("run", "AI and work", "--platform", "linkedin")

    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    steps = [line for line in lines if "begins" in line]
    assert len(steps) == len(set(steps)) == 11
    assert sum(line.startswith("--- Draft") for line in lines) == 3
    assert "Simulated" in lines[-1]
    assert "\x1b" not in ran.out


def test_a_run_that_is_not_watched_returns_at_once_with_the_id(ekiden: Ekiden) -> None:
    ran = ekiden("run", "睡眠", "--no-watch", "--json")
    assert ran.code == 0, ran.err
    session = ran.json["sessionId"]

    watched = ekiden("sessions", "watch", session, "--json")

    assert watched.code == 0, watched.err
    versions = [json.loads(line)["id"] for line in watched.out.splitlines()]
    assert versions == list(range(len(versions)))
    assert ekiden("sessions", "show", session, "--json").json["session"]["status"] == "COMPLETED"


def test_a_gate_ends_the_run_with_four_and_shows_what_would_be_bought(ekiden: Ekiden) -> None:
    ran = ekiden("run", "副業", "--pause-before", "1.EXECUTE")

    session = ran.out.split()[0]
    assert ran.code == 4, ran.err
    assert "approval" in ran.out
    assert "3 perplexity calls" in ran.out
    assert f"ekiden sessions continue {session}" in ran.out
    assert ekiden("sessions", "show", session).code == 4
    assert ekiden("sessions", "continue", session).code == 0
    assert ekiden("sessions", "watch", session).code == 0


def test_a_gate_is_looked_at_and_answered_by_its_name(ekiden: Ekiden, tmp_path: Path) -> None:
    ran = ekiden("run", "副業", "--pause-before", "1.EXECUTE", "--gate-timeout", "86400", "--json")
    session = ran.json["sessionId"]
    assert ran.code == 4, ran.err
    (tmp_path / "questions").write_text("What do people earn beside work?\n", encoding="utf-8")
    gate = ekiden("sessions", "gate", session, "--json").json
    answer = ("sessions", "gate", session, "--gate", gate["id"], "--edit", str(tmp_path / "questions"))

    assert len(gate["items"]) == 3
    assert gate["onTimeout"] == "stop"
    assert gate["id"] in ekiden("sessions", "gate", session).out
    assert ekiden("sessions", "gate", session, "--link").out.startswith("http")
    assert "1 perplexity calls" in ekiden(*answer, "--dry-run").out
    assert ekiden(*answer).code == 0
    assert ekiden("sessions", "watch", session).code == 0
    assert ekiden("sessions", "gate", session).code == 3
    assert ekiden(*answer).code == 1, "somebody was quicker"


@pytest.fixture
def schedule(ekiden: Ekiden) -> Iterator[str]:
    """A schedule that is gone afterwards: the doctor has a word to say about those that wait for no scheduler."""
    words = ("--cron", "0 9 * * MON-FRI", "--time-zone", "Asia/Tokyo", "--theme", "朝の集中力", "--budget", "15")
    created = ekiden("schedules", "create", "Every working day", *words, "--json")
    assert created.code == 0, created.err
    yield created.json["scheduleId"]
    ekiden("schedules", "delete", created.json["scheduleId"])


def test_a_schedule_lives_until_it_is_deleted(ekiden: Ekiden, schedule: str) -> None:
    warned = {check["name"]: check["verdict"] for check in ekiden("doctor", "--json").json["checks"]}
    assert warned["Schedules"] == "warning", "no scheduler is at work in this stack"
    assert schedule in ekiden("schedules").out
    assert ekiden("schedules", "edit", schedule, "--cron", "30 7 * * *", "--json").json["cron"] == "30 7 * * *"
    assert "07:30 +0900" in ekiden("schedules", "preview", schedule, "--count", "3").out
    assert "Over the holidays" in ekiden("schedules", "pause", schedule, "--reason", "Over the holidays").out
    assert ekiden("schedules", "resume", schedule, "--json").json["status"] == "active"
    session = ekiden("schedules", "fire", schedule, "--json").json["sessionId"]
    assert ekiden("sessions", "watch", session).code == 0
    assert session in ekiden("schedules", "runs", schedule).out
    assert ekiden("schedules", "delete", schedule).code == 0
    assert ekiden("schedules", "show", schedule).code == 3


def test_a_webhook_shows_its_secret_when_it_is_made_and_never_again(ekiden: Ekiden) -> None:
    created = ekiden("webhooks", "create", "https://example.com/ekiden", "--event", "session.failed", "--json")
    assert created.code == 0, created.err
    name, secret = created.json["id"], created.json["secret"]

    assert secret.startswith("whsec_")
    assert secret not in ekiden("webhooks", "show", name).out + ekiden("webhooks", "--json").out
    assert ekiden("webhooks", "rotate-secret", name, "--json").json["secret"] != secret
    assert ekiden("webhooks", "edit", name, "--disable", "--json").json["enabled"] is False
    assert "no deliveries" in ekiden("webhooks", "deliveries", name).out
    assert ekiden("webhooks", "delete", name).code == 0
    assert ekiden("webhooks", "show", name).code == 3


def test_the_first_key_must_be_able_to_manage_keys(ekiden: Ekiden) -> None:
    ran = ekiden("keys", "create", "marketing", "--scope", "read", "--json")

    assert ran.code == 1
    assert ran.json["error"]["status"] == 409
    assert "no keys" in ekiden("keys").out


def test_a_budget_that_is_too_small_is_raised_and_the_session_goes_on(ekiden: Ekiden) -> None:
    ran = ekiden("run", "温泉", "--budget", "0.08")
    session = ran.out.split()[0]
    assert ran.code == 4, ran.out
    assert "--budget" in ran.out

    assert ekiden("sessions", "continue", session, "--budget", "1").code == 0

    assert ekiden("sessions", "watch", session).code == 0


def test_the_drafts_of_a_session_can_be_read_again(ekiden: Ekiden, completed: Mapping[str, Any]) -> None:
    ran = ekiden("drafts", completed["sessionId"])

    assert ran.code == 0
    assert all(draft["content"] in ran.out for draft in completed["drafts"])


def test_the_shell_is_offered_what_the_gateway_knows(
    stack: Stack, completed: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EKIDEN_STATE_DIR", str(stack.state.root))
    monkeypatch.setattr(completion, "LONGEST_SECONDS", 30.0)  # how quick it is, a machine under load does not tell
    name = completed["sessionId"]

    assert list(completion.session_ids(name[:-1])) == [(name, "COMPLETED 朝の集中力")]
    assert list(completion.workflow_names("viral")) != []
    assert list(completion.styles("ins")) == ["insight"]
    assert list(completion.platforms("thr")) == ["threads"]
    assert list(completion.languages("e")) == ["en"]
    assert "1.EXECUTE" in completion.steps("1.E")
    assert list(completion.provider_names("p")) == ["perplexity"]
    assert list(completion.letter_ids("")) == []


def test_a_run_that_is_watched_as_json_is_a_line_for_each_transition_and_one_for_its_outcome(ekiden: Ekiden) -> None:
    ran = ekiden("run", "朝の集中力", "--watch", "--json", "--pause-before", "1.EXECUTE")

    *entries, outcome = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 4
    assert [entry["id"] for entry in entries] == list(range(len(entries)))
    assert outcome["status"] == "WAITING"


def test_drafts_and_report_are_texts_to_keep(ekiden: Ekiden, completed: Mapping[str, Any]) -> None:
    session = completed["sessionId"]

    assert ekiden("drafts", session, "--format", "csv", "--excel").out.startswith('\ufeff"conceptNumber"')
    assert ekiden("report", session).out.startswith("# 朝の集中力\n")


def test_a_replay_of_what_did_not_change_costs_nothing_and_asks_nothing(
    ekiden: Ekiden, completed: Mapping[str, Any]
) -> None:
    ran = ekiden("replay", completed["sessionId"], "--workflow", "workflows/viral-content", "--json")

    assert ran.code == 0, ran.err
    assert (ran.json["callsPaid"], ran.json["callsRecorded"], ran.json["cost"]["spentUsd"]) == (0, 13, 0)
    assert not any(draft["changed"] for draft in ran.json["drafts"])


@pytest.mark.parametrize("command", [("sessions", "list"), ("sessions", "tasks"), ("drafts",), ("doctor",)])
def test_a_reader_who_has_seen_enough_is_no_error(
    environment: dict[str, str], completed: Mapping[str, Any], command: tuple[str, ...]
) -> None:
    named = [completed["sessionId"]] if command[-1] in ("tasks", "drafts") else []
    done = subprocess.run(
        f"{sys.executable} -m ekiden_cli {' '.join([*command, *named])} | :; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_terminal_without_japanese_letters_is_no_error(ekiden: Ekiden, completed: Mapping[str, Any]) -> None:
    latin = {"PYTHONIOENCODING": "latin-1"}

    assert ekiden("drafts", completed["sessionId"], **latin).code == 0
    assert (
        ekiden("drafts", completed["sessionId"], "--json", **latin).json["drafts"][0]["content"]
        == (completed["drafts"][0]["content"])
    )


def test_a_session_without_drafts_says_so(ekiden: Ekiden) -> None:
    session = ekiden("run", "登山", "--pause-before", "1.THINK", "--no-watch", "--json").json["sessionId"]

    ran = ekiden("drafts", session)

    assert ran.code == 1
    assert "no drafts yet" in ran.out


def test_a_session_is_cancelled_and_a_dry_run_does_nothing(ekiden: Ekiden) -> None:
    session = ekiden("run", "登山", "--pause-before", "1.EXECUTE", "--json").json["sessionId"]

    assert "nothing was done" in ekiden("sessions", "cancel", session, "--dry-run").out
    assert ekiden("sessions", "show", session, "--json").json["session"]["status"] == "WAITING"

    assert ekiden("sessions", "cancel", session).code == 0
    assert ekiden("sessions", "show", session, "--json").json["session"]["status"] == "CANCELLED"
    assert ekiden("sessions", "watch", session).code == 1


def test_the_state_forbids_and_the_command_says_what_would_work(ekiden: Ekiden, completed: Mapping[str, Any]) -> None:
    ran = ekiden("sessions", "cancel", completed["sessionId"], "--json")

    assert ran.code == 1
    assert ran.json["error"]["status"] == 409
    assert "COMPLETED" in ran.err


def test_a_healthy_session_can_be_examined(ekiden: Ekiden, completed: Mapping[str, Any]) -> None:
    ran = ekiden("sessions", "recover", completed["sessionId"], "--json")

    assert ran.code == 0
    assert ran.json["health"]["isHealthy"] is True


def test_a_restart_of_a_phase_is_first_foreseen_and_then_done(ekiden: Ekiden, completed: Mapping[str, Any]) -> None:
    again = ("sessions", "recover", completed["sessionId"], "--action", "restart_phase", "--phase", "5")

    assert "2 gpt calls" in ekiden(*again, "--dry-run").out
    assert ekiden(*again).code == 0
    assert ekiden("sessions", "watch", completed["sessionId"]).code == 0


def test_a_phase_is_restarted_with_questions_of_ones_own(ekiden: Ekiden, completed: Mapping[str, Any]) -> None:
    again = ("sessions", "recover", completed["sessionId"], "--action", "restart_phase", "--phase", "1")

    foreseen = ekiden(*again, "--question", "What do runners read?", "--question", "And when?", "--dry-run").out
    assert "2 perplexity calls" in foreseen


def test_the_ledger_of_a_session_can_be_read(ekiden: Ekiden, completed: Mapping[str, Any]) -> None:
    ran = ekiden("sessions", "tasks", completed["sessionId"])

    assert ran.code == 0
    assert ran.out.count("  COMPLETED  ") >= 13
    assert "  run resp_" in ran.out
    assert len(ekiden("sessions", "tasks", completed["sessionId"], "--json").json) >= 13


def test_sessions_are_listed_newest_first(ekiden: Ekiden, completed: Mapping[str, Any]) -> None:
    items = ekiden("sessions", "list", "--limit", "100", "--json").json["items"]

    assert completed["sessionId"] in {item["sessionId"] for item in items}
    moments = [item["createdAt"] for item in items]
    assert moments == sorted(moments, reverse=True)
    assert completed["sessionId"] in ekiden("sessions", "list", "--limit", "100").out


@pytest.mark.parametrize("command", [("sessions", "show"), ("sessions", "watch"), ("sessions", "cancel"), ("drafts",)])
def test_an_unknown_session_ends_with_three(ekiden: Ekiden, command: tuple[str, ...]) -> None:
    ran = ekiden(*command, "ses_" + "0" * 32)

    assert ran.code == 3
    assert "no session" in ran.err


def test_a_wish_the_gateway_does_not_know_ends_with_two(ekiden: Ekiden) -> None:
    ran = ekiden("run", "睡眠", "--style", "loud", "--json")

    assert ran.code == 2
    assert "style" in ran.err
    assert ran.json["error"]["status"] == 422


def test_a_gateway_that_is_not_there_ends_with_five(ekiden: Ekiden) -> None:
    ran = ekiden("run", "睡眠", EKIDEN_GATEWAY_URL="http://127.0.0.1:9")

    assert ran.code == 5
    assert "make up" in ran.err


def test_the_doctor_finds_a_stack_in_order(ekiden: Ekiden) -> None:
    ran = ekiden("doctor", "--json")

    assert ran.code == 0, ran.out
    assert {check["verdict"] for check in ran.json["checks"]} == {"ok"}
    assert {"RabbitMQ", "MongoDB", "Gateway", "Clocks", "Writes"} <= {check["name"] for check in ran.json["checks"]}


def test_the_doctor_says_for_each_failure_what_to_change(ekiden: Ekiden) -> None:
    ran = ekiden(
        "doctor",
        "--json",
        EKIDEN_AMQP_URL="amqp://guest:wrong@127.0.0.1:9/",
        EKIDEN_MONGODB_URL="mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=300",
        EKIDEN_GATEWAY_URL="http://127.0.0.1:9",
        EKIDEN_SESION_BUDGET_USD="1",
        OPENAI_API_KEY="sk-something",
    )

    failed = {check["name"]: check["change"] for check in ran.json["checks"] if check["verdict"] == "failed"}
    assert ran.code == 1
    assert failed.keys() == {"RabbitMQ", "MongoDB", "Gateway", "Settings", "Keys"}
    assert all(failed.values())


def test_the_doctor_tells_a_wrong_password_from_a_broker_that_is_away(ekiden: Ekiden, stack: Stack) -> None:
    wrong = stack.env["EKIDEN_AMQP_URL"].replace("guest:guest", "guest:wrong")

    checks = {check["name"]: check for check in ekiden("doctor", "--json", EKIDEN_AMQP_URL=wrong).json["checks"]}

    assert checks["RabbitMQ"]["verdict"] == "failed"
    assert "password" in checks["RabbitMQ"]["change"]


def test_a_workflow_without_mistakes_passes_and_one_with_mistakes_names_them(ekiden: Ekiden, tmp_path: Path) -> None:
    (tmp_path / "workflow.yaml").write_text("name: broken\nphases: []\n", encoding="utf-8")

    assert ekiden("workflow", "check", "workflows/viral-content").code == 0
    ran = ekiden("workflow", "check", str(tmp_path), "--json")

    assert ran.code == 1
    assert len(ran.json[0]["mistakes"]) > 3
    assert ekiden("workflow", "check", "no/such/folder").code == 3


def test_watching_goes_on_over_the_death_of_the_gateway(stack: Stack, environment: dict[str, str]) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-m", "ekiden_cli", "run", "マラソン"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    before = ""
    while "begins" not in before:
        before += watching.stdout.readline()

    stack.kill("gateway")
    after, err = watching.communicate(timeout=PATIENCE_SECONDS)
    stack.wait_ready("gateway")

    assert watching.returncode == 0, err
    assert "the gateway is away" in after
    assert "the gateway is back" in after
    steps = [line for line in (before + after).splitlines() if "begins" in line]
    assert len(steps) == len(set(steps)) == 11
