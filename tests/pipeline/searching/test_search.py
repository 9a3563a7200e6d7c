"""Whole searches of a tiny model: from Python and the command line, resumed, joined, over budget."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit as ek
from edgekit.bundle.manifest import read_bundle
from edgekit.files.whole import sha256
from tests.conftest import Edgekit, Inside
from tests.documents import DOCUMENTS, faults
from tests.support.raised import raised

pytestmark = [pytest.mark.e2e, pytest.mark.tensorflow, pytest.mark.timeout(600)]
QUICK = {"effort": 0.02, "anyway": True}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a few hundred parameters that tells the rows of `conftest.arrays` apart without training."""
    from edgekit.frameworks.tensorflow import seed_everything, tf_keras

    seed_everything(0)
    keras = tf_keras()
    inputs = keras.Input((6, 6, 1), name="image")
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="conv")(inputs)
    x = keras.layers.Flatten()(x)
    made = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="scores")(x))
    dense = np.zeros((6, 6, 8, 3), np.float32)
    for c in range(3):
        dense[c * 2, :, :, c] = 1
    kernel = np.zeros((3, 3, 1, 8), np.float32)
    kernel[1, 1, 0] = np.linspace(0.5, 1, 8)
    made.get_layer("conv").set_weights([kernel, np.zeros(8, np.float32)])
    made.get_layer("scores").set_weights([dense.reshape(-1, 3), np.zeros(3, np.float32)])
    path = tmp_path_factory.mktemp("model") / "rows.keras"
    made.save(path)
    return path


@pytest.mark.usefixtures("one_latency_round")
def test_a_search_its_front_and_what_makes_it_again(model: Path, npz: Path, tmp_path: Path) -> None:
    lines: list[str] = []

    def follow(event: Any) -> None:
        lines.append(getattr(event, "message", ""))

    out = tmp_path / "found"
    found = ek.search(model, npz, out, trials=3, max_size_bytes=20_000, progress=follow, **QUICK)
    assert (found.met, found.result.complete, found.result.cost) == (True, 3, "macs")
    assert any(line.startswith("trial 2 (channels-qat)") for line in lines)
    assert [p.name for p in sorted((out / "trials").iterdir())] == ["0000", "0001", "0002"]
    sizes = [point.bytes for point in found.front]
    assert sizes == sorted(sizes, reverse=True)
    for point in found.front:
        assert point.bundle_path is not None and point.recipe_path is not None
        file = next(f for f in point.bundle.files if (f.format, f.scheme) == ("tflite", "int8"))
        assert point.trial.measured is not None
        assert (file.sha256, file.bytes) == (point.trial.measured.sha256, point.bytes)
        assert file.test is not None or point.bundle.checked_on == "test"
        assert point.test is not None and point.test.samples == 60
        known = point.trial.known
        assert known is not None
        trained = point.trial.measured
        assert (known.macs, known.memory_bytes) == (trained.macs, trained.memory_bytes)
        assert abs(known.parameters / trained.parameters - 1) < 0.03
        assert 0.9 < known.bytes / point.bytes < 1.03
    alone = ek.compress(model, npz, found.front[-1].recipe_path, tmp_path / "alone", anyway=True)
    again = next(f for f in alone.files if (f.format, f.scheme) == ("tflite", "int8"))
    assert again.sha256 == found.front[-1].trial.measured.sha256  # type: ignore[union-attr]
    assert len(found.to_pandas()) == len(found.front)
    before = {point.bundle_path: point.bundle_path.stat().st_mtime_ns for point in found.front if point.bundle_path}
    more = ek.search(model, npz, out, trials=2, max_size_bytes=20_000, **QUICK)  # fewer than there are: nothing is run
    assert [p.trial for p in more.front] == [p.trial for p in found.front]
    assert {p.bundle_path: p.bundle_path.stat().st_mtime_ns for p in more.front if p.bundle_path} == before
    with raised("study-differs", "max_size_bytes", "20000", "9000"):
        ek.search(model, npz, out, trials=5, max_size_bytes=9_000, **QUICK)


def test_killed_and_resumed_from_the_command_line(edgekit: Edgekit, model: Path, npz: Path, tmp_path: Path) -> None:
    search = ("search", model, "--data", npz, "-o", "found", "--effort", "0.02", "--anyway")
    running = edgekit.start(*search, "--trials", "3")
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob("found/trials/0000/trial.json")):
        assert time.monotonic() < deadline and running.poll() is None
        time.sleep(0.1)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    first = (tmp_path / "found" / "trials" / "0000" / "trial.json").read_text()
    done = edgekit(*search, "--trials", "2", "--min-accuracy", "0.999", "--json", check=1)
    assert json.loads(done.stdout)["error"]["code"] == "study-differs"
    done = edgekit(*search, "--trials", "2", "--json", timeout=400)
    value = json.loads(done.stdout)
    assert not faults(value, DOCUMENTS["search"])
    assert value["complete"] == 2
    assert (tmp_path / "found" / "trials" / "0000" / "trial.json").read_text() == first
    for row in value["front"]:
        bundle = read_bundle(tmp_path / "found" / row["bundle"])
        assert {sha256(bundle.file(a)) for a in bundle.manifest.artifacts} >= {
            a.sha256 for a in bundle.manifest.artifacts
        }
    assert not list(tmp_path.glob("found/**/*.tmp-*"))


def test_refused_before_any_work(inside: Inside, model: Path, npz: Path, tmp_path: Path) -> None:
    search = ("search", model, "--data", npz, "-o", "found", "--json")
    for options, code in (
        ((), "search-without-end"),
        (("--time", "0"), "value-out-of-range"),
        (("--trials", "-3"), "value-out-of-range"),
        (("--trials", "3", "--max-size", "0"), "budget-not-positive"),
        (("--trials", "3", "--max-size", "5 bananas"), "option-malformed"),
        (("--trials", "3", "--effort", "0"), "value-out-of-range"),
        (("--trials", "3", "--student", "none.keras"), "file-missing"),
        (("--trials", "3", "--storage", "redis://x"), "storage-unknown"),
        (("--trials", "3", "--join"), "study-missing"),
    ):
        done = inside(*search, *options, check=1)
        assert json.loads(done.stdout)["error"]["code"] == code, options
    assert not (tmp_path / "found" / "trials").exists()
