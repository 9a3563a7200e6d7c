"""The design's guards: what may import what. Each was seen to fail when broken on purpose."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from edgekit.cli import app
from tests.guards.rooms import MODULES, PACKAGE, arrows, circle, floors, folders, imports, module_name

HEAVY = [
    "tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "tf2onnx", "onnx", "onnxruntime",
    "ai_edge_litert", "tflite_runtime", "sklearn", "h5py", "numpy", "rich.progress", "tomlkit", "optuna", "sqlalchemy",
]  # fmt: skip
COMMANDS = ["", *typer.main.get_command(app).commands]  # type: ignore[attr-defined]

ROOMS, FLOORS, ARROWS = 24, 11, 147
LEAVES = {"progress", "version"}
"""Modules of one subject that know no other: all that may stand beside the folders."""
TENSORFLOW_ROOMS = (
    "edgekit.frameworks.tensorflow", "edgekit.models", "edgekit.data", "edgekit.techniques", "edgekit.export",
)  # fmt: skip
TENSORFLOW_NAMES = {"tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "tf2onnx"}
ONNX_ROOMS = (*TENSORFLOW_ROOMS, "edgekit.formats", "edgekit.ondevice", "edgekit.measuring.loaded")


@pytest.mark.parametrize("folder", list(folders()))
def test_no_circle_at_any_level(folder: str) -> None:
    assert not circle(arrows(folder))


def test_a_circle_is_found() -> None:
    graph = {"a": {"b": ["a imports b"]}, "b": {"c": ["b imports c"]}, "c": {"a": ["c imports a"]}, "d": {}}
    assert sorted(circle(graph)) == ["a imports b", "b imports c", "c imports a"]
    assert not circle({"a": {"b": [""]}, "b": {}})


def test_the_house_stays_simple() -> None:
    graph = arrows("edgekit")
    assert len(graph) <= ROOMS
    assert max(floors(graph).values()) <= FLOORS
    assert sum(map(len, graph.values())) <= ARROWS


def test_only_leaves_stand_beside_the_folders() -> None:
    beside = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert beside == LEAVES
    graph = arrows("edgekit")
    assert not [room for room in LEAVES if graph[room]]


@pytest.mark.parametrize("name", MODULES)
def test_only_the_heavy_rooms_know_tensorflow(name: str) -> None:
    roots = {target.split(".")[0] for target in imports(MODULES[name])}
    if not name.startswith(TENSORFLOW_ROOMS):
        assert not roots & TENSORFLOW_NAMES
    if not name.startswith(ONNX_ROOMS):
        assert not roots & {"onnx", "onnxruntime", "ai_edge_litert", "tflite_runtime"}


@pytest.mark.parametrize("name", [n for n in MODULES if not n.startswith(("edgekit.cli", "edgekit.api.console"))])
def test_only_the_cli_prints_prompts_and_exits(name: str) -> None:
    if name == "edgekit.ondevice.runner":
        return  # a program of its own
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "input", "exit", "quit"), f"{name}:{node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("sys", "exit"), f"{name}:{node.lineno}"


def test_temporaries_and_children_are_made_in_one_place_each() -> None:
    """A folder that nobody sweeps, or a child that outlives its parent, would come from elsewhere."""
    folders = {f"tempfile.{name}" for name in ("mkdtemp", "mkstemp", "TemporaryDirectory", "NamedTemporaryFile")}
    children = {f"subprocess.{name}" for name in ("Popen", "run", "call", "check_call", "check_output")}
    children |= {"os.fork", "os.system", "os.popen", "multiprocessing.Process", "multiprocessing.Pool"}
    for name, tree in MODULES.items():
        used = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not used & folders, f"{name}: use edgekit.files.temporary or edgekit.files.whole"
        if name not in (
            "edgekit.devices.transports.process",
            "edgekit.devices.emulated.server",
            "edgekit.processes.child",
            "edgekit.processes.work",
        ):
            assert not used & children, f"{name}: use edgekit.devices.transports.process"


def test_the_runner_is_self_contained() -> None:
    allowed = set(sys.stdlib_module_names) | {"numpy", "ai_edge_litert", "tflite_runtime", "onnxruntime"}
    source = (PACKAGE / "ondevice" / "runner.py").read_text()
    tree = ast.parse(source, feature_version=(3, 7))
    assert {name.split(".")[0] for name in imports(tree)} <= allowed
    assert not any(isinstance(node, ast.NamedExpr) for node in ast.walk(tree))


def test_nothing_imports_the_runner() -> None:
    for name, tree in MODULES.items():
        assert not any(target.startswith("edgekit.ondevice.runner") for target in imports(tree)), name


def test_runner_and_edgekit_speak_the_same_job_schema() -> None:
    from edgekit.devices.jobs import JOB_SCHEMA
    from edgekit.ondevice.runner import SCHEMA

    assert SCHEMA == JOB_SCHEMA


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_heavy(command: str, tmp_path: Path) -> None:
    for name in HEAVY:
        path = tmp_path.joinpath(*name.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        if "." in name:
            continue  # a submodule of a package that is allowed; checked below
        path.mkdir()
        (path / "__init__.py").write_text(f"raise SystemExit('heavy import: {name}')")
    for leftover in [p for p in tmp_path.iterdir() if not (p / "__init__.py").exists()]:
        leftover.rmdir()
    argv = [sys.executable, "-X", "importtime", "-m", "edgekit", *([command] if command else []), "--help"]
    done = subprocess.run(
        argv, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert not imported & {*HEAVY, "edgekit.schema.gate", "edgekit.schema.document"}


def test_files_stay_small() -> None:
    long = {
        n: c for n, p in ((module_name(p), p) for p in PACKAGE.rglob("*.py")) if (c := p.read_text().count("\n")) > 400
    }
    # The runner has to be one file: it is copied to devices as it is.
    assert set(long) <= {"edgekit.ondevice.runner"}, long
