"""Nothing of a home folder, and nothing of the current folder, is ever imported: not on a board, and not here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.bundle.runs import MEMORY
from edgekit.devices.device import open_device
from edgekit.devices.interpreter import MODULES
from edgekit.devices.jobs import Job, run_job
from edgekit.devices.provision import install, probe_device, provision, with_runtime
from edgekit.devices.targets import find_target
from edgekit.devices.wheels import WheelSet
from edgekit.processes.python import folders_with, isolated, module_argv
from tests.devices.test_wheels import wheel
from tests.support.hostile_home import MODULES as HOSTILE
from tests.support.hostile_home import lay, traces
from tests.support.tiny_tflite import tiny_tflite

SYSTEM = "/usr/bin/python3"
"""Where this machine has one: it is in no virtual environment, and so looks into the user's site-packages."""


@pytest.fixture
def hostile(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lay(home)
    monkeypatch.setenv("PYTHONPATH", str(home))
    return home


def test_the_files_are_hostile(hostile: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import platform"], cwd=hostile, env={**os.environ, "HOME": str(hostile)}
    )
    assert done.returncode != 0
    assert traces(hostile)


def test_a_board(hostile: Path, tmp_path: Path) -> None:
    model = tiny_tflite(tmp_path / "m.tflite")
    with open_device(find_target("rpi4").at("pi@board"), sys.executable) as board:
        machine = probe_device(board.target, board.transport, board.python)
        assert machine.modules["numpy"] not in (None, "unknown")
        for runtime in ("ai-edge-litert", "onnxruntime"):
            found = provision(board, machine, (runtime,))
            assert found.source == "the device's own"
        run_job(board, Job(MEMORY, "ai-edge-litert", model), timeout=60)
    assert traces(hostile) == []


def test_wheels_from_here_come_before_site_packages_and_after_python_s_own(hostile: Path, tmp_path: Path) -> None:
    import ai_edge_litert

    real = Path(ai_edge_litert.__file__).parent
    code = f"__path__ = [{str(real)!r}]\n__version__ = '9.9'\n"
    shelf = wheel(
        tmp_path / "shelf",
        "ai_edge_litert",
        "9.9",
        "py3-none-any",
        {"ai_edge_litert/__init__.py": code, "json.py": "1/0"},
    )
    model = tiny_tflite(tmp_path / "m.tflite")
    with open_device(find_target("rpi4").at("pi@board"), sys.executable) as board:
        machine = probe_device(board.target, board.transport, board.python)
        found = install(board, machine, packed(shelf, tmp_path))
        run = run_job(with_runtime(board, found), Job(MEMORY, "ai-edge-litert", model), timeout=60)
    assert run.runtime.version == "9.9"
    assert traces(hostile) == []


def packed(shelf: Path, tmp_path: Path) -> WheelSet:
    from edgekit.devices.wheels import _describe, _pack

    found = [shelf] if shelf.is_file() else sorted(shelf.glob("*.whl"))
    _pack(found, tmp_path / "set.tar.gz")
    return WheelSet("ai-edge-litert", tmp_path / "set.tar.gz", tuple(map(_describe, found)))


def test_this_machine(hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_tflite(tmp_path / "m.tflite")
    monkeypatch.chdir(hostile)
    monkeypatch.setenv("HOME", str(hostile))
    with open_device() as desktop:
        run = run_job(desktop, Job(MEMORY, "ai-edge-litert", model), timeout=60)
        assert run.used_kib
    done = subprocess.run(
        module_argv("pip", "--version"), env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True
    )
    assert done.stdout.startswith("pip "), done.stderr
    assert traces(hostile) == []


@pytest.mark.skipif(not Path(SYSTEM).exists(), reason="this machine has no Python of its own")
def test_the_user_s_site_packages_are_not_looked_at(hostile: Path) -> None:
    version = subprocess.run(
        [SYSTEM, "-IBc", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
    )
    lay(hostile, version.stdout.strip())
    env = {**os.environ, "HOME": str(hostile)}
    done = subprocess.run(
        isolated(SYSTEM, "-c", f"import {', '.join(name for name in HOSTILE if name in sys.stdlib_module_names)}"),
        env=env,
        cwd=hostile,
    )
    assert done.returncode == 0
    assert traces(hostile) == []


def test_where_this_python_found_the_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with `pip install --user edgekit`: the runner of this machine finds them, too."""
    (tmp_path / "user" / "numpy").mkdir(parents=True)
    (tmp_path / "user" / "numpy" / "__init__.py").touch()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "user")
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "other"), str(tmp_path / "user")])
    assert folders_with(("numpy", *MODULES.values())) == (str(tmp_path / "user"),)
    with open_device() as desktop:
        assert desktop.folders == (str(tmp_path / "user"),)
    with open_device(python="/elsewhere/python3") as other:
        assert other.folders == ()
