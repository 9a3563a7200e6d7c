"""Biases of int8 files that take back what rounding and saturation add to each channel on average: of both formats.

Rounded weights, and ranges that cut values off, shift the mean of a layer's output channels; the layers behind get the
shift of all before them. The mean of a channel is measured in the float and in the int8 file over samples, and the
difference goes into the layer's int32 bias, one layer after the other, so that each meets inputs that are corrected
already (Nagel et al. 2019, arXiv 1906.04721, section 4.2 and appendix D: empirical bias correction). The file gets no
byte longer and no operation slower.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgekit.tasks.samples import Array

LEAST_GAIN_DB = 1.0
"""Of the outputs' SQNR, for the biases to be changed unasked: less may be chance."""
_MOST_SAMPLES, _LEAST_SAMPLES, _RUNS = 32, 8, 512
"""Samples that means are measured on: of a convolution every place of a sample counts. Between them a file is run so
often, about."""


def samples_for(levels: int) -> int:
    """Return on how many samples means are measured in a file with so many layers, one behind the other."""
    return min(_MOST_SAMPLES, max(_LEAST_SAMPLES, _RUNS // levels))


def clearly_nearer(before: float, after: float) -> str:
    """Return a note that biases were corrected, or nothing where that brought too little.

    Args:
        before: SQNR of the outputs against the float file's, in dB.
        after: the same, with corrected biases.
    """
    if not (after > before and after >= before + LEAST_GAIN_DB):  # two infinities are no gain
        return ""
    return f"biases corrected ({before:.1f} to {after:.1f} dB)"


def shifted(values: npt.NDArray[np.int32], scale: Array, by: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Return a bias with something added; what int32 cannot hold, or is not finite, stays as it is.

    Args:
        values: as stored, (channels,).
        scale: of them, for every channel or one for all.
        by: what to add, (channels,), in real units.
    """
    moved = values + np.rint(by / np.asarray(scale, np.float64))
    fits = np.isfinite(moved) & (np.abs(moved) <= np.iinfo(np.int32).max)
    return np.where(fits, moved, values).astype(np.int32)
