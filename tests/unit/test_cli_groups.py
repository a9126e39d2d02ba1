"""A group of commands that is not told what to do lists what there is."""

import pytest
from typer.testing import CliRunner

from ekiden_cli.app import make_app
from ekiden_cli.errors import Exit
from ekiden_client import Unreachable

GROUPS = ("sessions", "schedules", "webhooks", "keys", "providers", "dead-letters")


@pytest.fixture(autouse=True)
def _nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EKIDEN_GATEWAY_URL", "http://127.0.0.1:9")


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("said", [[], ["list"], ["--json"], ["list", "--json"]])
def test_a_group_by_itself_lists(group: str, said: list[str]) -> None:
    assert isinstance(CliRunner().invoke(make_app(), [group, *said]).exception, Unreachable), "it asked the gateway"


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_still_helps_and_knows_its_commands(group: str) -> None:
    runner, app = CliRunner(), make_app()

    assert "Commands:" in runner.invoke(app, [group, "--help"]).stdout
    assert runner.invoke(app, [group, "bogus"]).exit_code == Exit.USAGE
