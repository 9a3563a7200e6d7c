"""Where options come from: the command line, the environment, pyproject.toml, in this order."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from edgekit.bundle.defaults import Option
from edgekit.cli import app
from edgekit.cli.command import SHARED
from edgekit.cli.entry import run
from edgekit.cli.group import _options
from edgekit.devices.targets import all_targets, host_variable
from tests.guards.rooms import MODULES


def commands(command: Any, ctx: Any = None, name: str = "edgekit") -> Iterator[tuple[Any, Any]]:
    """Yield every command with its context."""
    extra = {**(command.context_settings or {})}
    own = command.context_class(command, parent=ctx, info_name=name, **extra)
    for word, below in getattr(command, "commands", {}).items():
        yield from commands(below, own, word)
    if not hasattr(command, "commands"):
        yield command, own


ALL = list(commands(typer.main.get_command(app)))


def variables() -> Iterator[str]:
    for command, ctx in ALL:
        for param in command.params:
            if param.param_type_name == "option":
                yield f"{ctx.auto_envvar_prefix}_{param.name.upper()}"


def test_no_variable_has_two_meanings() -> None:
    names = list(variables())
    assert "EDGEKIT_BENCH_THREADS" in names
    assert "EDGEKIT_TARGETS_CHECK_HOST" in names
    assert len(set(names)) == len(names)
    constants = (n.value for tree in MODULES.values() for n in ast.walk(tree) if isinstance(n, ast.Constant))
    others = {text for text in constants if isinstance(text, str) and re.fullmatch("EDGEKIT_[A-Z_]+", text)}
    assert {"EDGEKIT_DATA", "EDGEKIT_WORK"} <= others
    assert not others & set(names)
    assert not {host_variable(target.name) for target in all_targets()} & set(names)


@pytest.mark.parametrize("shared", ["--quiet", "--verbose"])
def test_every_command_has_the_shared_options(shared: str) -> None:
    assert not [ctx.command_path for command, ctx in ALL if not any(shared in param.opts for param in command.params)]


def test_a_variable_sets_an_option(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_BENCH_THREADS", "one")
    assert run(app, "edgekit", ["bench", "none.tflite"]) == 1
    assert "--threads one" in capsys.readouterr().err
    assert run(app, "edgekit", ["bench", "none.tflite", "--threads", "two"]) == 1
    assert "--threads two" in capsys.readouterr().err


def test_verbose_names_the_origin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["bench", "none.tflite", "--min-samples", "7"]
    monkeypatch.setenv("EDGEKIT_BENCH_THREADS", "3")
    monkeypatch.setenv("EDGEKIT_BENCH_MIN_SAMPLES", "9")
    monkeypatch.setenv("EDGEKIT_BENCH_TARGET", "desktop rpi4")
    run(app, "edgekit", argv)
    assert "EDGEKIT" not in capsys.readouterr().err
    run(app, "edgekit", [*argv, "-v"])
    lines = capsys.readouterr().err.splitlines()
    assert "--threads 3: from EDGEKIT_BENCH_THREADS" in lines
    assert "--min-samples 7: from the command line; no effect: EDGEKIT_BENCH_MIN_SAMPLES" in lines
    assert "--target desktop,rpi4: from EDGEKIT_BENCH_TARGET" in lines


def test_pyproject_sets_an_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.edgekit.bench]\nthreads = "five"\nlatency = false\ninput-shape = ["a=1"]\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert run(app, "edgekit", ["bench", "none.tflite"]) == 1
    assert "--threads five" in capsys.readouterr().err
    assert run(app, "edgekit", ["bench", "none.tflite", "--threads", "4", "-v"]) == 1
    lines = capsys.readouterr().err.splitlines()
    place = f"[tool.edgekit.bench] of {file}"
    assert f"--threads 4: from the command line; no effect: {place}" in lines
    assert f"--latency False: from {place}" in lines
    assert f"--input-shape a=1: from {place}" in lines
    monkeypatch.setenv("EDGEKIT_BENCH_THREADS", "six")
    assert run(app, "edgekit", ["bench", "none.tflite", "-v"]) == 1
    assert f"--threads six: from EDGEKIT_BENCH_THREADS; no effect: {place}" in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("text", "key", "code"),
    [
        ('[tool.edgekit.bench]\nmin-samples = "many"', "tool.edgekit.bench.min-samples", "value-wrong-type"),
        ("[tool.edgekit.bench]\nlatency = 1", "tool.edgekit.bench.latency", "value-wrong-type"),
        ("[tool.edgekit.bench]\nthread = 1", "tool.edgekit.bench.thread", "key-unknown"),
        ("[tool.edgekit.targets.chek]", "tool.edgekit.targets.chek", "key-unknown"),
        ("[tool.edgekit.compress]\nforce = true", "tool.edgekit.compress.force", "default-only-typed"),
    ],
)
def test_what_pyproject_cannot_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, key: str, code: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert run(app, "edgekit", ["recipes", "--json"]) == 1
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert error["code"] == code
    assert str(tmp_path / "pyproject.toml") in error["message"]
    assert key in error["message"]
    assert run(app, "edgekit", ["bench", "--help"]) == 0
    assert run(app, "edgekit", ["explain", code]) == 0


def test_every_option_may_have_a_default() -> None:
    known = _options(typer.main.get_command(app))
    assert known["bench"]["threads"] == Option(str)
    assert known["bench"]["target"] == Option(str, several=True)
    assert known["bench"]["out"] == Option(Path)
    assert known["targets"]["emulate"]["up"]["port"] == Option(int)
    assert known["train"]["width"] == Option(float)


def test_options_of_the_whole_are_no_variables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_VERSION", "0.2.0")
    assert run(app, "edgekit", ["recipes"]) == 0
    assert "int8" in capsys.readouterr().out


def test_quiet_keeps_warnings(capfd: pytest.CaptureFixture[str]) -> None:
    from edgekit.api.console import Console

    console = Console(quiet=True)
    console.notify("a step")
    with console.task("work", 1) as task:
        task.advance()
    console.warn("beware")
    assert capfd.readouterr().err == "warning: beware\n"
    assert run(app, "edgekit", ["bench", "none.tflite", "-q"]) == 1
    assert capfd.readouterr().err.startswith("edgekit: none.tflite")


@pytest.mark.parametrize("name", ["bench", "compress", "train", "push"])
def test_every_option_stands_in_one_panel(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = next(command for command, _ in ALL if command.name == name)
    options = [param.name for param in command.params if param.param_type_name == "option"]
    in_panels = [option for group in command.callback.panels.values() for option in group.split()]
    assert sorted(in_panels) == sorted(set(options) - set(SHARED))
    assert run(app, "edgekit", [name, "--help"]) == 0
    text = capsys.readouterr().out
    titles = [line[:-1] for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert [title for title in titles if title not in ("Arguments", "Examples", "Output")] == [
        title for title in command.callback.panels if title != "Output"
    ]


@pytest.mark.parametrize("index", range(len(ALL)))
def test_every_help_has_examples_that_name_the_command(index: int) -> None:
    command, ctx = ALL[index]
    assert ctx.command_path in command.epilog
