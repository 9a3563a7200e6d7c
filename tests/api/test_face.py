"""The Python face: what is exported, and that functions and commands take the same."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
import typer

import edgekit
from edgekit.api.words import FLAGS, SEVERAL, VALUES, python_words
from edgekit.cli import app
from edgekit.errors import EdgekitError

FUNCTIONS: dict[str, Callable[..., object]] = {
    "bench": edgekit.bench,
    "check": edgekit.check,
    "compare": edgekit.compare,
    "compress": edgekit.compress,
    "doctor": edgekit.doctor,
    "explain": edgekit.explain,
    "history": edgekit.history,
    "init": edgekit.init,
    "inspect": edgekit.inspect,
    "push": edgekit.push,
    "report": edgekit.report,
    "search": edgekit.search,
    "sensitivity": edgekit.sensitivity,
    "train": edgekit.train,
}
OF_THE_TERMINAL = {"as_json", "json", "quiet", "verbose", "wide", "top", "help", "github"}
"""Options about what a terminal shows."""
OF_PYTHON = {"progress"}
RENAMED = {
    "cache_size": "cache_bytes", "cool_below": "cool_below_c", "files": "path", "input_shape": "input_shapes",
    "input_value": "input_values", "max_latency": "max_latency_ms",
    "max_latency_p90": "max_latency_p90_ms", "max_memory": "max_memory_bytes",
    "max_size": "max_size_bytes", "paths": "subjects", "scheme": "schemes", "stage": "stages", "student": "students",
    "time": "seconds",
}  # fmt: skip
"""Parameters that Python calls otherwise: what may be given again takes all at once, and units stand in names."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_takes_what_its_command_takes(name: str) -> None:
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    options = {RENAMED.get(p.name, p.name) for p in command.params} - OF_THE_TERMINAL
    parameters = set(inspect.signature(FUNCTIONS[name]).parameters) - OF_PYTHON
    assert parameters == options


def test_every_option_has_words_in_python() -> None:
    known = FLAGS | VALUES
    for name in FUNCTIONS:
        command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
        for option in (p for p in command.params if p.param_type_name == "option" and p.name not in OF_THE_TERMINAL):
            long = next(text.removeprefix("--") for text in option.opts if text.startswith("--"))
            assert long in known or name in ("init", "train"), f"{name} --{long}"
            assert (long in FLAGS) == bool(option.is_flag) or long not in known, long
            if long in known:
                said = re.match(
                    r"(\w+)=", python_words(f"--{long} x=1" if long.startswith("input-") else f"--{long} 1")
                )
                assert said, long
                assert said[1] in inspect.signature(FUNCTIONS[name]).parameters, long
    assert set(SEVERAL) <= VALUES


def test_everything_exported_is_there_and_documented() -> None:
    for name in set(edgekit.__all__) - {"__version__", "Event"}:
        assert inspect.getdoc(getattr(edgekit, name)), name
    assert set(edgekit.__all__) <= set(dir(edgekit))
    errors = {
        n
        for n in vars(edgekit.errors)
        if isinstance(k := getattr(edgekit.errors, n), type) and issubclass(k, EdgekitError)
    }
    assert errors <= set(edgekit.__all__)


def test_only_what_is_there_can_be_asked_for() -> None:
    with pytest.raises(AttributeError, match="no attribute 'compres'"):
        edgekit.compres  # noqa: B018


def test_names_stay_functions_whatever_is_imported() -> None:
    """A package of the same name as a function would take its place once it is imported."""
    program = (
        "import pkgutil, importlib, edgekit\n"
        "folders = {m.name for m in pkgutil.iter_modules(edgekit.__path__)}\n"
        "print(sorted(folders & set(edgekit.__all__)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_edgekit_is_light() -> None:
    program = (
        "import sys, edgekit; print(sorted({'numpy', 'tensorflow', 'typer', 'rich', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
