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

import numpy as np
import numpy.typing as npt

from edgekit.errors import ConversionError
from edgekit.export.tflite.int8_layers import Form, Layer, int8_layers
from edgekit.export.tflite.nearness import outputs, some
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.tflite.pack import pack
from edgekit.formats.types import TfliteModel, TfliteObject, TfliteSchema
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
MIN_WEIGHTS = 64
"""Of a layer, below which it stays int8."""

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
        raise several_inputs(scheme, len(calibration))
    [samples] = some([calibration], MAX_SAMPLES)
    reference = _outputs(flatbuffer, samples)

    def sqnr(chosen: list[Layer]) -> float:
        for layer in layers:
            layer.use(layer in chosen)
        return sqnr_db(reference, _outputs(rebuilt(model), samples))

    alone = {layer: sqnr([layer]) for layer in layers}
    chosen: list[Layer] = []
    for layer in sorted(layers, key=lambda one: 10 ** (-alone[one] / 10) / len(one.other.weights)):
        if alone[layer] >= min_sqnr and sqnr([*chosen, layer]) >= min_sqnr:
            chosen.append(layer)
    if not chosen:
        best = f"the best of {len(alone)} keeps {max(alone.values()):.0f} dB" if alone else "none has weights to narrow"
        raise ConversionError(
            f"TFLite {scheme}: no layer tolerates int4 weights: {best}, expected at least {min_sqnr:.0f} dB",
            f"leave {scheme} out of the schemes; int8 is the smallest file of this model",
            code="int4-not-tolerated",
        )
    for layer in layers:
        layer.use(layer in chosen)
    return pack(rebuilt(model))


def several_inputs(scheme: str, count: int) -> ConversionError:
    """Return the error for a model with several inputs."""
    return ConversionError(
        f"TFLite {scheme} supports single-input models only, this one has {count} inputs",
        f"leave {scheme} out of the schemes",
        code="int4-single-input",
    )


def _layers(model: TfliteModel, codes: set[int], types: TfliteSchema) -> list[Layer]:
    """Return the layers that may become narrow, in both types."""
    return [
        Layer(model, weights, bias, int8, _narrowed(int8, types.INT4, weights.quantization, weights.shape))
        for weights, bias, int8 in int8_layers(model, codes)
        if len(int8.weights) >= MIN_WEIGHTS
    ]


def _narrowed(int8: Form, type_: int, how: TfliteObject, shape: npt.NDArray[np.int32]) -> Form:
    values = int8.weights.view(np.int8).reshape(shape).astype(np.float64)
    scale = int8.scale.astype(np.float64)
    axis = how.quantizedDimension
    columns = np.moveaxis(values, axis, 0).reshape(len(scale), -1)
    peak = np.abs(columns).max(axis=1)
    growth = np.where(peak > 0, peak / _LEVELS, 1.0)  # of the scale
    along = growth if len(growth) == 1 else growth.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    levels = np.rint(values / along).astype(np.int8).ravel()
    bias = bias_scale = None
    if int8.bias is not None and int8.bias_scale is not None:
        bias = np.rint(int8.bias.view("<i4") / growth).astype("<i4").view(np.uint8)
        bias_scale = (int8.bias_scale * growth).astype(np.float32)
    return Form(type_, pack_nibbles(levels), (scale * growth).astype(np.float32), bias, bias_scale)


def pack_nibbles(values: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """Store two values of -8 to 7 in a byte, the first in the low half; the last half may be left zero."""
    halves = np.append(values, np.zeros(len(values) % 2, np.int8)).view(np.uint8) & np.uint8(15)
    return (halves[::2] | halves[1::2] << 4).astype(np.uint8)


def _outputs(flatbuffer: bytes, samples: Samples) -> npt.NDArray[np.float64]:
    """Run the samples; return the outputs in real units, (n, all outputs in a row)."""
    try:
        return np.concatenate(outputs(flatbuffer, [samples]), axis=1)
    except (RuntimeError, ValueError) as error:
        raise ConversionError(
            f"TFLite int4: ai-edge-litert cannot run the int8 file: {str(error).strip()[:300]}",
            code="file-not-runnable",
        ) from error
