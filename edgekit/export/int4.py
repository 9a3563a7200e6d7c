"""int8 files with the weights of chosen layers in int4: half the bytes where the outputs tolerate it.

A layer's int8 weights are rounded to 15 levels a channel, -7 to 7 (their scale grows, and its bias is rescaled with
it). Activations stay as they are, so ranges found by calibration or by training carry over. Which layers: each is tried
alone on the calibration samples, and they are then taken in the order of noise per byte saved, as long as the outputs
stay close to those of the int8 file.

int4 weights with float activations, or with activations quantized at run time, are not offered: tflite-runtime 2.14
refuses the first, and computes nonsense from the second without saying so. Of these files it runs those whose dense
layers stayed int8, and refuses the others.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.backend import quiet
from edgekit.errors import ConversionError
from edgekit.export.flatbuilder import rebuilt
from edgekit.export.pack import pack
from edgekit.stats import sqnr_db

SCHEMES = {"int4-dense": ("FULLY_CONNECTED",), "int4": ("FULLY_CONNECTED", "CONV_2D")}
"""Which operators may get int4 weights.

XNNPACK runs dense layers with int4 weights as fast as with int8. Convolutions with them leave it, and
such a file is slower: measure it.
"""

MIN_SQNR_DB = 20.0
"""Of the outputs, against the int8 file: an error of 1 % of the signal's power."""
MAX_SAMPLES = 200

_LEVELS = 7
_MIN_WEIGHTS = 64

Samples = npt.NDArray[np.float32]


def narrow(
    flatbuffer: bytes, scheme: str, calibration: Samples | tuple[Samples, ...], min_sqnr: float = MIN_SQNR_DB
) -> bytes:
    """Return the file with the weights of as many layers in int4 as its outputs tolerate, packed.

    Args:
        flatbuffer: a packed .tflite file with one input, in which activations and weights are int8.
        scheme: a key of `SCHEMES`.
        calibration: preprocessed samples, float32 (n, ...); at most `MAX_SAMPLES` of them, evenly spaced, are used.
        min_sqnr: of the outputs against those of `flatbuffer`, in dB.

    Raises:
        ConversionError: no layer can be int4.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    codes = {getattr(schema.BuiltinOperator, name) for name in SCHEMES[scheme]}
    layers = _layers(model, codes, schema.TensorType)
    if isinstance(calibration, tuple):
        raise ConversionError(
            f"TFLite {scheme}: is made of models with one input", f"leave {scheme} out of the schemes"
        )
    samples = calibration[:: max(1, math.ceil(len(calibration) / MAX_SAMPLES))]
    reference = _outputs(flatbuffer, samples)

    def sqnr(chosen: list[_Layer]) -> float:
        for layer in layers:
            layer.use(layer in chosen)
        return sqnr_db(reference, _outputs(rebuilt(model), samples))

    alone = {layer: sqnr([layer]) for layer in layers}
    chosen: list[_Layer] = []
    for layer in sorted(layers, key=lambda one: 10 ** (-alone[one] / 10) / len(one.int4.weights)):
        if alone[layer] >= min_sqnr and sqnr([*chosen, layer]) >= min_sqnr:
            chosen.append(layer)
    if not chosen:
        best = f"the best of {len(alone)} keeps {max(alone.values()):.0f} dB" if alone else "none has weights to narrow"
        raise ConversionError(
            f"TFLite {scheme}: no layer tolerates int4 weights: {best}, {min_sqnr:.0f} dB are needed",
            f"leave {scheme} out of the schemes; int8 is the smallest file of this model",
        )
    for layer in layers:
        layer.use(layer in chosen)
    return pack(rebuilt(model))


@dataclass(frozen=True)
class _Form:
    """The weights and bias of a layer in one of the two types: what the tensors and buffers hold."""

    type: int
    weights: npt.NDArray[np.uint8]
    scale: npt.NDArray[np.float32]
    bias: npt.NDArray[np.uint8] | None
    bias_scale: npt.NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer in both forms."""

    weights: Any
    weights_buffer: Any
    bias: Any
    bias_buffer: Any
    int8: _Form
    int4: _Form

    def use(self, narrow: bool) -> None:
        form = self.int4 if narrow else self.int8
        self.weights.type, self.weights_buffer.data = form.type, form.weights
        self.weights.quantization.scale = form.scale
        if self.bias is not None:
            self.bias_buffer.data, self.bias.quantization.scale = form.bias, form.bias_scale


def _layers(model: Any, codes: set[int], types: Any) -> list[_Layer]:
    """Return the layers of the main graph whose weights and bias are int8 and int32 constants of their own."""
    graph = model.subgraphs[0]
    uses = Counter(int(i) for g in model.subgraphs for o in g.operators for i in _inputs(o))
    holders = Counter(t.buffer for g in model.subgraphs for t in g.tensors)
    found = []
    source: Any
    weights: Any
    bias: Any
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode not in codes:
            continue
        indices = _inputs(operator)[:3]
        if any(i >= 0 and uses[i] > 1 for i in indices[1:]):
            continue
        source, weights, bias = (graph.tensors[i] if i >= 0 else None for i in (*indices, -1)[:3])
        own = [tensor for tensor in (weights, bias) if tensor is not None]
        if any(holders[tensor.buffer] > 1 for tensor in own) or not _fits(model, source, weights, bias, types):
            continue
        bias_buffer = None if bias is None else model.buffers[bias.buffer]
        buffer = model.buffers[weights.buffer]
        int8 = _Form(
            types.INT8,
            buffer.data,
            weights.quantization.scale,
            None if bias_buffer is None else bias_buffer.data,
            None if bias is None else bias.quantization.scale,
        )
        int4 = _narrowed(int8, types.INT4, weights.quantization.quantizedDimension, weights.shape)
        found.append(_Layer(weights, buffer, bias, bias_buffer, int8, int4))
    return found


def _inputs(operator: Any) -> list[int]:
    return [] if operator.inputs is None else [int(i) for i in operator.inputs]


def _fits(model: Any, source: Any, weights: Any, bias: Any, types: Any) -> bool:
    return (
        source.type == types.INT8
        and weights.type == types.INT8
        and model.buffers[weights.buffer].data is not None
        and len(model.buffers[weights.buffer].data) >= _MIN_WEIGHTS
        and weights.sparsity is None
        and weights.quantization is not None
        and weights.quantization.scale is not None
        and not np.any(weights.quantization.zeroPoint)
        and (bias is None or (bias.type == types.INT32 and model.buffers[bias.buffer].data is not None))
    )


def _narrowed(int8: _Form, type_: int, axis: int, shape: npt.NDArray[np.int32]) -> _Form:
    values = int8.weights.view(np.int8).reshape(shape).astype(np.float64)
    scale = int8.scale.astype(np.float64)
    columns = np.moveaxis(values, axis, 0).reshape(len(scale), -1)
    peak = np.abs(columns).max(axis=1)
    growth = np.where(peak > 0, peak / _LEVELS, 1.0)  # of the scale
    along = growth if len(growth) == 1 else growth.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    levels = np.rint(values / along).astype(np.int8).ravel()
    bias = bias_scale = None
    if int8.bias is not None and int8.bias_scale is not None:
        bias = np.rint(int8.bias.view("<i4") / growth).astype("<i4").view(np.uint8)
        bias_scale = (int8.bias_scale * growth).astype(np.float32)
    return _Form(type_, pack_nibbles(levels), (scale * growth).astype(np.float32), bias, bias_scale)


def pack_nibbles(values: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """Store two values of -8 to 7 in a byte, the first in the low half; the last half may be left zero."""
    halves = np.append(values, np.zeros(len(values) % 2, np.int8)).view(np.uint8) & np.uint8(15)
    return (halves[::2] | halves[1::2] << 4).astype(np.uint8)


def _outputs(flatbuffer: bytes, samples: Samples) -> npt.NDArray[np.float64]:
    try:
        with quiet():
            return _run(flatbuffer, samples)
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"TFLite int4: ai-edge-litert cannot run the file: {str(error).strip()[:300]}") from error


def _run(flatbuffer: bytes, samples: Samples) -> npt.NDArray[np.float64]:
    """Run the samples; returns the outputs in real units, float64 (n, all outputs in a row)."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
    interpreter.allocate_tensors()
    [source] = interpreter.get_input_details()
    scale, zero_point = source["quantization"]
    limits = np.iinfo(source["dtype"])
    rows = []
    for sample in np.clip(np.rint(samples / scale) + zero_point, limits.min, limits.max).astype(source["dtype"]):
        interpreter.reset_all_variables()  # LSTMs keep their state
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        row = []
        for target in interpreter.get_output_details():
            raw, (step, offset) = interpreter.get_tensor(target["index"]).ravel(), target["quantization"]
            row.append((raw.astype(np.float64) - offset) * (step or 1.0))
        rows.append(np.concatenate(row))
    return np.asarray(rows)
