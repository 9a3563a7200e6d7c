"""The design's guards: what may import what. Each was seen to fail when broken on purpose."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "edgekit"
HEAVY = [
    "tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "tf2onnx", "onnx", "onnxruntime",
    "ai_edge_litert", "tflite_runtime", "sklearn", "h5py", "numpy", "rich.progress",
]  # fmt: skip
COMMANDS = ["", "train", "compress", "bench", "inspect", "report", "recipes", "push", "targets", "init"]

# A module imports from its own floor or lower ones. Longest prefix wins.
FLOORS = {
    "edgekit": 9, "edgekit.errors": 0, "edgekit.printable": 0, "edgekit.document": 0, "edgekit.schema": 0,
    "edgekit.rules": 0, "edgekit.files": 0, "edgekit.progress": 0, "edgekit.opening": 0, "edgekit.arrays": 1,
    "edgekit.scratch": 0, "edgekit.temporary": 0, "edgekit.placing": 0, "edgekit.outputs": 0, "edgekit.isolated": 0,
    "edgekit.preprocessing": 1, "edgekit.stats": 1, "edgekit.config": 1, "edgekit.manifest": 1, "edgekit.records": 1,
    "edgekit.columns": 0, "edgekit.own_code": 0, "edgekit.calibration": 1, "edgekit.task": 1,
    "edgekit.metrics": 1, "edgekit.scoring": 1,
    "edgekit.labels": 1, "edgekit.nature": 1, "edgekit.heads": 1, "edgekit.matching": 6,
    "edgekit.quality": 7, "edgekit.advice": 7,
    "edgekit.ledger": 1, "edgekit.answers": 1, "edgekit.toml": 0, "edgekit.feeding": 2, "edgekit.source": 6,
    "edgekit.model_source": 6, "edgekit.recipes": 1, "edgekit.ondevice": 1, "edgekit.starter": 1, "edgekit.api": 9,
    "edgekit.telemetry": 0, "edgekit.backend": 2, "edgekit.transports": 2, "edgekit.inspect": 2,
    "edgekit.open_inputs": 6,
    "edgekit.devices": 3, "edgekit.data": 3,
    "edgekit.models": 4, "edgekit.mixups": 0, "edgekit.trial": 4,
    "edgekit.techniques": 5, "edgekit.export": 5,
    "edgekit.push": 6, "edgekit.measuring": 6, "edgekit.report": 7, "edgekit.stages": 7, "edgekit.pipeline": 7,
    "edgekit.cli": 8, "edgekit.__main__": 9,
}  # fmt: skip
TENSORFLOW_ROOMS = ("edgekit.backend", "edgekit.models", "edgekit.data", "edgekit.techniques", "edgekit.export")
TENSORFLOW_NAMES = {"tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "tf2onnx"}
ONNX_ROOMS = (*TENSORFLOW_ROOMS, "edgekit.inspect", "edgekit.ondevice")


def module_name(path: Path) -> str:
    parts = ["edgekit", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> set[str]:
    """Every module imported anywhere in the tree, functions included; TYPE_CHECKING blocks too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import of {node.module}"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def floor(name: str) -> int:
    while name not in FLOORS:
        assert "." in name, f"{name} has no floor: add it to FLOORS"
        name = name.rpartition(".")[0]
    return FLOORS[name]


MODULES = {module_name(p): ast.parse(p.read_text()) for p in sorted(PACKAGE.rglob("*.py"))}


def test_every_room_has_its_own_floor() -> None:
    rooms = {".".join(name.split(".")[:2]) for name in MODULES}
    assert rooms <= set(FLOORS)


@pytest.mark.parametrize("name", MODULES)
def test_imports_come_from_lower_floors(name: str) -> None:
    for target in imports(MODULES[name]):
        if target.startswith("edgekit") and target not in ("edgekit.__version__",):
            assert floor(target) <= floor(name), f"{name} imports {target} from a higher floor"


@pytest.mark.parametrize("name", MODULES)
def test_only_the_heavy_rooms_know_tensorflow(name: str) -> None:
    roots = {target.split(".")[0] for target in imports(MODULES[name])}
    if not name.startswith(TENSORFLOW_ROOMS):
        assert not roots & TENSORFLOW_NAMES
    if not name.startswith(ONNX_ROOMS):
        assert not roots & {"onnx", "onnxruntime", "ai_edge_litert", "tflite_runtime"}


@pytest.mark.parametrize("name", [n for n in MODULES if not n.startswith("edgekit.cli")])
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
        assert not used & folders, f"{name}: use edgekit.temporary or edgekit.files"
        if name not in ("edgekit.transports.process", "edgekit.devices.emulated.server", "edgekit.isolated.child"):
            assert not used & children, f"{name}: use edgekit.transports.process"


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
    assert not imported & {*HEAVY, "edgekit.schema", "edgekit.document"}


def test_files_stay_small() -> None:
    long = {
        n: c for n, p in ((module_name(p), p) for p in PACKAGE.rglob("*.py")) if (c := p.read_text().count("\n")) > 400
    }
    # The runner has to be one file: it is copied to devices as it is.
    assert set(long) <= {"edgekit.ondevice.runner"}, long
