"""What docs/cli.md promises is what the command does."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand
from typer.main import get_command
from typer.testing import CliRunner

from ekiden_cli.__main__ import main
from ekiden_cli.app import make_app
from ekiden_cli.errors import MEANINGS, CliError, Exit, NotThere, document_of, exit_of, help_for
from ekiden_client import (
    Conflict,
    EkidenError,
    Forbidden,
    Invalid,
    Misconfigured,
    NotAGateway,
    NotFound,
    OverQuota,
    Unauthenticated,
    Unavailable,
    Unreachable,
)

GUIDE = Path("docs/cli.md").read_text(encoding="utf-8")


def commands(group: object = None, place: str = "") -> Iterator[tuple[str, object]]:
    """Every command that is not hidden, as it is typed."""
    group = group or get_command(make_app())
    for name, command in getattr(group, "commands").items():  # noqa: B009 (typer's groups are its own)
        if hasattr(command, "commands"):
            yield from commands(command, f"{place}{name} ")
        elif not command.hidden:
            yield place + name, command


def test_the_table_of_exit_codes_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", GUIDE, re.MULTILINE)

    assert [(int(code), meaning) for code, meaning in rows] == [(int(code), said) for code, said in MEANINGS.items()]
    assert set(MEANINGS) == set(Exit)


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_every_command_stands_in_the_guide_and_speaks_json(name: str, command: TyperCommand) -> None:
    group, _, verb = name.partition(" ")
    row = next(iter(re.findall(rf"^\| (`ekiden {group}.*?`) \|.*$", GUIDE, re.MULTILINE)), "")
    told = re.findall(rf"^\| `ekiden {group} ([^`]*)", GUIDE, re.MULTILINE)

    assert row
    assert not verb or any(verb in re.split(r"[^a-z-]+", words) for words in told)
    assert "--json" in {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize(
    ("error", "code", "helps"),
    [
        (Misconfigured(), Exit.USAGE, "EKIDEN_GATEWAY_URL"),
        (Unreachable(), Exit.UNREACHABLE, "make up"),
        (NotAGateway(), Exit.UNREACHABLE, "doctor"),
        (NotFound(404), Exit.NOT_FOUND, ""),
        (Invalid(422), Exit.USAGE, ""),
        (Unauthenticated(401), Exit.FAILED, "EKIDEN_API_KEY"),
        (Forbidden(403), Exit.FAILED, "scope"),
        (Conflict(409), Exit.FAILED, ""),
        (OverQuota(429, retry_after_seconds=7.0), Exit.FAILED, "7 s"),
        (Unavailable(503, retry_after_seconds=2.0), Exit.FAILED, "2 s"),
        (CliError("No.", help="Do."), Exit.FAILED, "Do."),
        (NotThere("No."), Exit.NOT_FOUND, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_has_its_exit_code_and_says_what_to_do(
    error: CliError | EkidenError, code: Exit, helps: str
) -> None:
    assert exit_of(error) is code
    assert helps in help_for(error)
    assert document_of(error)["exitCode"] == code


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (["workflow", "check", "workflows/viral-content"], Exit.OK),
        (["workflow", "show", "workflows/viral-content", "--mermaid"], Exit.OK),
        (["workflow", "dry-run", "viral-content", "--language", "en", "--step", "4.integrate"], Exit.OK),
        (["workflow", "dry-run", "viral-content", "--step", "9.THINK"], Exit.USAGE),
        (["sessions", "recover", "ses_1", "--action", "restart_phase"], Exit.USAGE),
        (["sessions", "recover", "ses_1", "--action", "retry", "--phase", "2"], Exit.USAGE),
        (["workflow", "show", "nowhere"], Exit.NOT_FOUND),
        (["sessions", "list"], Exit.UNREACHABLE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_command_ends_with_its_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], asked: list[str], code: Exit
) -> None:
    monkeypatch.setenv("EKIDEN_GATEWAY_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("sys.argv", ["ekiden", *asked])

    with pytest.raises(SystemExit) as raised:
        main()

    assert (raised.value.code or 0) == code
    assert "Traceback" not in capfd.readouterr().err


def test_the_help_tells_the_exit_codes() -> None:
    assert "4 the session waits" in " ".join(CliRunner().invoke(make_app(), ["--help"]).stdout.split())
