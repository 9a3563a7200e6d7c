"""onnxruntime leaves nothing in the home folder or among temporary files, and sends nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.bundle.runs import MEMORY
from edgekit.devices.device import open_device
from edgekit.devices.jobs import Job, run_job
from edgekit.devices.provision import Provision, smoke
from edgekit.devices.targets import find_target
from edgekit.processes import telemetry
from tests.support.tiny_onnx import tiny_onnx

SESSION = "import onnxruntime, sys; onnxruntime.InferenceSession(sys.argv[1])"
CHILD = """from edgekit.processes.child import Child
Child().call('tests.processes.test_telemetry:load', what='x', seconds=60, memory=4 << 30, path=sys.argv[1])"""


def load(path: str) -> tuple[None, list[None]]:
    """What a child of edgekit does."""
    import onnxruntime

    onnxruntime.InferenceSession(path)
    return None, []


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder and a folder of temporaries; nothing that switches telemetry off but edgekit itself."""
    for name in ("CI", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    (tmp_path / "clean" / "tmp").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "clean"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "clean" / "tmp"))
    return tmp_path / "clean"


def written(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.name in (".ses", "Microsoft"))


@pytest.mark.parametrize(
    ("program", "left"),
    [(SESSION, [".ses", "Microsoft"]), ("import edgekit; " + SESSION, []), ("import sys\n" + CHILD, [])],
)
def test_processes_of_edgekit(clean: Path, tmp_path: Path, program: str, left: list[str]) -> None:
    model = tiny_onnx(tmp_path / "m.onnx")
    subprocess.run([sys.executable, "-c", program, model], check=True, cwd=Path(__file__).parents[2])
    assert written(clean) == left


@pytest.mark.parametrize(("switch", "held"), [(telemetry.SWITCH, []), ("UNKNOWN", [".ses", "Microsoft"])])
def test_runners(
    clean: Path, tmp_path: Path, home: Path, switch: str, held: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another version writes all the same goes with the session."""
    monkeypatch.setattr(telemetry, "SWITCH", switch)
    model = tiny_onnx(tmp_path / "m.onnx")
    with open_device(find_target("rpi4").at("pi@board"), sys.executable) as board:
        assert smoke(board, Provision("onnxruntime", "")) == ""
        run_job(board, Job(MEMORY, "onnxruntime", model), timeout=60)
        assert written(Path(board.work.folder)) == held
    assert written(home) == written(clean) == []


def test_nothing_is_sent_without_certificates() -> None:
    """The second layer: the library finds no bundle of certificates, and says that it uploads nothing then."""
    found = telemetry.confined("/session")
    assert found["SSL_CERT_FILE"] == found["SSL_CERT_DIR"] == os.devnull
    assert found["XDG_CACHE_HOME"] == found["TMPDIR"] == "/session"
