"""The same runner under tflite-runtime, which needs NumPy 1 and so lives in a folder of its own.

Make one with:  pip install --target DIR 'tflite-runtime==2.14.0' 'numpy<2'
and set EDGEKIT_TFLITE_RUNTIME=DIR. `.ci/run` does.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.runs import ACCURACY, LATENCY, MEMORY
from edgekit.devices.device import open_device
from edgekit.devices.jobs import Job, LatencySettings, run_job
from edgekit.tasks.preprocessing import Preprocessing
from tests.support.tiny_tflite import tiny_tflite

pytestmark = pytest.mark.tflite_runtime
SETTINGS = LatencySettings(min_samples=30, min_seconds=0.02, warmup_seconds=0.02)


@pytest.fixture
def folder() -> str:
    folder = os.environ.get("EDGEKIT_TFLITE_RUNTIME")
    if not folder:
        pytest.skip("EDGEKIT_TFLITE_RUNTIME names no folder with tflite-runtime")
    return folder


def test_both_interpreters_answer_alike(folder: str, tmp_path: Path) -> None:
    model = tiny_tflite(tmp_path / "m.tflite")
    x = np.random.default_rng(0).integers(0, 256, (200, 4, 4, 1), dtype=np.uint8)
    np.savez(tmp_path / "s.npz", x=x, y=np.arange(200) % 3)
    answers = {}
    with open_device() as desktop:
        for runtime, where in (
            ("ai-edge-litert", desktop),
            ("tflite-runtime", dataclasses.replace(desktop, folders=(folder,))),
        ):
            job = Job(ACCURACY, runtime, model, samples=tmp_path / "s.npz", preprocessing=Preprocessing(0.1))
            answers[runtime] = run_job(where, job, timeout=60, outputs=tmp_path / f"{runtime}.npz")
            run_job(where, Job(LATENCY, runtime, model, settings=SETTINGS), timeout=60)
            run_job(where, Job(MEMORY, runtime, model), timeout=60)
    assert answers["tflite-runtime"].runtime.version.startswith("2.14")
    assert (answers["tflite-runtime"].numpy or "").startswith("1.")
    new, old = (np.load(tmp_path / f"{name}.npz")["0"].astype(int) for name in answers)
    # The two round the convolution differently by one step (0.25), which the dense weights (up to 3.8) carry into up to
    # a few steps (0.75) of the output.
    assert np.abs(new - old).max() <= 4
    assert (new.argmax(axis=1) == old.argmax(axis=1)).mean() > 0.95
