"""What the one scale of an int8 input leaves of the values fed, of every shape."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgekit.data.lint.check import FedInput
from edgekit.data.lint.facts import InputFacts
from edgekit.data.lint.finding import Finding, entries, listed, of
from edgekit.data.lint.model_facts import ModelInput
from edgekit.data.lint.steps import LEVELS

INT8 = ("feature-scales", "int8-range", "token-steps")
"""Codes of what an int8 input does."""
NARROW = 1 / 16
"""Of the range: if the middle of the values uses less, they have 16 steps of 256 at most."""
CROWDED = 0.5
"""Of the values: if so many that differ become the same step, little is left of them."""


def int8_findings(fed: FedInput) -> Iterator[Finding]:
    """Yield what an int8 input would do to the values of an input; at most one finding."""
    data, model = fed.data, fed.model
    if not fed.int8 or not data.step or (model is not None and model.dtype.startswith(("int", "uint"))):
        return
    scale = (
        f"an int8 input has one scale, here steps of {data.step:.3g} (values from {data.low:.4g} to {data.high:.4g})"
    )
    if model is not None and model.vocabulary is not None:
        if data.whole and data.step != 1:
            yield Finding(
                "token-steps",
                f"{scale}, and the Embedding layer{of(data)} is fed numbers of tokens, which are rounded to such steps",
                'declare the input as integers: keras.Input(..., dtype="int32")',
                sure=False,
            )
    elif data.lost and len(data.std) > 1:
        yield _lost(data, model, scale)
    elif data.lost or data.middle < NARROW or data.crowded > CROWDED:
        used = max(1, round(data.middle * LEVELS))
        narrow = (
            f"the middle 99.8 % of the values{of(data)} use {data.middle:.1%} of its range, {used} of {LEVELS} steps"
        )
        same = f"{data.crowded:.0%} of the values{of(data)} differ and become the same step"
        yield Finding(
            "int8-range",
            f"{scale}: {narrow if data.middle < NARROW or data.lost else same}",
            "clip or remove outliers before the model is fed, or feed it values around zero; with "
            "--calibration-method percentile what is far outside saturates",
            sure=data.middle < NARROW,
        )


def _lost(data: InputFacts, model: ModelInput | None, scale: str) -> Finding:
    std = np.array(data.std)
    moving = int((std > 0).sum())
    narrowest = min(data.lost, key=lambda i: std[i])
    # A layer that normalises makes much of a narrow feature; other models hardly look at a few such of a table.
    normalizes = model is not None and model.normalizes
    sure = moving > 1 and (normalizes or len(data.shape) > 1 or 2 * len(data.lost) >= moving)
    own = model is not None and bool({"Normalization", "BatchNormalization"} & set(model.first_layers))
    return Finding(
        "feature-scales",
        f"{scale}, which mostly erases {len(data.lost)} of {len(std)} {entries(data)}{of(data)}: "
        f"{listed(data, data.lost)} (a spread of {std[narrowest]:.3g}{'' if len(data.lost) == 1 else ' and more'})",
        "add --normalize-outside: what the Normalization layer does happens before the file then"
        if own
        else "train on standardised values, or with a Normalization layer first and --normalize-outside",
        sure=sure,
    )
