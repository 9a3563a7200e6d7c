"""Dense layers of an int8 file with one scale in place of one a channel, where that costs nothing measurable.

A channel takes 24 bytes of scales and zero points: 4 + 8 for its weights and 4 + 8 for its bias (in a packed file
nearer to 8, since zero points are alike). For convolutions, which use a weight again and again, that is little; of
small dense layers it is a part of the file that tells. Their weights are alike enough in range, mostly, that one scale
does. Whether it does is measured on the file's outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edgekit.export.tflite.int8_layers import Form, Layer, int8_layers
from edgekit.export.tflite.nearness import Outputs, nearness_db, outputs, some
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.tflite.pack import pack
from edgekit.formats.types import TfliteModel, TfliteSchema
from edgekit.tasks.samples import Array

Arrays = Sequence[Array]

MOST_LOSS_DB = 0.2
"""Of the outputs' SQNR against the float file: 5 % more noise, a thirtieth of a bit."""
PLENTY_DB, MORE_LOSS_DB = 40.0, 1.5
"""Where the noise stays below a hundredth of the outputs' amplitude, this much is given for fewer bytes."""
_MOST_ALONE = 32
"""So many layers are tried one by one, to begin with those that cost least; of more the rounding noise tells."""
LEAST_GAIN = 0.01
"""Of the file's bytes."""
_CHANNEL = 8
"""Bytes of scales: zero points, which are all zero, stand in a packed file once for layers of the same width."""


def one_scale(flatbuffer: bytes, reference: Callable[[], bytes], samples: Arrays) -> bytes:
    """Return an int8 file with one scale for the weights of as many dense layers as its outputs allow, packed.

    Args:
        flatbuffer: a packed .tflite file in which activations and weights are int8.
        reference: returns the float .tflite file of the same model; called only where there is something to gain.
        samples: one array an input, (n, ...), in the order of the files, in real units; some of them are used.

    Returns:
        The file as it was, where too little is gained or the interpreter does not run it.
    """
    from ai_edge_litert import schema_py_generated as schema

    if gain_in_bytes(flatbuffer) < LEAST_GAIN * len(flatbuffer):
        return flatbuffer
    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    try:
        inputs, source = some(samples), reference()
        true = outputs(source, inputs)
        now = nearness_db(true, outputs(flatbuffer, inputs))
        if now == -math.inf:  # the float file's outputs are not finite: nothing can be measured
            return flatbuffer
        made = _most(model, _layers(model, schema, _float_weights(source, schema)), true, inputs, floor_db(now))
    except (RuntimeError, ValueError):
        return flatbuffer
    return made if len(made) <= (1 - LEAST_GAIN) * len(flatbuffer) else flatbuffer


def floor_db(now: float) -> float:
    """Return the SQNR that a file with fewer scales must keep, of that of the file with all of them."""
    return min(now - MOST_LOSS_DB, max(now - MORE_LOSS_DB, PLENTY_DB))


def gain_in_bytes(flatbuffer: bytes) -> int:
    """Return how many bytes one scale in every dense layer of an int8 file would save, about."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    return sum(_CHANNEL * (len(layer.weights.quantization.scale) - 1) for layer in _layers(model, schema))


def _most(model: TfliteModel, layers: list[Layer], true: Outputs, inputs: Arrays, floor: float) -> bytes:
    """Return the file with one scale in the most layers, beginning with those that cost least."""

    def file(chosen: Sequence[Layer]) -> bytes:
        for layer in layers:
            layer.use(layer in chosen)
        return rebuilt(model)

    def near(chosen: Sequence[Layer]) -> float:
        return nearness_db(true, outputs(file(chosen), inputs))

    if near(layers) >= floor:
        return pack(file(layers))
    if len(layers) <= _MOST_ALONE:
        alone = {layer: near([layer]) for layer in layers}
        order = sorted(layers, key=lambda layer: -alone[layer])
    else:
        order = sorted(layers, key=lambda layer: layer.noise)
    low, high = 0, len(order) - 1  # `low` layers are known to do
    while low < high:
        count = (low + high + 1) // 2
        if near(order[:count]) >= floor:
            low = count
        else:
            high = count - 1
    return pack(file(order[:low]))


def _float_weights(flatbuffer: bytes, schema: TfliteSchema) -> list[npt.NDArray[np.float32]]:
    """Return the float constants of two axes, which weights of dense layers are."""
    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    return [
        np.asarray(model.buffers[tensor.buffer].data, np.uint8).view("<f4").reshape(tensor.shape)
        for tensor in model.subgraphs[0].tensors
        if tensor.type == schema.TensorType.FLOAT32
        and model.buffers[tensor.buffer].data is not None
        and tensor.shape is not None
        and len(tensor.shape) == 2
        and tensor.sparsity is None
    ]


def _layers(model: TfliteModel, schema: TfliteSchema, true: Sequence[npt.NDArray[np.float32]] = ()) -> list[Layer]:
    """Return the dense layers with a scale a channel, in both forms.

    Args:
        model: the int8 file.
        schema: of its tables.
        true: float weights to round anew; those of a layer are known by their values.
    """
    found = []
    for weights, bias, now in int8_layers(model, {schema.BuiltinOperator.FULLY_CONNECTED}):
        if len(now.scale) > 1 and not weights.quantization.quantizedDimension:
            then, noise = _with_one_scale(now, true)
            if then is not None:
                found.append(Layer(model, weights, bias, now, then, noise))
    return found


def _with_one_scale(form: Form, true: Sequence[npt.NDArray[np.float32]]) -> tuple[Form | None, float]:
    """Return the other form and its noise; none for a bias that would not fit 32 bits."""
    scale = form.scale.astype(np.float64)
    real = np.asarray(form.weights, np.uint8).view(np.int8).reshape(len(scale), -1) * scale[:, None]
    same = (t for t in true if t.shape == real.shape and bool((np.abs(t - real) <= 0.51 * scale[:, None]).all()))
    real = next(same, real).astype(np.float64)
    single = np.float32(np.abs(real).max() / 127)
    if not single > 0:
        return None, math.inf
    stored = np.rint(real / single).clip(-127, 127)
    noise = float(np.sum((stored * single - real) ** 2) / np.sum(real**2))
    bias = bias_scale = None
    if form.bias is not None and form.bias_scale is not None:
        step = single * (form.bias_scale[0] / form.scale[0])
        wide = np.rint(np.asarray(form.bias, np.uint8).view("<i4") * form.bias_scale.astype(np.float64) / step)
        if np.abs(wide).max(initial=0) > np.iinfo(np.int32).max:
            return None, math.inf
        bias, bias_scale = wide.astype("<i4").view(np.uint8), np.array([step], np.float32)
    weights = stored.astype(np.int8).ravel().view(np.uint8)
    return Form(form.type, weights, np.array([single], np.float32), bias, bias_scale), noise
