"""Biases of an int8 ONNX graph that take back what rounding and saturation add: see `edgekit.export.biases`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.export.biases import clearly_nearer, samples_for, shifted
from edgekit.export.onnx.counterparts import counterparts
from edgekit.export.onnx.qdq import Qdq
from edgekit.export.onnx.tracing import Rows, Scales, traced
from edgekit.export.tflite.nearness import nearness_db, parted
from edgekit.formats.types import OnnxModel
from edgekit.tasks.samples import Array
from edgekit.tasks.scoring import real

Reals = npt.NDArray[np.float64]

_LAYERS = ("Conv", "ConvTranspose", "Gemm")
"""Operators with a bias a channel of their output's second axis, as their third input."""
_BIAS = 2


@dataclass(frozen=True)
class _Layer:
    """A layer whose bias can be changed.

    Attributes:
        output: the name of what it computes in the int8 graph, as integers if it is quantized.
        reference: of the same values in the float graph.
        bias: the constant, int32.
        scale: of that, for every channel or one for all.
        level: how many such layers stand before it on the longest way from the inputs.
    """

    output: str
    reference: str
    bias: str
    scale: Array
    level: int


def nearer(model: OnnxModel, source: OnnxModel, rows: Rows, scales: Scales) -> tuple[OnnxModel, str]:
    """Return an int8 model with corrected biases where its outputs come clearly nearer to the float model's.

    Args:
        model: as of `corrected`.
        source: the same.
        rows: the same; some are held apart, where there are enough, and the models compared on those.
        scales: the same.

    Returns:
        The model, and what was done to it: `biases corrected (24.1 to 30.0 dB)`, or nothing.
    """
    [fitting], [held] = parted([np.arange(len(rows))])
    try:
        made = corrected(model, source, [rows[i] for i in fitting], scales)
        if made is None:
            return model, ""
        judged = [rows[i] for i in held]
        true = outputs(source, judged, {})
        before, after = (nearness_db(true, outputs(each, judged, scales)) for each in (model, made))
    except (RuntimeError, ValueError):  # onnxruntime does not run one of them
        return model, ""
    note = clearly_nearer(before, after)
    return (made, note) if note else (model, "")


def corrected(model: OnnxModel, source: OnnxModel, rows: Rows, scales: Scales) -> OnnxModel | None:
    """Return an int8 model with the means of its layers' channels brought to those of the float model.

    Args:
        model: an onnx.ModelProto in QDQ form; not changed.
        source: the float model that it was made of, as the quantizer took it, its shapes inferred.
        rows: samples; some are used.
        scales: of the integer inputs of the int8 model.

    Returns:
        The model; None where there is no layer to correct.

    Raises:
        RuntimeError, ValueError: onnxruntime refuses a model or the samples.
    """
    from onnx import numpy_helper

    layers = list(_layers(model, source))
    if not layers:
        return None
    levels = sorted({layer.level for layer in layers})
    used = rows[:: -(-len(rows) // samples_for(len(levels)))]
    wanted = _means(source, [layer.reference for layer in layers], used, {})
    made = type(model).FromString(model.SerializeToString())
    constants = {tensor.name: tensor for tensor in made.graph.initializer}
    stored = Qdq(model.graph).stored
    for level in levels:
        chosen = [(layer, mean) for layer, mean in zip(layers, wanted, strict=True) if layer.level == level]
        found = _means(made, [layer.output for layer, _ in chosen], used, scales)
        for (layer, true), mean in zip(chosen, found, strict=True):
            how = stored.get(layer.output)
            mean = mean if how is None else (mean - how.zero_point) * how.scale
            bias = constants[layer.bias]
            moved = shifted(numpy_helper.to_array(bias), layer.scale, true - mean)
            bias.CopyFrom(numpy_helper.from_array(moved, layer.bias))
    return made


def outputs(model: OnnxModel, rows: Rows, scales: Scales) -> list[Array]:
    """Return the outputs of a model for samples, in real units, float64 (n, values) each.

    Args:
        model: float, or int8 in QDQ form.
        rows: the samples.
        scales: of its integer inputs and outputs.

    Raises:
        RuntimeError, ValueError: onnxruntime refuses the model or the samples.
    """
    names = [value.name for value in model.graph.output]
    found: list[list[Array]] = [[] for _ in names]
    for row in traced(model, names, rows, scales):
        for values, name, array in zip(found, names, row, strict=True):
            how = scales.get(name) if array.dtype.kind in "iu" else None
            values.append(real(array, None if how is None else {"scale": how[0], "zero_point": how[1]}).ravel())
    return [np.stack(values) for values in found]


def _layers(model: OnnxModel, source: OnnxModel) -> Iterator[_Layer]:
    """Yield the layers with an int32 bias of their own whose output is found in the float graph."""
    qdq = Qdq(model.graph)
    values = counterparts(qdq, source.graph).values
    floats = {name for node in source.graph.node for name in node.output}
    levels: dict[int, int] = {}
    for group in sorted(qdq.groups, key=lambda group: group.nodes[0]):
        level = max((levels.get(number, 0) for number in group.inputs), default=0)
        layer = None
        if len(group.outputs) == 1 and values.get(group.outputs[0]) in floats:
            [number] = group.outputs
            kept = [name for name in qdq.stored if qdq.numbers.get(name) == number]
            kept += [name for name in qdq.outputs if qdq.numbers.get(name) == number]
            biases = [found for index in group.nodes if (found := _bias(qdq, index)) is not None]
            if kept and len(biases) == 1:
                layer = _Layer(kept[0], values[number], *biases[0], level)
        if layer is not None:
            yield layer
        levels |= dict.fromkeys(group.outputs, level + (layer is not None))


def _bias(qdq: Qdq, index: int) -> tuple[str, Array] | None:
    """Return the int32 constant that a node alone reads as its bias, and its scale; None if there is none."""
    node = qdq.nodes[index]
    name = node.input[_BIAS] if node.op_type in _LAYERS and len(node.input) > _BIAS else ""
    found = qdq.dequantized(name) if name else None
    if found is None or found[0].dtype != np.int32 or found[2].any():
        return None
    stored = qdq.nodes[qdq.makers[name]].input[0]
    alone = len(qdq.readers[name]) == len(qdq.readers[stored]) == 1
    return (stored, found[1].ravel()) if alone else None


def _means(model: OnnxModel, wanted: Sequence[str], rows: Rows, scales: Scales) -> list[Reals]:
    """Return the mean of every channel, the second axis, of values over samples, as they are stored."""
    sums: list[Reals] = [np.zeros(1) for _ in wanted]
    for row in traced(model, wanted, rows, scales):
        for place, values in enumerate(row):
            axes = tuple(axis for axis in range(values.ndim) if axis != 1)
            sums[place] = sums[place] + values.mean(axis=axes, dtype=np.float64)
    return [total / len(rows) for total in sums]
