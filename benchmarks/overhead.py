"""What edgekit adds to work that a user could do by hand, in interleaved rounds in one process.

    EDGEKIT_DATA=folder-with-mnist.npz python benchmarks/overhead.py [--rounds 5]

1. An epoch of distillation with cached teacher outputs, against a plain epoch of the same model (mnist-cnn, MNIST).
2. From a float model to an int8 file with fake quantization (no training in between), against calling TFMOT's
   quantize_model and TFLiteConverter.from_keras_model by hand (mnist-cnn and resnet8).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from edgekit.bundle.recipe import Recipe
from edgekit.data.loading import load_data
from edgekit.data.split import split
from edgekit.export.exporter import export
from edgekit.frameworks.tensorflow import quiet, seed_everything, tensorflow, tf_keras, tfmot
from edgekit.models.reference import reference
from edgekit.models.training.targets import Distilled
from edgekit.models.training.training import TrainConfig, train
from edgekit.progress import SILENT
from edgekit.stats import CONFIDENCE, percentile
from edgekit.stats.ratios import paired_ratio
from edgekit.tasks.samples import Array
from edgekit.tasks.task import CLASSIFICATION
from edgekit.techniques.qat_finish import for_converter, without_forms
from edgekit.techniques.qat_preflight import prepare
from edgekit.techniques.qat_ranges import calibrate
from edgekit.techniques.qat_scheme import apply
from edgekit.techniques.teacher import teacher_of
from edgekit.text.tables import ratio_with_interval

INT8 = Recipe("int8", schemes=("int8",), formats=("tflite",))
PROOF, CALIBRATION, BATCH = 32, 500, 128


def epochs(rounds: int) -> None:
    data = load_data("mnist")
    splits = split(data, CALIBRATION)
    seed_everything(0)
    model = reference.build("mnist-cnn", data.sample_shape, data.classes)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        teacher = teacher_of(model, CLASSIFICATION, splits, data.preprocessing, "none", Path(folder))
        print(f"teacher outputs, once: {time.perf_counter() - started:.1f} s")
        soft = Distilled(splits, teacher, 4.0, 0.7)

        def fit(targets: Any) -> None:
            student = tf_keras().models.clone_model(model)
            train(student, splits, data.preprocessing, TrainConfig(1, BATCH), SILENT, targets=targets)

        compare("distillation epoch / plain epoch", lambda: fit(soft), lambda: fit(None), rounds)


def exports(name: str, shape: tuple[int, ...], rounds: int) -> None:
    seed_everything(0)
    model = reference.build(name, shape, 10)
    samples = np.random.default_rng(0).random((CALIBRATION, *shape), dtype=np.float32)
    compare(f"{name}: QAT export / by hand", lambda: edgekit(model, samples), lambda: by_hand(model), rounds)


def edgekit(model: Any, samples: Array) -> None:
    prepared = prepare(model, samples[:PROOF])
    quantized = apply(prepared.model, prepared.handling, {})
    calibrate(quantized, prepared.model, samples, BATCH)
    ready = for_converter(without_forms(quantized, prepared.model, prepared.handling, {}))
    with tempfile.TemporaryDirectory() as folder:
        export(ready, INT8, samples, Path(folder), "m", SILENT)


def by_hand(model: Any) -> None:
    tf = tensorflow()
    with quiet():
        quantized = tfmot().quantization.keras.quantize_model(model)
        converter = tf.lite.TFLiteConverter.from_keras_model(quantized)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        converter.convert()


def compare(label: str, ours: Callable[[], None], other: Callable[[], None], rounds: int) -> None:
    times: dict[Callable[[], None], list[float]] = {ours: [], other: []}
    for _ in range(rounds + 1):
        for work, values in times.items():
            started = time.perf_counter()
            work()
            values.append(time.perf_counter() - started)
    for values in times.values():
        del values[0]  # the first round compiles and fills caches
    medians = [percentile(values, 50) for values in times.values()]
    ratio = ratio_with_interval(paired_ratio(times[ours], times[other], CONFIDENCE).interval)
    print(f"{label}: {medians[0]:.2f} s / {medians[1]:.2f} s = {ratio}, {rounds} rounds", flush=True)


def main(rounds: Annotated[int, typer.Option(min=2)] = 5) -> None:
    epochs(rounds)
    exports("mnist-cnn", (28, 28, 1), rounds)
    exports("resnet8", (32, 32, 3), rounds)


if __name__ == "__main__":
    typer.run(main)
