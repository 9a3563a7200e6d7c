"""The schemes in which a recipe may ask for files: one row each. A new scheme is one function and one row here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FORMATS = ("tflite", "onnx", "c")
FLOAT_BITS = 32


class Source(StrEnum):
    """What a file is made from, and so what its function does."""

    FLOAT = "the float model"
    """The function sets a TFLiteConverter up."""
    SAMPLES = "calibration samples"
    """The same; the ranges of activations are chosen from samples."""
    INT8 = "the int8 file"
    """The function makes the file from the bytes of the int8 file, the scheme's name and the samples."""


@dataclass(frozen=True)
class SchemeRow:
    """How numbers are held in a file.

    Attributes:
        where: the function, as `module:function`.
        source: what it works on.
        holds: what is held how, for the docs.
        formats: of `FORMATS`, in which it is written.
        made: how it is made of its source, for the manifest; empty where the source tells.
        weight_bits: its weights are stored in so many bits or fewer.
        whole: whether nearly all of them are; else small ones stay float on purpose.
    """

    where: str
    source: Source
    holds: str
    formats: tuple[str, ...] = ("tflite",)
    made: str = ""
    weight_bits: int = 8
    whole: bool = True


INT4 = "then int4 weights where the outputs tolerate them"
SCHEMES = {
    "float32": SchemeRow(
        "edgekit.export.tflite.convert:float32",
        Source.FLOAT,
        "everything in float32",
        ("tflite", "onnx"),
        weight_bits=FLOAT_BITS,
    ),
    "float16": SchemeRow(
        "edgekit.export.tflite.convert:float16", Source.FLOAT, "weights in float16", weight_bits=16, whole=False
    ),
    "dynamic": SchemeRow(
        "edgekit.export.tflite.convert:dynamic", Source.FLOAT, "weights in int8, activations in float", whole=False
    ),
    "int8": SchemeRow(
        "edgekit.export.tflite.convert:int8",
        Source.SAMPLES,
        "everything in int8, inputs and outputs too; weights with a scale a channel",
        FORMATS,
    ),
    "int16x8": SchemeRow(
        "edgekit.export.tflite.convert:int16x8",
        Source.SAMPLES,
        "activations in int16, weights in int8; slow on most processors",
    ),
    "int4-dense": SchemeRow(
        "edgekit.export.tflite.int4:narrow",
        Source.INT8,
        "as int8, with the dense layers that tolerate it in int4",
        made=INT4,
    ),
    "int4": SchemeRow(
        "edgekit.export.tflite.int4:narrow",
        Source.INT8,
        "as int8, with the dense layers and convolutions that tolerate it in int4",
        made=INT4,
    ),
}
"""By the name under `schemes`, in the order in which files are listed."""


def from_int8(scheme: str) -> bool:
    """Return whether a file is the int8 file, or made from it."""
    return scheme == "int8" or SCHEMES[scheme].source is Source.INT8
