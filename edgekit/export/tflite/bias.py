"""Biases of an int8 `.tflite` file that take back what rounding and saturation add: see `edgekit.export.biases`."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.export.biases import clearly_nearer, samples_for, shifted
from edgekit.export.tflite.dataflow import Dataflow
from edgekit.export.tflite.nearness import nearness_db, outputs, parted, some
from edgekit.export.tflite.tracing import traced
from edgekit.export.tflite.twins import twins
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.tflite.flatbuffer import Damaged
from edgekit.formats.tflite.pack import READING
from edgekit.formats.types import TfliteModel, TfliteObject
from edgekit.tasks.samples import Array

Arrays = Sequence[Array]
Reals = npt.NDArray[np.float64]

_BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3, "CONV_3D": 2}
"""Operators with a bias a channel of their output's last axis, and where it stands among the inputs."""
_ROUNDING = {"QUANTIZE", "FAKE_QUANT"}
"""Operators of a float file that was trained with fake quantization."""


@dataclass(frozen=True)
class _Layer:
    """A layer of the int8 file whose bias can be changed.

    Attributes:
        place: among the operators.
        output: the tensor that it computes.
        reference: the same tensor in the float file.
        bias: the tensor of its bias.
        values: of that, as stored, (channels,).
        level: how many such layers stand before it on the longest way from the inputs.
    """

    place: int
    output: int
    reference: int
    bias: TfliteObject
    values: npt.NDArray[np.int32]
    level: int


@dataclass(frozen=True)
class Noted:
    """A quantized file.

    Attributes:
        data: the file.
        note: what was done to it besides, such as `biases corrected (24.1 to 30.0 dB)`; empty for nothing.
    """

    data: bytes
    note: str = ""


def nearer(flatbuffer: bytes, float_file: bytes, samples: Arrays) -> Noted:
    """Return an int8 file with corrected biases where its outputs come clearly nearer to the float file's.

    Args:
        flatbuffer: as of `corrected`.
        float_file: the same.
        samples: the same; some are held apart, where there are enough, and the files compared on those.
    """
    try:
        fitting, held = parted(samples)
        made = corrected(flatbuffer, float_file, fitting)
        if made is flatbuffer:
            return Noted(flatbuffer)
        true = outputs(float_file, held)
        before, after = (nearness_db(true, outputs(data, held)) for data in (flatbuffer, made))
    except (RuntimeError, Damaged, *READING):  # the interpreter does not run one of them
        return Noted(flatbuffer)
    note = clearly_nearer(before, after)
    return Noted(made, note) if note else Noted(flatbuffer)


def corrected(flatbuffer: bytes, float_file: bytes, samples: Arrays) -> bytes:
    """Return an int8 file with the means of its layers' channels brought to those of the float file.

    Args:
        flatbuffer: the int8 file, packed or not; some operators may compute in float.
        float_file: what it was made of.
        samples: one array an input, (n, ...), in the order of the files, in real units; some of them are used.

    Returns:
        The file; its bytes as they are where it has no layer to correct, and where the float file has values that
        fake quantization rounded: training has seen what they do.

    Raises:
        RuntimeError, ValueError: the interpreter refuses a file or the samples.
        Damaged, or one of `READING`: a file makes no sense.
    """
    small, plain = Dataflow(flatbuffer), Dataflow(float_file)
    layers = [] if _ROUNDING.intersection(plain.kinds) else list(_layers(small, plain))
    if not layers:
        return flatbuffer
    model, levels = small.model, sorted({layer.level for layer in layers})
    used = some(samples, samples_for(len(levels)))
    wanted = _means(plain.model, [layer.reference for layer in layers], used)
    for level in levels:
        chosen = [i for i, layer in enumerate(layers) if layer.level == level]
        part = _first(model, [layers[i] for i in chosen])
        for i, mean in zip(chosen, _means(part, [layers[i].output for i in chosen], used), strict=True):
            bias, values = layers[i].bias, layers[i].values
            moved = shifted(values, bias.quantization.scale, wanted[i] - mean)
            model.buffers[bias.buffer].data = moved.astype("<i4").view(np.uint8)
    return rebuilt(model)


def _first(model: TfliteModel, layers: Sequence[_Layer]) -> TfliteModel:
    """Return the model up to some layers, whose outputs are its outputs."""
    part, graph = copy.copy(model), copy.copy(model.subgraphs[0])
    graph.operators = graph.operators[: 1 + max(layer.place for layer in layers)]
    graph.outputs = np.array([layer.output for layer in layers], np.int32)
    part.subgraphs = [graph, *model.subgraphs[1:]]
    return part


def _layers(small: Dataflow, plain: Dataflow) -> Iterator[_Layer]:
    """Yield the layers with an int32 bias of their own whose output is found in the float file."""
    same = twins(small, plain).activations
    uses = Counter(tensor for reads in small.inputs for tensor in reads)
    holders = Counter(tensor.buffer for graph in small.model.subgraphs for tensor in graph.tensors)
    levels: dict[int, int] = {}
    for place, (kind, reads, made) in enumerate(zip(small.kinds, small.inputs, small.outputs, strict=True)):
        level = max((levels.get(tensor, 0) for tensor in reads), default=0)
        index = [*reads, -1, -1][_BIAS[kind]] if kind in _BIAS else -1
        layer = None
        if index >= 0 and made[0] in same and uses[index] == holders[small.tensors[index].buffer] == 1:
            values = _values(small, index)
            if values is not None and len(values) == small.shape(made[0])[-1]:
                layer = _Layer(place, made[0], same[made[0]], small.tensors[index], values, level)
        if layer is not None:
            yield layer
        levels |= dict.fromkeys(made, level + (layer is not None))


def _values(flow: Dataflow, index: int) -> npt.NDArray[np.int32] | None:
    """Return the values of an int32 bias, where it is a constant with a scale for every channel, or one for all."""
    bias = flow.tensors[index]
    data, how = flow.model.buffers[bias.buffer].data, bias.quantization
    if flow.dtype(index) != "INT32" or data is None or how is None or how.scale is None:
        return None
    values = np.asarray(data, np.uint8).view("<i4")
    return values if len(how.scale) in (1, len(values)) else None


def _means(model: TfliteModel, wanted: Sequence[int], samples: Arrays) -> list[Reals]:
    """Return the mean of every channel, the last axis, of tensors over samples, in real units; the model changes."""
    graph = model.subgraphs[0]
    sums: list[Reals] = [np.zeros(1) for _ in wanted]
    for row in traced(model, wanted, samples):
        for place, values in enumerate(row):
            sums[place] = sums[place] + values.reshape(-1, values.shape[-1]).mean(axis=0, dtype=np.float64)
    means = [total / len(samples[0]) for total in sums]
    for place, index in enumerate(wanted):
        how = graph.tensors[index].quantization
        if how is not None and how.scale is not None:
            means[place] = (means[place] - float(how.zeroPoint[0])) * float(how.scale[0])
    return means
