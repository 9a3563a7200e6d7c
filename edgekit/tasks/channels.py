"""Outputs compared channel by channel: what numbers about the whole hide.

An int8 output has one scale. Where its last axis holds values of unlike ranges, such as boxes in pixels beside scores
from 0 to 1, the small ones fall into one step; the error of the whole hardly shows it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from edgekit.schema.rules import AnyFloat, Count, Range
from edgekit.tasks.task import Head

MOST = 4096
"""Channels that are looked at; a longer last axis is a place, not a kind of value."""
MOST_OF_LIKE = 64
"""The same of an autoencoder, whose longer axes are pixels or samples of one kind."""
ERASED_DB, BELOW_DB = 6.0, 10.0
"""A channel is erased if the noise is half of its own variation, and the output as a whole is this much better."""
NAMED = 8
"""Lost channels of an output that are reported."""
CONSTANT = 1e-6
"""Variation below this share of the largest value is none."""


def channels_of(outputs: npt.NDArray[np.float64], head: Head) -> npt.NDArray[np.float64] | None:
    """Return outputs as (values, channels); None where the last axis holds no kinds of values.

    Args:
        outputs: in real units, (n, ...).
        head: what they are for. Where classes compete, small scores lose nothing by being small.
    """
    if head.competes or head.indices or outputs.ndim < 2:
        return None
    most = MOST_OF_LIKE if head.kind == "reconstruction" else MOST
    width = outputs.shape[-1]
    return outputs.reshape(-1, width) if 2 <= width <= most else None


def lost_channels(
    reference: Sequence[npt.NDArray[np.float64]], other: Sequence[npt.NDArray[np.float64]], heads: Sequence[Head]
) -> tuple[LostChannel, ...]:
    """Return the channels, and of several outputs the outputs, that a file flattens or erases.

    Args:
        reference: outputs of the float model, in real units.
        other: of the file, on the same samples.
        heads: what they are for.
    """
    found: list[LostChannel] = []
    for before, after, head in zip(reference, other, heads, strict=True):
        fitted = after.reshape(before.shape)
        if not (np.isfinite(before).all() and np.isfinite(fitted).all()):
            continue
        whole = before.reshape(-1, 1)
        if len(heads) > 1 and not head.indices:
            found += _lost(whole, fitted.reshape(-1, 1), head, whole, math.inf)
            if found and found[-1].output == head.name:
                continue  # as a whole
        columns = channels_of(before, head)
        if columns is not None:
            ratio = float(_ratios(whole, fitted.reshape(-1, 1))[0])
            found += _lost(columns, fitted.reshape(columns.shape), head, whole, ratio)[:NAMED]
    return tuple(found)


def _lost(
    before: npt.NDArray[np.float64],
    after: npt.NDArray[np.float64],
    head: Head,
    whole: npt.NDArray[np.float64],
    ratio_db: float,
) -> list[LostChannel]:
    low, high = before.min(axis=0), before.max(axis=0)
    varies = before.std(axis=0) > CONSTANT * np.maximum(np.abs(low), np.abs(high))
    flat = varies & (after.max(axis=0) == after.min(axis=0))
    ratios = _ratios(before, after)
    with np.errstate(invalid="ignore"):  # equal in one channel and as a whole
        erased = varies & (ratios < ERASED_DB) & (ratio_db - ratios >= BELOW_DB)
    full = float(whole.max() - whole.min())
    several = before.shape[1] > 1
    lost = [
        LostChannel(
            output=head.name,
            channel=int(index) if several else None,
            low=float(low[index]),
            high=float(high[index]),
            share=float((high[index] - low[index]) / full),
            flat=bool(flat[index]),
            sqnr_db=None if flat[index] else float(ratios[index]),
        )
        for index in np.flatnonzero(flat | erased)
    ]
    return sorted(lost, key=lambda channel: (not channel.flat, channel.share))


def _ratios(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return by channel how much it varies to how far it is off, in dB; infinite where it is equal."""
    noise = ((before - after) ** 2).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: npt.NDArray[np.float64] = 10 * np.log10(before.var(axis=0) / noise)
    return np.where(noise == 0, np.inf, found)


def lost_text(file: str, channel: LostChannel) -> str:
    """Return what happened to a channel, in a sentence."""
    what = f"output {channel.output}" if channel.channel is None else f"channel {channel.channel} of {channel.output}"
    how = "becomes one value" if channel.flat else f"is lost in noise ({channel.sqnr_db:.1f} dB)"
    range_ = f"{channel.low:.3g} to {channel.high:.3g} in the float model"
    part = "" if channel.channel is None else f", {channel.share:.2%} of the output's range"
    return f"{file}: {what} {how}: {range_}{part}"


SPLIT_BOXES = "--split-outputs gives boxes and scores outputs of their own, each with its own scale"
SPLIT = "give values of unlike ranges outputs of their own, or scale them to like ranges inside the model"


@dataclass(frozen=True)
class LostChannel:
    """A part of an output that a file flattens or erases, however well the whole agrees.

    Attributes:
        output: its name.
        channel: along the last axis; None for the output as a whole.
        low, high: what the float model answers, in real units.
        share: of the output's range, 0 to 1.
        flat: whether the file gives one value for all samples.
        sqnr_db: of its own variation; None where it is flat.
    """

    output: str
    channel: Count | None
    low: AnyFloat
    high: AnyFloat
    share: Annotated[float, Range(0, 1)]
    flat: bool
    sqnr_db: float | None
