"""The lint of a data set as a model will get it, before any work starts."""

from __future__ import annotations

from typing import Any

from edgekit.data.dataset import Dataset, is_classes
from edgekit.data.lint.checks import lint
from edgekit.data.lint.facts import data_facts
from edgekit.data.lint.finding import Finding
from edgekit.data.lint.model_facts import ModelFacts
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import NamedArrays


def data_findings(
    dataset: Dataset, preprocessing: Preprocessing, model: ModelFacts, calibration_samples: int | None, *, int8: bool
) -> list[Finding]:
    """Return findings about data and their preprocessing, also those that only a measurement can make sure of.

    Args:
        dataset: as the model takes it (`edgekit.data.fitting.fit`).
        preprocessing: from stored samples to model inputs.
        model: what its first layers tell.
        calibration_samples: how many will set the quantization ranges; None if nothing is calibrated.
        int8: whether the inputs of a file will be int8.
    """
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
    return lint(facts, model, unsure=True)


def _channel_axes(samples: Any, preprocessing: Preprocessing, model: ModelFacts) -> dict[str, int]:
    """Return the channel axis of every input whose channels are not last: of NCHW, and mostly of ONNX files."""
    axes_by_input = {}
    for name, array in (_mapping(samples) if isinstance(samples, NamedArrays) else {"": samples}).items():
        axes = array.ndim - 1
        first_is_shorter = axes > 1 and array.shape[1] <= array.shape[-1]
        if (axes == 3 and preprocessing.of(name).layout == "NCHW") or (model.channels_first and first_is_shorter):
            axes_by_input[name] = -axes
    return axes_by_input


def _mapping(samples: Any) -> Any:
    if isinstance(samples, NamedArrays):
        return dict(zip(samples.names, samples.arrays, strict=True))
    return samples
