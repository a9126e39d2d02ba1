"""Inputs on the command line: typed as words, sent in the types of the workflow."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer import BadParameter
from typer.testing import CliRunner, Result

from ekiden_cli.app import make_app
from ekiden_cli.commands import options
from ekiden_cli.commands.workflow import find_folder
from ekiden_cli.errors import Exit, NotThere
from ekiden_cli.inputs import Value, in_types, read_inputs
from ekiden_client import EkidenClient, Patience, Workflow

TIME = "2026-11-22T09:30:00Z"
INPUTS = {
    "deep": {"type": "boolean"},
    "year": {"type": "integer", "required": True},
    "note": {"type": "string"},
    "market": {"type": "string", "required": True},
    "regions": {"type": "list"},
}
BRIEF = {"id": "my-brief@1", "name": "my-brief", "languages": ["ja", "en"], "inputs": INPUTS}
CREATE = ["schedules", "create", "a", "--cron", "0 9 * * *", "--time-zone", "UTC"]
SCHEDULE = {"scheduleId": "sch_1", "name": "a", "status": "active", "cron": "0 9 * * *", "timeZone": "UTC"}


class Gateway:
    """Knows one workflow under any name, and takes what is created."""

    def __init__(self) -> None:
        self.inputs: Mapping[str, object] = INPUTS
        self.bodies: list[dict[str, Any]] = []
        self.looked_up: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            self.looked_up.append(request.url.path.rpartition("/")[2])
            return httpx.Response(200, json=BRIEF | {"inputs": self.inputs})
        self.bodies.append(json.loads(request.content))
        if "schedules" in request.url.path:
            return httpx.Response(201, json=SCHEDULE | {"createdAt": TIME})
        return httpx.Response(201, json={"sessionId": "ses_1", "status": "PENDING", "createdAt": TIME})


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    found = Gateway()

    def client(url: str, *, key: str, patience: Patience) -> EkidenClient:
        return EkidenClient(url, key=key, patience=patience, transport=httpx.MockTransport(found))

    monkeypatch.setattr(options, "EkidenClient", client)
    return found


def ekiden(*arguments: str) -> Result:
    done = CliRunner().invoke(make_app(), arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def run(subject: str, *words: str) -> Result:
    named = [part for word in words for part in ("--input", word)]
    return ekiden("run", subject, "--workflow", "my-brief", "--no-watch", *named)


def test_inputs_are_named_on_the_command_line() -> None:
    assert read_inputs(["region=Japan", "note=a=b"]) == {"region": ["Japan"], "note": ["a=b"]}
    with pytest.raises(BadParameter, match="'region' is no NAME=VALUE"):
        read_inputs(["region"])


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["note=2026"], "2026"),
        (["year=2026"], 2026),
        (["year=-1"], -1),
        (["deep=true"], True),
        (["deep=Yes"], True),
        (["deep=on"], True),
        (["deep=false"], False),
        (["deep=no"], False),
        (["deep=OFF"], False),
        (["regions=Tokyo, Osaka,"], ["Tokyo", "Osaka"]),
        (["regions=Kyoto, Japan", "regions=Paris, France"], ["Kyoto, Japan", "Paris, France"]),
        (["regions="], []),
        (["strange=1"], "1"),
    ],
    ids=str,
)
def test_a_word_becomes_a_value_of_its_inputs_type(words: Sequence[str], value: Value) -> None:
    (given,) = in_types(Workflow.model_validate(BRIEF), read_inputs(words)).values()

    assert given == value
    assert type(given) is type(value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["year=soon"], "year takes an integer, and 'soon' is none"),
        (["year=2.5"], "year takes an integer"),
        (["deep=perhaps"], "deep takes true or false"),
        (["note=a", "note=b"], "note takes one value, and was given 2"),
    ],
    ids=str,
)
def test_a_word_that_does_not_fit_is_a_usage_error_that_names_the_input(
    gateway: Gateway, words: Sequence[str], said: str
) -> None:
    ran = run("Tea", *words)

    assert ran.exit_code == Exit.USAGE
    assert said in " ".join(ran.stderr.split())
    assert not gateway.bodies, "nothing was started"


def test_a_session_is_created_with_its_inputs_in_their_types(gateway: Gateway) -> None:
    assert run("Tea", "year=2026", "deep=no", "regions=Tokyo,Osaka").exit_code == Exit.OK
    (body,) = gateway.bodies

    assert gateway.looked_up == ["my-brief"]
    assert {name: body[name] for name in INPUTS if name in body} == {
        "market": "Tea",
        "year": 2026,
        "deep": False,
        "regions": ["Tokyo", "Osaka"],
    }


@pytest.mark.parametrize(
    ("inputs", "name", "value"),
    [
        (INPUTS, "market", "1, 2"),
        ({"deep": {"type": "boolean", "required": True}, "note": {"type": "string"}}, "note", "1, 2"),
        ({"year": {"type": "integer"}, "regions": {"type": "list", "required": True}}, "regions", ["1", "2"]),
    ],
    ids=["a required text", "any text", "what is required"],
)
def test_the_subject_goes_to_the_first_required_text(
    gateway: Gateway, inputs: Mapping[str, object], name: str, value: object
) -> None:
    gateway.inputs = inputs

    assert run("1, 2").exit_code == Exit.OK
    assert gateway.bodies[0][name] == value


def test_inputs_without_a_workflow_are_those_of_the_usual_one(gateway: Gateway) -> None:
    gateway.inputs = {"theme": {"type": "string", "required": True}, "year": {"type": "integer"}}

    ekiden("run", "Tea", "--no-watch", "--input", "year=2026")

    assert gateway.looked_up == ["viral-content"]
    assert (gateway.bodies[0]["theme"], gateway.bodies[0]["year"]) == ("Tea", 2026)


def test_nobody_is_asked_for_types_that_nobody_needs(gateway: Gateway) -> None:
    assert ekiden("run", "Tea", "--no-watch").exit_code == Exit.OK
    assert ekiden(*CREATE, "--theme", "Tea").exit_code == Exit.OK

    assert not gateway.looked_up


def test_a_schedule_takes_inputs_in_their_types_beside_its_file(gateway: Gateway, tmp_path: Path) -> None:
    body = tmp_path / "session.json"
    body.write_text('{"workflow": "my-brief", "market": "Tea", "year": 2025}', encoding="utf-8")

    ran = ekiden(*CREATE, "--session", str(body), "--input", "year=2026", "--input", "regions=Tokyo")

    assert ran.exit_code == Exit.OK
    assert gateway.looked_up == ["my-brief"]
    assert gateway.bodies[0]["session"] == {
        "workflow": "my-brief",
        "market": "Tea",
        "year": 2026,
        "regions": ["Tokyo"],
    }


def test_a_folders_name_that_no_disk_can_hold_is_no_folder() -> None:
    with pytest.raises(NotThere, match="There is no folder"):
        find_folder(Path("x" * 300))


def test_a_replay_leaves_a_name_that_is_no_folder_to_the_gateway(gateway: Gateway) -> None:
    name = "x" * 300

    CliRunner().invoke(make_app(), ["replay", "ses_1", "--workflow", name, "--dry-run"])

    assert gateway.bodies[0]["workflow"] == name
