"""What is said where a program is missing and cannot be installed."""

import os
import shutil

import pytest

from ekiden_native.errors import NotProvided
from ekiden_native.provision import chromium, provide_chromium


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with nothing but apt, and somebody who is not root."""
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.mark.usefixtures("bare")
def test_who_cannot_install_chromium_is_told_how_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    provide_chromium()

    said = capsys.readouterr().out
    assert "sudo apt-get install chromium" in said
    assert "the tests of the web page fail" in said


@pytest.mark.usefixtures("bare")
def test_without_chromium_nothing_is_shown() -> None:
    with pytest.raises(NotProvided, match="apt-get install chromium"):
        chromium()
