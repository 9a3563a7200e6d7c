"""The workflow that users copy: its commands can be typed, and `.ci/workflow` runs its steps as GitHub would."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from edgekit.api.starter import FILES
from edgekit.bundle.budget_file import read_budget
from edgekit.cli import app

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "edgekit" / "api" / "starter"
[WORKFLOW] = [STARTER / name for name in FILES if name.endswith(".yml")]
STEPS: list[dict[str, Any]] = yaml.safe_load(WORKFLOW.read_text())["jobs"]["check"]["steps"]
COMMANDS = [
    line
    for step in STEPS
    for line in step.get("run", "").replace("\\\n", " ").splitlines()
    if line.startswith("edgekit ")
]
ROOT_COMMAND: Any = typer.main.get_command(app)


@pytest.mark.parametrize("line", COMMANDS)
def test_its_commands_can_be_typed(line: str) -> None:
    _, *words = shlex.split(line)
    command = ROOT_COMMAND
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context("edgekit", words)


def test_it_measures_checks_and_reports_in_order() -> None:
    verbs = [shlex.split(line)[1] for line in COMMANDS]
    assert verbs == ["targets", "bench", "check", "report", "targets"]
    assert [step["name"] for step in STEPS if step.get("if") == "always()" and "run" in step] == [
        "Report", "Stop the board",
    ]  # fmt: skip


def test_the_budget_that_comes_with_it() -> None:
    assert set(read_budget(STARTER / "budget.toml").limits()) == {"max_size", "max_drop", "max_growth"}
    text = (STARTER / "budget.toml").read_text()
    assert "max_latency_p90" in text  # the examples in its comments are bounds, too


def stepped(folder: Path, steps: str, *more: str) -> tuple[int, list[str]]:
    """Run steps, and return the exit code and what the script says of each."""
    (folder / "w.yml").write_text(f"on: push\nenv:\n  A: one\njobs:\n  j:\n    steps:\n{steps}")
    argv = [sys.executable, ROOT / ".ci" / "workflow", folder / "w.yml", folder, *more]
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.returncode, [line.removeprefix("== j: ") for line in done.stdout.splitlines()]


def test_steps_run_as_on_github(tmp_path: Path) -> None:
    steps = """
    - uses: actions/checkout@v4
    - {name: install, run: "exit 9"}
    - {name: first, run: "echo $A $B; echo here > made"}
    - {name: second, run: "false | cat; echo never"}
    - {name: third, run: "echo never"}
    - {name: last, if: always(), run: "cat made"}
"""
    code, said = stepped(tmp_path, steps, "--skip", "install", "--set", "B=two")
    assert code == 1
    assert said == [
        "actions/checkout@v4: passed over", "install: passed over", "first", "one two", "first: exit code 0", "second",
        "second: exit code 1", "third: not run, because a step failed", "last", "here", "last: exit code 0",
    ]  # fmt: skip


def test_an_expression_is_no_command(tmp_path: Path) -> None:
    assert stepped(tmp_path, '    - {name: a, run: "echo ${{ secrets.X }}"}\n')[0] == 2
    assert stepped(tmp_path, '    - {name: a, if: failure(), run: "true"}\n')[0] == 2
