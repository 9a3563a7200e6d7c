"""What the outputs of a source are, seen from some predictions and from its last layers, before any work."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.data.trial.cost import afforded
from edgekit.models.sources.source import SourceModel
from edgekit.tasks.nature import SAMPLES, Nature, nature_of
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Samples, evenly

FEWEST = 16
"""Samples of a model that takes long."""


def natures_of(source: SourceModel, preprocessing: Preprocessing) -> Callable[[Samples], tuple[Nature, ...]]:
    """Return a function from stored samples to the nature of every output; of nothing if the model fails on them.

    A few samples, evenly spaced, are enough, and it hardly matters whether they are scaled as the model was trained:
    a softmax adds up to 1 whatever comes in.

    Args:
        source: the model.
        preprocessing: from stored samples to its inputs.
    """

    def look(x: Samples) -> tuple[Nature, ...]:
        rows = evenly(len(x), afforded(SAMPLES, source.cost, FEWEST))
        inputs = preprocessing.apply(x[rows])
        try:
            outputs = source.predict(inputs)
        except Exception:  # reported with its cause where the model is run for good
            return ()
        activations = source.activations or ("",) * len(outputs)
        return tuple(
            nature_of(output.astype(np.float64), integers=port.numbers, activation=activation)
            for output, port, activation in zip(outputs, source.outputs, activations, strict=True)
        )

    return look
