"""Bundles are judged as what their models are: class numbers, mapped labels, autoencoders with labels."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.recipe import Recipe, StageSpec
from edgekit.data.loading import load_data
from edgekit.devices.device import open_device
from edgekit.frameworks.tensorflow import seed_everything, tensorflow, tf_keras
from edgekit.measuring.candidates import candidates
from edgekit.measuring.plan import Plan
from edgekit.measuring.session import bench
from edgekit.pipeline.run import compress
from edgekit.reporting.bundle_table import bundle_table
from tests.support.heard import Heard
from tests.support.raised import raised

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("one_latency_round")]
SMALL = Recipe("small", calibration_samples=20, check_samples=30, eval_samples=0, formats=("tflite",))
FLOAT = dataclasses.replace(SMALL, schemes=("float32",))
TRAINED = dataclasses.replace(SMALL, stages=(StageSpec("finetune", {"epochs": 1}),))
X = np.random.default_rng(0).normal(0, 1, (300, 6)).astype(np.float32)


def classifier(path: Path, *, numbers: bool) -> Path:
    """Save a model that is right: the class is the largest of the first three inputs."""
    seed_everything(0)
    layers = tf_keras().layers
    inputs = layers.Input((6,))
    dense = layers.Dense(3)
    outputs = dense(inputs)
    dense.set_weights([np.eye(6, 3), np.zeros(3)])
    tf_keras().Model(inputs, tensorflow().argmax(outputs, -1) if numbers else outputs).save(path)
    return path


def saved(path: Path, y: Any) -> str:
    np.savez(path, x_train=X[100:], y_train=y[100:], x_test=X[:100], y_test=y[:100])
    return str(path)


def test_class_numbers(tmp_path: Path) -> None:
    model = classifier(tmp_path / "m.keras", numbers=True)
    path = saved(tmp_path / "d.npz", X[:, :3].argmax(axis=1) + 1)
    heard = Heard()
    bundle = compress(model, path, SMALL, tmp_path / "out", progress=heard)
    assert "are mapped" in " ".join(heard.notified)
    assert bundle.manifest.class_names == ("1", "2", "3")
    assert [a.validation["correct"] >= 18 for a in bundle.manifest.artifacts if a.validation] == [True, True]
    agreement = bundle.manifest.agreement[-1]
    assert agreement.sqnr_db is None  # class numbers have no distance
    assert agreement.top1 is not None and agreement.top1 > 0.85
    assert "top-1 = Keras" in bundle_table(bundle)
    file = tmp_path / "float.tflite"
    file.write_bytes((tmp_path / "out" / "m-float32.tflite").read_bytes())
    with open_device() as desktop:  # the bundle by its manifest, the file by its dtype
        plan = Plan(latency=False, memory=False)
        for subject, data in ((tmp_path / "out", path), (file, saved(tmp_path / "0.npz", X[:, :3].argmax(axis=1)))):
            record = bench(candidates([subject]), plan, desktop, data=load_data(data))
            assert record.measurements[0].accuracy.score.correct == 100
    with raised("source-not-trainable", "class numbers, as of ArgMax"):
        compress(model, path, TRAINED, tmp_path / "no")
    taught = dataclasses.replace(
        TRAINED, stages=(*TRAINED.stages, StageSpec("distill", {"student": "current", "teacher": str(model)}))
    )
    heard = Heard()
    with raised("student-unfit", "m.keras", "class numbers"):
        compress(classifier(tmp_path / "s.keras", numbers=False), str(tmp_path / "0.npz"), taught, tmp_path / "no",
                 progress=heard)  # fmt: skip
    assert "finetune" not in " ".join(heard.notified)  # before any stage trained


def test_an_autoencoder_may_be_given_labels(tmp_path: Path) -> None:
    layers = tf_keras().layers
    inputs = layers.Input((6,))
    model = tf_keras().Model(inputs, layers.Dense(6, kernel_initializer="identity")(inputs))
    model.save(tmp_path / "m.keras")
    path = saved(tmp_path / "d.npz", X[:, :2].argmax(axis=1))
    heard = Heard()
    bundle = compress(tmp_path / "m.keras", path, FLOAT, tmp_path / "out", progress=heard, anyway=True)
    assert bundle.manifest.task.main.kind == "reconstruction"
    assert "the labels are not used" in " ".join(heard.notified)
