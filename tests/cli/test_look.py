"""What a terminal gets, and what it does not."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edgekit.cli.output import Output, ask, look
from edgekit.cli.terminal import show
from edgekit.text.colours import coloured
from edgekit.text.columns import PLAIN, Look


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def terminal(**environment: str) -> Iterator[Terminal]:
    """Stdout is a terminal of 80 columns, for as long as pytest does not change it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NO_COLOR", "TERM"):
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        stream = Terminal()
        patch.setattr(sys, "stdout", stream)
        patch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
        yield stream


def test_a_pipe() -> None:
    ask(Output())
    assert look() == PLAIN


def test_a_terminal() -> None:
    ask(Output())
    with terminal():
        assert look() == Look(80, colours=True)
        ask(Output(wide=True))
        assert look() == Look(None, colours=True)


@pytest.mark.parametrize(
    ("environment", "colours"),
    [({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm"}, True)],
)
def test_colours_are_respectful(environment: dict[str, str], colours: bool) -> None:
    with terminal(**environment):
        assert look().colours == colours


def test_only_the_colours_of_tables_pass() -> None:
    with terminal() as stream:
        show(coloured("valid", "green") + " \x1b[2J\x1b[31;1m")
    assert stream.getvalue() == "\x1b[32mvalid\x1b[0m \\x1b[2J\\x1b[31;1m\n"


def test_a_pipe_gets_no_escape(capsys: pytest.CaptureFixture[str]) -> None:
    show(coloured("valid", "green"))
    assert capsys.readouterr().out == "\\x1b[32mvalid\\x1b[0m\n"
