"""The whole command on a tiny data set: run, killed and resumed, timed, reported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
ROWS = "ptq-int8,seq-distill-prune-quantize,order-qpd"

pytestmark = [pytest.mark.e2e, pytest.mark.tensorflow, pytest.mark.timeout(600)]


@pytest.fixture
def study_folder(tmp_path: Path) -> Path:
    """MNIST's shape, three bright bars: 300 and 60 samples."""
    rng = np.random.default_rng(3)

    def part(n: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.arange(n) % 10
        x = rng.integers(0, 60, (n, 28, 28))
        for index, label in enumerate(y):
            x[index, 2 * label + 4 : 2 * label + 6] += 180
        return x.astype(np.uint8), y.astype(np.int64)

    (x_train, y_train), (x_test, y_test) = part(300), part(60)
    np.savez(tmp_path / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return tmp_path


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    places = ["--work", str(folder / "work"), "--out", str(folder / "results")]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.study", *arguments, *places],
        cwd=ROOT,
        env={**os.environ, "EDGEKIT_DATA": str(folder)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, error = process.communicate(timeout=500)
    assert process.returncode == 0, error
    return out, error


def test_killed_resumed_timed_and_reported(study_folder: Path) -> None:
    pytest.importorskip("matplotlib")
    first = start(study_folder, "mnist", "--quick", "--only", ROWS)
    rows = study_folder / "work" / "rows"
    deadline = time.monotonic() + 300
    while not list(rows.glob("ptq-int8-*.json")):
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    kept = {path: path.read_bytes() for path in rows.glob("*.json")}

    out, error = finish(start(study_folder, "mnist", "--quick", "--only", ROWS))
    assert "int8 makes files about 4x smaller: reproduced" in out
    assert f"3 rows with seeds, {len(kept)} done already" in error
    assert all(path.read_bytes() == text for path, text in kept.items())

    finish(start(study_folder, "latency", "mnist", "--quick", "--rounds", "2"))
    results = study_folder / "results"
    document = json.loads((results / "mnist-quick.json").read_text())
    files = {(r["row"], f["scheme"]): f for r in document["records"] for f in r["files"]}
    sequence = ("seq-distill-prune-quantize", "int8")
    assert set(files) == {("baseline", "float32"), ("ptq-int8", "int8"), sequence}
    for file in files.values():
        assert file["samples"] == 60
        assert file["latency"]["ratio"] > 0
        assert (rows / file["name"]).stat().st_size == file["bytes"]
    assert files[sequence]["bytes"] * 20 < files["baseline", "float32"]["bytes"]
    assert files[sequence]["macs"] * 8 < files["baseline", "float32"]["macs"]

    page = (results / "mnist-quick.md").read_bytes()
    (results / "mnist-quick.md").unlink()
    finish(start(study_folder, "report", "mnist", "--quick"))
    assert len((results / "mnist-quick.md").read_bytes()) == len(page)
