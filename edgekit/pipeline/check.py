"""What exported files are compared with: the labels or the model they came from, and how far off is too far."""

from __future__ import annotations

import numpy as np

from edgekit.bundle.agreement import Agreement
from edgekit.frameworks.types import KerasModel
from edgekit.models.keras.asking import predicted
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, ModelInputs, Samples
from edgekit.tasks.scoring import labels
from edgekit.tasks.task import Task

FAR_DB = 10.0
"""Below this ratio of signal to noise the values of a regression are hardly those of the float model."""
SAME_DB = 60.0
"""Above this ratio float values are the same for all purposes; a source that computes in float16 is as far as that."""


def reference_labels(
    task: Task, model: KerasModel, x: Samples, y: Samples | None, preprocessing: Preprocessing
) -> tuple[Array, ...]:
    """Return what a file's outputs are scored against: the labels, or without any what the float model answers."""
    if task.main.kind == "unlabelled":
        return answers(model, preprocessing.apply(x))
    return labels(task, x, y, preprocessing)


def answers(model: KerasModel, inputs: ModelInputs) -> tuple[Array, ...]:
    """Return what a Keras model answers, one float64 array an output.

    Args:
        model: a tf_keras model, or what behaves like one.
        inputs: preprocessed samples, one array or a tuple of them.
    """
    return tuple(np.asarray(output, np.float64) for output in predicted(model, inputs))


def doubts(agreement: Agreement, part: str = "validation") -> str:
    """Return a warning about an agreement that is worse than quantization explains, or an empty string.

    Args:
        agreement: of a file.
        part: of the data that its samples are of.
    """
    lossless = agreement.max_steps is None and "float32" in agreement.other
    ties = agreement.sqnr_db is None and (agreement.top1 or 0) >= 0.99  # class numbers: a tie may end either way
    near = agreement.max_abs <= 1e-3 or (agreement.sqnr_db is not None and agreement.sqnr_db >= SAME_DB)
    if lossless and not near and not ties:
        return f"{agreement.other} differs from the {agreement.reference} by up to {agreement.max_abs:.2g}"
    if agreement.top1 is not None and agreement.top1 < 0.95:
        return (
            f"{agreement.other} agrees with the {agreement.reference} on only {agreement.top1:.1%} of "
            f"{agreement.samples} {part} samples"
        )
    if agreement.top1 is None and agreement.sqnr_db is not None and agreement.sqnr_db < FAR_DB:
        return (
            f"{agreement.other} is far from the {agreement.reference}: its SQNR is {agreement.sqnr_db:.1f} dB on "
            f"{agreement.samples} {part} samples"
        )
    return ""
