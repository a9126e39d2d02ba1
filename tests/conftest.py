"""What holds for every test: no stack shows a secret, and what services log are events of the table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from ekiden_native import Stack
from ekiden_native.program import PROGRAMS
from tests.canaries import Search, with_canaries

SEARCH = pytest.StashKey[Search]()
TOGETHER = "tests/browser/"
"""A folder whose files share one stack and one browser."""


class ByFileOrFolder(LoadFileScheduling):
    """Deals work out by file, as `--dist loadfile` does; a folder that stays together goes to one process."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return ByFileOrFolder(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def searched(request: pytest.FixtureRequest) -> Iterator[Search]:
    """Every stack of the run has canaries for secrets, and is searched for them as it goes down."""
    search = request.config.stash[SEARCH] = Search()
    begin, down = Stack.__init__, Stack.down

    def begin_with_canaries(stack: Stack, state_dir: Path, **options: Any) -> None:
        if options.get("simulate", True):
            keys = (options.get("env") or {}).get("EKIDEN_API_KEYS", "")
            options["programs"] = with_canaries(options.get("programs", PROGRAMS), keys)
        begin(stack, state_dir, **options)

    def down_and_searched(stack: Stack, *, wipe: bool = False) -> None:
        before = len(search.found)
        search.stack_up(stack)
        down(stack)
        search.stack_down(stack.state.root)
        if wipe:
            down(stack, wipe=True)
        assert not search.found[before:], "\n".join(search.found[before:][:20])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stack, "__init__", begin_with_canaries)
        patch.setattr(Stack, "down", down_and_searched)
        yield search


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    search = config.stash.get(SEARCH, None)
    if search is not None and search.stacks:
        terminalreporter.write_line(
            f"searched for canary secrets: {search.stacks} stacks, {search.pages} pages of metrics, "
            f"{search.documents} documents, {search.size / 1e6:.0f} MB: {len(search.found)} found"
        )
