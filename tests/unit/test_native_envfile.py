"""stack.env is read by shells, by tools and by the stack itself: all must read the same."""

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ekiden_native.envfile import format_env, parse_env, read_env, write_env

ODD = {
    "PLAIN": "amqp://guest:guest@127.0.0.1:5672/",
    "QUERY": "mongodb://127.0.0.1/?a=1&b=2",
    "EMPTY": "",
    "QUOTES": """it's "so" `pwd` $HOME \\n""",
    "LINES": "first\nSECOND=line # no comment",
    "JAPANESE": "駅伝 と 働き方",
}

names = st.from_regex(r"[A-Z_][A-Z0-9_]{0,20}", fullmatch=True)
values = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t'\"\\$`#= "))


@given(st.dictionaries(names, values))
def test_what_is_written_is_read_back(variables: dict[str, str]) -> None:
    assert parse_env(format_env(variables)) == variables


def test_a_shell_that_sources_the_file_sees_the_same_values(tmp_path: Path) -> None:
    path = tmp_path / "stack.env"
    write_env(path, ODD)

    script = f"set -a; . {path}; exec env -0"
    printed = subprocess.run(["sh", "-c", script], env={}, capture_output=True, check=True).stdout.decode()

    seen = dict(line.split("=", 1) for line in printed.split("\0") if line)
    assert {name: seen[name] for name in ODD} == ODD


def test_comments_and_blank_lines_are_skipped() -> None:
    assert parse_env("# of the stack\n\nA=1\n") == {"A": "1"}


def test_an_absent_file_has_no_variables(tmp_path: Path) -> None:
    assert read_env(tmp_path / "stack.env") == {}


def test_a_file_written_again_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "stack.env"
    write_env(path, {"A": "1", "B": "2"})
    write_env(path, {"A": "3"})

    assert read_env(path) == {"A": "3"}
    assert list(tmp_path.iterdir()) == [path]
