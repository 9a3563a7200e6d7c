"""ONNX files: float through tf2onnx, int8 (QDQ) from the int8 TFLite or, where that fails, by static calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgekit.bundle.recipe import Recipe, named_recipes
from edgekit.errors import ConversionError
from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.onnx.child import static_int8
from edgekit.export.onnx.overflow import without_overflow
from edgekit.export.onnx.ports import note_scales, twin_scales
from edgekit.export.onnx.tidy import OPSET, tidy
from edgekit.export.onnx.tools import explained, silenced
from edgekit.export.onnx.tracing import one_by_one
from edgekit.export.onnx.widening import write_mixed
from edgekit.export.signature import Signature
from edgekit.export.tflite.convert import Calibration, by_name
from edgekit.formats.info import FileInfo
from edgekit.formats.tflite.reader import read_tflite
from edgekit.formats.types import OnnxGraph, OnnxModel, OnnxNode
from edgekit.tasks.samples import Array

FROM_TFLITE = "tf2onnx from the int8 TFLite: the same scales and weights"
STATIC = "onnxruntime static calibration of the float ONNX"
RECURRENT = ("LSTM", "RNN")
"""How the names of TFLite's operators for a whole recurrent layer end."""


def left_out(recipe: Recipe) -> str:
    """Return how to compress with a recipe but without ONNX, as a user would type it."""
    name = recipe.name.partition("+")[0]
    known = name in named_recipes()
    edit = f"edgekit recipes {name} > mine.toml; in mine.toml" if known else "in your recipe"
    use = ", and give it as --recipe mine.toml" if known else ""
    return f'TFLite alone works: {edit}, under [export], write formats = ["tflite"]{use}'


def write_float(path: Path, signature: Signature) -> str:
    """Write a float32 ONNX file and return how it was made.

    Raises:
        ConversionError: tf2onnx cannot express the model.
    """
    with explained("float32"), silenced():
        import tf2onnx

        model, _ = tf2onnx.convert.from_function(
            signature.function, input_signature=signature.inputs, opset=OPSET, custom_op_handlers={"Erfc": (_erfc, [])}
        )
        _bind_constants(model, signature)
        _save(model, path, signature)
    return "tf2onnx from the Keras model"


def _erfc(graph: OnnxGraph, node: OnnxNode, name: str, _: object) -> None:
    """Write `erfc(x)`, with which TensorFlow computes GELU, as `1 - erf(x)`: ONNX has no such operator."""
    import numpy as np

    shape, dtype = graph.get_shape(node.output[0]), graph.get_dtype(node.output[0])
    inputs, outputs = list(node.input), list(node.output)
    graph.remove_node(node.name)
    one = graph.make_const(f"{name}/one", np.ones((), np.float32)).output[0]
    erf = graph.make_node("Erf", inputs, shapes=[shape], dtypes=[dtype]).output[0]
    graph.make_node("Sub", [one, erf], name=name, outputs=outputs, shapes=[shape], dtypes=[dtype])


def _bind_constants(model: OnnxModel, signature: Signature) -> None:
    """Store the tensors that layers hold, such as the statistics of Normalization; tf2onnx makes inputs of them."""
    import numpy as np
    import onnx

    held = signature.function.get_concrete_function().graph.captures
    values = {inner.name: np.asarray(outer) for outer, inner in held if outer.dtype.is_numpy_compatible}
    for entry in [entry for entry in model.graph.input if entry.name in values]:
        model.graph.initializer.append(onnx.numpy_helper.from_array(values[entry.name], entry.name))
        model.graph.input.remove(entry)


def write_int8(
    path: Path,
    signature: Signature,
    tflite: Path,
    float_onnx: Callable[[], Path],
    calibration: Calibration,
    ranging: Ranging = MINMAX,
    *,
    unrolled: bool = False,
) -> str:
    """Write an int8 ONNX file (QDQ, int8 weights, inputs and outputs) and return how it was made.

    It is made of the int8 TFLite, or of the float ONNX by static calibration: where the first way fails, and where the
    model has recurrent layers, which tf2onnx cannot read from a TFLite file, or finds written out step by step.

    Args:
        path: the file to write.
        signature: of the model, for the names.
        tflite: the int8 TFLite of the same model, for the scales of inputs and outputs in either way.
        float_onnx: writes the float ONNX of the same model; called for the second way only.
        calibration: preprocessed samples, for the second way.
        ranging: how that chooses the ranges of activations.
        unrolled: whether recurrent layers are unrolled in the TFLite.

    Raises:
        ConversionError: neither way works; both reasons are given.
    """
    twin = read_tflite(tflite)

    def twinned() -> str:
        note = from_tflite(path, signature, tflite, twin, by_name(signature, calibration))
        return f"{FROM_TFLITE}, {note}" if note else FROM_TFLITE

    def static() -> str:
        return STATIC + static_int8(float_onnx(), path, by_name(signature, calibration), twin, ranging)

    recurrent = unrolled or any(name.endswith(RECURRENT) for name in twin.operators)
    first, second = (static, twinned) if recurrent else (twinned, static)
    try:
        return first()
    except ConversionError as error:
        try:
            return f"{second()} ({error.message})"
        except ConversionError as again:
            raise ConversionError(f"{error.message}; {again.message}", code=again.code) from again


def from_tflite(
    path: Path,
    signature: Signature,
    tflite: Path,
    twin: FileInfo | None = None,
    samples: Mapping[str, Array] | None = None,
) -> str:
    """Write the ONNX file that computes what an int8 TFLite file does; operators of that in float are in float here.

    Args:
        path: the file to write.
        signature: of the model, for the names.
        tflite: the TFLite file, its inputs and outputs int8.
        twin: what `read_tflite` returns of it, where that is known.
        samples: preprocessed, (n, ...), by the name of the input: by them layers get uint8 weights that need them.

    Returns:
        What was done besides; see `without_overflow`.

    Raises:
        ConversionError: tf2onnx cannot express it, or onnxruntime cannot load the result.
    """
    with explained("int8 from TFLite"), silenced():
        import onnxruntime
        import tf2onnx

        model, _ = tf2onnx.convert.from_tflite(str(tflite), opset=OPSET, custom_op_handlers={"TFL_GELU": (_gelu, [])})
        note = _save(model, path, signature, twin or read_tflite(tflite), samples)
        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return note


def _gelu(graph: OnnxGraph, node: OnnxNode, name: str, _: object) -> None:
    """Write TFLite's GELU, which ONNX has no operator for before opset 20.

    https://www.tensorflow.org/api_docs/python/tf/nn/gelu: x/2 (1 + erf(x / sqrt(2))), or its approximation
    x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    """
    import numpy as np

    shape, dtype = graph.get_shape(node.output[0]), graph.get_dtype(node.output[0])
    [x], outputs, approximate = list(node.input), list(node.output), node.get_attr_value("approximate")
    graph.remove_node(node.name)

    def number(value: float) -> str:
        return str(graph.make_const(f"{name}/{value}", np.array(value, np.float32)).output[0])

    def made(operator: str, *inputs: str, **last: Any) -> str:
        return str(graph.make_node(operator, list(inputs), shapes=[shape], dtypes=[dtype], **last).output[0])

    if approximate:
        cubed = made("Mul", made("Mul", made("Mul", x, x), x), number(0.044715))
        bent = made("Tanh", made("Mul", made("Add", x, cubed), number(math.sqrt(2 / math.pi))))
    else:
        bent = made("Erf", made("Mul", x, number(math.sqrt(0.5))))
    made("Mul", made("Mul", x, number(0.5)), made("Add", bent, number(1.0)), name=name, outputs=outputs)


def _save(
    model: OnnxModel,
    path: Path,
    signature: Signature,
    twin: FileInfo | None = None,
    samples: Mapping[str, Array] | None = None,
) -> str:
    """Give the graph its final names, check it, and write it; with the scales of its TFLite twin, if it has one."""
    import onnx

    inputs = dict(zip([i.name for i in model.graph.input], _input_names(model, signature), strict=True))
    outputs = dict(zip([o.name for o in model.graph.output], _output_names(model, signature), strict=True))
    if twin is not None:
        write_mixed(model.graph)
    tidy(model, {**inputs, **outputs})
    note = ""
    if twin is not None:
        scales = twin_scales(model, twin)
        note = without_overflow(model, one_by_one(samples or {}), scales["inputs"])
        note_scales(model, scales)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return note


def _input_names(model: OnnxModel, signature: Signature) -> list[str]:
    """Return names in the graph's order: a TFLite file may list inputs in another than the signature's."""
    found, names = [i.name for i in model.graph.input], [i.name for i in signature.inputs]
    return found if set(found) == set(names) else names


def _output_names(model: OnnxModel, signature: Signature) -> list[str]:
    """tf2onnx keeps dictionary keys, sorted; a TFLite file lists outputs in its own order, known only if single."""
    found = [o.name for o in model.graph.output]
    return signature.output_names if len(found) == 1 else found
