"""What is known about a model file, whatever its format."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edgekit.schema.types import JsonObject, JsonValue


@dataclass(frozen=True)
class Quantization:
    """`real = scale * (stored - zero_point)`.

    Attributes:
        scale: one value, or one a channel; empty where the file keeps the scale apart (ONNX MatMulInteger).
        zero_point: as many values as `scale`, at least one.
        axis: the axis of the channels; None for one pair of values for the whole tensor.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None


@dataclass(frozen=True)
class TensorInfo:
    """A tensor.

    Attributes:
        name: the signature's name for it where there is one, else the tensor's own.
        shape: sizes; -1 is dynamic.
        dtype: the NumPy name (`float32`, `int8`), also for types NumPy lacks (`int4`, `bfloat16`).
        quantization: None for a tensor of plain numbers.
        unscaled: whether its integers stand for real values by a scale that the file does not tell, or not one for all.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None
    unscaled: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class WeightInfo(TensorInfo):
    """A constant tensor that counts as parameters.

    Attributes:
        bytes: bytes of the stored values; a sparse tensor's index is not in it.
        elements: values of the whole, dense tensor.
        zeros: values that mean zero (equal to the zero point, channel by channel); None when unknown.
        unique: distinct values among those stored; None for what is not numeric or not in this file.
        sparse: whether only a part of the values is stored.
        bias: whether it is only added to what layers compute; integer biases have 32 bits or more in every scheme.
    """

    bytes: int
    elements: int
    zeros: int | None
    unique: int | None
    sparse: bool
    bias: bool = False


@dataclass(frozen=True)
class SignatureInfo:
    """An entry point of a TFLite file.

    Attributes:
        name: its key.
        graph: the graph that it runs.
        inputs, outputs: their names, in the order of the file.
    """

    name: str
    graph: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class FileInfo:
    """A model file.

    Attributes:
        path: the file.
        format: `tflite` or `onnx`.
        bytes: size of the file.
        gzip_bytes: size after `gzip -9`.
        inputs, outputs: of the main graph, in the order of the file.
        operators: operator name -> how often, over all graphs, most frequent first; `CUSTOM:name` for custom ones.
        parameters: sum of `elements` over `weights`.
        macs: multiply-accumulates of one inference of one sample; None when none of the operators that have some
            could be counted.
        macs_note: the operators that `macs` leaves out; empty when it is complete.
        weights: constant tensors, biases included; without shapes, axes, paddings and such, and without the scales
            and zero points that are tensors in ONNX.
        description: producer, schema version or opset, signatures and other facts, as text.
        signatures: of a TFLite file, in its order; an ONNX file has none.
    """

    path: Path
    format: str
    bytes: int
    gzip_bytes: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: dict[str, int]
    parameters: int
    macs: int | None
    macs_note: str
    weights: tuple[WeightInfo, ...]
    description: dict[str, str]
    signatures: tuple[SignatureInfo, ...] = ()

    def to_dict(self) -> JsonObject:
        """Return JSON values; a scale that is not finite becomes text, since JSON has no number for it."""
        value: JsonObject = _json(dataclasses.asdict(self))
        return value

    def parts(self) -> JsonObject:
        """Return all but the path as what JSON takes, for `of_parts`."""
        value = dataclasses.asdict(self)
        del value["path"]
        return value

    @classmethod
    def of_parts(cls, path: Path, value: JsonObject) -> FileInfo:
        """Return what `parts` was called on, under a path."""
        for key in ("inputs", "outputs"):
            value[key] = tuple(_tensor(TensorInfo, entry) for entry in value[key])
        value["weights"] = tuple(_tensor(WeightInfo, entry) for entry in value["weights"])
        value["signatures"] = tuple(
            SignatureInfo(s["name"], s["graph"], tuple(s["inputs"]), tuple(s["outputs"])) for s in value["signatures"]
        )
        return cls(path=path, **value)


_Kind = TypeVar("_Kind", bound=TensorInfo)


def _tensor(kind: type[_Kind], value: JsonObject) -> _Kind:
    q = value["quantization"]
    value["quantization"] = q and Quantization(tuple(q["scale"]), tuple(q["zero_point"]), q["axis"])
    value["shape"] = tuple(value["shape"])
    return kind(**value)


def _json(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
