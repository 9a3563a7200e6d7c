"""From a model to measured files. Accuracy is of the file, on the whole test part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit.bundle.recipe import Recipe
from edgekit.data.dataset import Dataset
from edgekit.data.split import Splits
from edgekit.devices.device import open_device
from edgekit.export.exporter import export
from edgekit.files.whole import gzip_bytes, sha256
from edgekit.formats.reading import inspect_file
from edgekit.measuring.core import run_file
from edgekit.measuring.ports import specs
from edgekit.progress import SILENT
from edgekit.tasks.task import CLASSIFICATION
from edgekit.techniques.qat_finish import for_converter, strip_quantization
from edgekit.techniques.stage import QUANTIZED, ModelState

from .records import File, pack

THREADS = 2
LARGE = 32
"""Weight tensors of fewer elements (biases of small layers) do not count for the share of zeros."""


def write_test_samples(dataset: Dataset, path: Path) -> Path:
    """Write the test part where runner processes read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, x=dataset.x_test, y=dataset.y_test)
    return path


def measure(
    state: ModelState, schemes: Sequence[str], stem: Path, dataset: Dataset, splits: Splits, samples: Path
) -> tuple[File, ...]:
    """Export a model in some schemes, and measure the files.

    Args:
        state: the model.
        schemes: of the files.
        stem: folder and beginning of the file names: `STEM-SCHEME.tflite`.
        dataset: its test labels and preprocessing are used.
        splits: its calibration samples are used.
        samples: what `write_test_samples` wrote.

    Raises:
        ConversionError: the model cannot be exported.
        RunnerError: a file cannot be run.
    """
    quantized = QUANTIZED in state.traits
    model = for_converter(state.model) if quantized else state.model
    floating = strip_quantization(state.model) if quantized and set(schemes) != {"int8"} else None
    recipe = Recipe("study", schemes=tuple(schemes), formats=("tflite",))
    calibration = dataset.preprocessing.apply(splits.x_calibration)
    stem.parent.mkdir(parents=True, exist_ok=True)
    made = export(model, recipe, calibration, stem.parent, stem.name, SILENT, floating)
    return tuple(_measured(item.path, item.scheme, dataset, samples) for item in made)


def _measured(path: Path, scheme: str, dataset: Dataset, samples: Path) -> File:
    hits = _hits(path, dataset, samples)
    info = inspect_file(path)
    large = [w for w in info.weights if w.elements >= LARGE]
    elements = sum(w.elements for w in large)
    return File(
        name=path.name,
        scheme=scheme,
        sha256=sha256(path),
        bytes=path.stat().st_size,
        gzip_bytes=gzip_bytes(path),
        parameters=info.parameters,
        macs=info.macs,
        zeros=sum(w.zeros or 0 for w in large) / elements if elements else 0.0,
        correct=int(hits.sum()),
        samples=len(hits),
        hits=pack(hits),
    )


def _hits(path: Path, dataset: Dataset, samples: Path) -> np.ndarray:
    """Return whether the file is right on each test sample, bool (n,)."""
    info, how = inspect_file(path), dataset.preprocessing
    inputs, outputs = specs(info.inputs), specs(info.outputs)
    with open_device() as device:
        run = run_file(device, path, inputs, outputs, samples, how, CLASSIFICATION, path.parent, THREADS)
    hits: np.ndarray = run.real[0].argmax(axis=1) == dataset.y_test
    return hits
