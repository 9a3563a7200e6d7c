"""What a terminal gets, and what it does not."""

from __future__ import annotations

import os
import sys

import pytest

from edgekit.cli.output import Output, ask, look
from edgekit.cli.terminal import show
from edgekit.text.colours import coloured
from edgekit.text.columns import PLAIN, Look


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))


def test_a_pipe() -> None:
    ask(Output())
    assert look() == PLAIN


@pytest.mark.usefixtures("terminal")
def test_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ask(Output())
    assert look() == Look(80, colours=True)
    ask(Output(wide=True))
    assert look() == Look(None, colours=True)
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert not look().colours
    monkeypatch.setenv("NO_COLOR", "")  # empty: not set, says no-color.org
    assert look().colours


@pytest.mark.usefixtures("terminal")
def test_only_the_colours_of_tables_pass(capsys: pytest.CaptureFixture[str]) -> None:
    show(coloured("valid", "green") + " \x1b[2J\x1b[31;1m")
    assert capsys.readouterr().out == "\x1b[32mvalid\x1b[0m \\x1b[2J\\x1b[31;1m\n"


def test_a_pipe_gets_no_escape(capsys: pytest.CaptureFixture[str]) -> None:
    show(coloured("valid", "green"))
    assert capsys.readouterr().out == "\\x1b[32mvalid\\x1b[0m\n"
