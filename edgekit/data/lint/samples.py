"""Shapes of samples, and values in them that never change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgekit.data.lint.check import FedInput
from edgekit.data.lint.finding import Finding, entries, listed, of, samples
from edgekit.tasks.heads import fits

MANY_BYTES = 64
"""Of a sample: so many in a row are pixels."""
CONSTANT = 0.01
"""Of the samples."""


def order_findings(fed: FedInput) -> Iterator[Finding]:
    """Yield whether samples and model disagree on which axis holds the channels."""
    data, model = fed.data, fed.model
    if model is None or model.shape is None or {len(data.shape), len(model.shape)} != {3}:
        return
    if fits(data.shape, model.shape):
        return
    shapes = f"{samples(data)} have shape {data.shape}, the model takes {_text(model.shape)}"
    height, width, channels = data.shape
    if fits((width, channels, height), model.shape):
        yield Finding(
            "channel-order",
            f"{shapes}: channels first against last",
            "store them channels last: x.transpose(0, 2, 3, 1)",
        )
    elif fits((channels, height, width), model.shape):
        yield Finding(
            "channel-order",
            f"{shapes}: channels last against first",
            "add --layout NCHW",
        )


def constant_samples(fed: FedInput) -> Iterator[Finding]:
    """Yield whether many samples have the same value everywhere."""
    data = fed.data
    if len(data.shape) > 1 and data.constant_samples > CONSTANT * data.looked:
        yield Finding(
            "constant-samples",
            f"{data.constant_samples} of {data.looked} samples looked at{of(data)} have the same value everywhere "
            f"({data.constant_samples / data.looked:.1%})",
            "remove empty samples, or look at how they were read",
        )


def constant_features(fed: FedInput) -> Iterator[Finding]:
    """Yield which features or channels never change."""
    data, model = fed.data, fed.model
    # The last axis of two may be that of channels, or of an image's columns, whose borders never change.
    if len(data.std) < 2 or len(data.shape) == 2 or (model is not None and model.vocabulary is not None):
        return
    if data.stored_dtype == "uint8" and len(data.shape) == 1 and len(data.std) >= MANY_BYTES:
        return  # an image row by row: its borders never change, either
    still = np.flatnonzero(np.array(data.std) == 0)
    if len(still):
        yield Finding(
            "constant-features",
            f"{len(still)} of {len(data.std)} {entries(data)}{of(data)} never change: {listed(data, still)}",
            "leave them out: the model can learn nothing from them",
        )


def _text(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
