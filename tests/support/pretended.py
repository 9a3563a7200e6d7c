"""A board that is this machine: a program called `ssh` that runs the command here, in a home folder of its own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

# Options end at `--`; then come the destination and the command.
PRETENDER = """#!/bin/sh
while [ "$1" != "--" ]; do shift; done
[ -e "$EDGEKIT_TEST_HOME/../unplugged" ] && { echo "ssh: connect to host board: No route to host" >&2; exit 255; }
HOME=$EDGEKIT_TEST_HOME; export HOME; cd "$HOME"
exec sh -c "$3"
"""


def pretend(folder: Path, name: str, text: str) -> Path:
    """Write a program."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def board_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the board's home folder; a file `unplugged` beside it takes the board off the network."""
    path = tmp_path / 'it\'s a "board"'
    path.mkdir()
    pretend(tmp_path / "bin", "ssh", PRETENDER)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("EDGEKIT_TEST_HOME", str(path))
    monkeypatch.setattr("edgekit.devices.transports.base.PAUSE", 0.01)
    return path
