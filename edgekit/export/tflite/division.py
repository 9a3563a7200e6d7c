"""Divisions in int8 files, which compute in float32.

TFLite's int8 kernel of DIV takes a divisor that rounds to zero for an error: a file that ran on all samples ends the
inference of another one (tensorflow/lite/kernels/div.cc). Before that, a divisor of n steps is off by 1/2n of itself.
No delegate for CPUs or microcontrollers' accelerators divides in int8, so nothing is lost but DEQUANTIZE and QUANTIZE.
"""

from __future__ import annotations

from edgekit.export.tflite.dataflow import Dataflow
from edgekit.export.tflite.revertible import revertible
from edgekit.export.tflite.reverting import unpacked

_DIVISIONS = ("DIV", "FLOOR_DIV", "FLOOR_MOD")


def divided_in_float(flatbuffer: bytes) -> bytes:
    """Return an int8 file whose divisions compute in float32; without one, its bytes as they are.

    Args:
        flatbuffer: a .tflite file with int8 activations, as the converter writes it.
    """
    flow = Dataflow(flatbuffer)
    divisions = [index for index in revertible(flow) if flow.kinds[index] in _DIVISIONS]
    return unpacked(flatbuffer, divisions, float_weights=False) if divisions else flatbuffer


def divisions_in(flatbuffer: bytes) -> str:
    """Return what is to be said of an int8 file with divisions, such as `2 divisions in float`; of others nothing."""
    count = sum(kind in _DIVISIONS for kind in Dataflow(flatbuffer).kinds)
    return f"{count} division{'s' if count > 1 else ''} in float" if count else ""
