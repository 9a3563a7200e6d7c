"""Exponentials whose int8 steps hide what they are of.

Where inputs reach 5.6, exp(x) reaches more than 255: a step of int8 is more than 1 then. All inputs below -0.7, whose
exponential is less than half of a step, become the same number.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.formats.tflite.flatbuffer import Damaged, Walker
from edgekit.formats.tflite.graph import parse, quantization

_LEVELS = 256


@dataclass(frozen=True)
class Coarse:
    """An exponential of an int8 file.

    Attributes:
        name: of the tensor that it makes.
        step: of its int8 values.
    """

    name: str
    step: float

    @property
    def largest(self) -> float:
        """The largest value that int8 has for it."""
        return (_LEVELS - 1) * self.step


def coarse_exponentials(data: bytes) -> list[Coarse]:
    """Return the EXP operators of a .tflite file that compute int8 values in steps of 1 or more.

    Args:
        data: the file. Nothing is returned of one that cannot be read.
    """
    walk = Walker(len(data))
    try:
        found = []
        for graph in parse(data, walk).graphs:
            for operator in graph.operators:
                for tensor in (graph.tensors[i] for i in operator.outputs if operator.name == "EXP"):
                    scales = quantization(tensor, walk)
                    if tensor.dtype == "int8" and scales is not None and scales.scale[:1] >= (1.0,):
                        found.append(Coarse(walk.text(tensor.table, "Name"), float(scales.scale[0])))
    except Damaged:
        return []
    return found
