"""Divisions in int8 files, which compute in float32.

TFLite's int8 kernel of DIV takes a divisor that rounds to zero for an error: a file that ran on all samples ends the
inference of another one (tensorflow/lite/kernels/div.cc). Before that, a divisor of n steps is off by 1/2n of itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.export.tflite.bias import Noted
from edgekit.export.tflite.dataflow import Dataflow
from edgekit.export.tflite.revertible import revertible
from edgekit.export.tflite.reverting import unpacked

_DIVISIONS = ("DIV", "FLOOR_DIV", "FLOOR_MOD")


def divided_in_float(flatbuffer: bytes) -> Noted:
    """Return an int8 file whose divisions compute in float32, and which they are; without one, its bytes as they are.

    Args:
        flatbuffer: a .tflite file with int8 activations, as the converter writes it.
    """
    flow = Dataflow(flatbuffer)
    divisions = [index for index in revertible(flow) if flow.kinds[index] in _DIVISIONS]
    if not divisions:
        return Noted(flatbuffer)
    return Noted(
        unpacked(flatbuffer, divisions, float_weights=False), said_in_float(flow.kinds[index] for index in divisions)
    )


def said_in_float(kinds: Iterable[str]) -> str:
    """Return what is to be said of operators, such as `DIV in float`."""
    return f"{', '.join(sorted(set(kinds)))} in float"
