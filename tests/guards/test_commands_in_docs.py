"""Every command that README and the pages of docs/ show can be typed: its options exist and their values are read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from edgekit.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "benchmarks/README.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
OTHERS = {"--jobs"}
"""Options of the benchmarks' own command lines."""


def commands() -> Iterator[tuple[str, str]]:
    """Yield every `edgekit` command of a block of commands, with its page."""
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.splitlines():
                if line.startswith("$ edgekit "):
                    yield page.name, line.removeprefix("$ edgekit ")


def known_options(group: Any) -> Iterator[str]:
    """Yield every option of a group's commands."""
    for command in group.commands.values():
        if hasattr(command, "commands"):
            yield from known_options(command)
        for parameter in command.params:
            yield from (*parameter.opts, *parameter.secondary_opts)


ROOT_COMMAND: Any = typer.main.get_command(app)


@pytest.mark.parametrize(("page", "line"), list(dict.fromkeys(commands())))
def test_a_command_can_be_typed(page: str, line: str) -> None:
    command = ROOT_COMMAND
    words = shlex.split(line, comments=True)
    while hasattr(command, "commands"):
        assert words, f"{page}: edgekit {line}"
        command = command.commands[words.pop(0)]
    command.make_context("edgekit", words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_named_exists(page: Path) -> None:
    options = {*known_options(ROOT_COMMAND), "--version", "--help"}
    text = re.sub(r"```text\n.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = set(re.findall(r"`(?:edgekit [^`]*?)?(--[a-z][a-z-]+)", text))
    assert named - options - OTHERS == set()
