"""The lint of a data set as a model will get it: what is said before any work starts."""

from __future__ import annotations

from typing import Any

from edgekit.data.dataset import Dataset, is_classes
from edgekit.data.lint.checks import lint
from edgekit.data.lint.facts import data_facts
from edgekit.data.lint.finding import Finding
from edgekit.data.lint.model_facts import model_facts
from edgekit.samples import NamedArrays
from edgekit.tasks.preprocessing import Preprocessing


def data_doubts(
    dataset: Dataset, preprocessing: Preprocessing, model: Any, calibration_samples: int | None, *, int8: bool
) -> list[Finding]:
    """Return what is doubtful about data and the way they are fed; with it what only a measurement can make sure of.

    Args:
        dataset: as the model takes it (`edgekit.data.fitting.fit`).
        preprocessing: from stored samples to model inputs.
        model: of any kind.
        calibration_samples: how many will set the quantization ranges; None if nothing is calibrated.
        int8: whether the inputs of a file will be int8.
    """
    known = model_facts(model)
    classes = is_classes(dataset.y_train) and dataset.classes > 0
    several = isinstance(dataset.x_train, NamedArrays)
    facts = data_facts(
        _mapping(dataset.x_train),
        _mapping(dataset.x_test),
        dataset.y_train if classes else None,
        dataset.y_test if classes else None,
        apply={n: preprocessing.of(n).apply for n in dataset.x_train.names} if several else preprocessing.apply,
        fed=str(preprocessing),
        class_names=dataset.class_names if classes else (),
        feature_names=dataset.feature_names,
        calibration_samples=calibration_samples,
        int8=int8,
        channel_axis=_channel_axes(dataset.x_train, preprocessing, model),
    )
    return lint(facts, known, unsure=True)


def _channel_axes(samples: Any, preprocessing: Preprocessing, model: Any) -> dict[str, int]:
    """Return the channel axis of every input whose channels are not last: of NCHW, and mostly of ONNX files."""
    found = {}
    for name, array in (_mapping(samples) if isinstance(samples, NamedArrays) else {"": samples}).items():
        axes = array.ndim - 1
        first_is_shorter = axes > 1 and array.shape[1] <= array.shape[-1]
        if (axes == 3 and preprocessing.of(name).layout == "NCHW") or (
            getattr(model, "format", "") == "onnx" and first_is_shorter
        ):
            found[name] = -axes
    return found


def _mapping(samples: Any) -> Any:
    if isinstance(samples, NamedArrays):
        return dict(zip(samples.names, samples.arrays, strict=True))
    return samples
