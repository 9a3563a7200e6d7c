"""ONNX files: float through tf2onnx, int8 (QDQ) from the int8 TFLite or, where that fails, by static calibration."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edgekit.backend import quiet
from edgekit.errors import ConversionError, EdgekitError, MissingExtraError
from edgekit.export.signature import Signature
from edgekit.export.tflite import Calibration, rows

OPSET = 17
FROM_TFLITE = "tf2onnx from the int8 TFLite: the same scales and weights"
STATIC = "onnxruntime static calibration of the float ONNX"


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


def _erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """Write `erfc(x)`, with which TensorFlow computes GELU, as `1 - erf(x)`: ONNX has no such operator."""
    import numpy as np

    shape, dtype = graph.get_shape(node.output[0]), graph.get_dtype(node.output[0])
    inputs, outputs = list(node.input), list(node.output)
    graph.remove_node(node.name)
    one = graph.make_const(f"{name}/one", np.ones((), np.float32)).output[0]
    erf = graph.make_node("Erf", inputs, shapes=[shape], dtypes=[dtype]).output[0]
    graph.make_node("Sub", [one, erf], name=name, outputs=outputs, shapes=[shape], dtypes=[dtype])


def _bind_constants(model: Any, signature: Signature) -> None:
    """Store the tensors that layers hold, such as the statistics of Normalization; tf2onnx makes inputs of them."""
    import numpy as np
    import onnx

    held = signature.function.get_concrete_function().graph.captures  # type: ignore[attr-defined]
    values = {inner.name: np.asarray(outer) for outer, inner in held if outer.dtype.is_numpy_compatible}
    for entry in [entry for entry in model.graph.input if entry.name in values]:
        model.graph.initializer.append(onnx.numpy_helper.from_array(values[entry.name], entry.name))
        model.graph.input.remove(entry)


def write_int8(path: Path, signature: Signature, tflite: Path, float_onnx: Path, calibration: Calibration) -> str:
    """Write an int8 ONNX file (QDQ, int8 weights) and return how it was made.

    Args:
        path: the file to write.
        signature: of the model, for the names.
        tflite: the int8 TFLite of the same model.
        float_onnx: the float ONNX of the same model, for the second way.
        calibration: preprocessed samples, for the second way.

    Raises:
        ConversionError: neither way works; both reasons are given.
    """
    try:
        _from_tflite(path, signature, tflite)
        return FROM_TFLITE
    except ConversionError as first:
        try:
            _static(path, float_onnx, rows(signature, calibration))
        except ConversionError as second:
            raise ConversionError(f"{first.message}; {second.message}") from second
        return f"{STATIC} ({first.message})"


def _from_tflite(path: Path, signature: Signature, tflite: Path) -> None:
    with explained("int8 from TFLite"), silenced():
        import onnxruntime
        import tf2onnx

        model, _ = tf2onnx.convert.from_tflite(str(tflite), opset=OPSET)
        _save(model, path, signature)
        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _static(path: Path, float_onnx: Path, samples: Iterable[Mapping[str, npt.NDArray[Any]]]) -> None:
    with explained("int8 by static calibration"), silenced():
        quantize_qdq(float_onnx, path, samples)


def quantize_qdq(source: Path, target: Path, samples: Iterable[Mapping[str, npt.NDArray[Any]]]) -> None:
    """Write a float ONNX file in int8, QDQ, weights per channel; its inputs and outputs stay float.

    Args:
        source: of opset 13 or later.
        target: the file to write.
        samples: for calibration: inputs by name, with a batch of one.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._samples = iter(samples)

        def get_next(self) -> Mapping[str, npt.NDArray[Any]] | None:
            return next(self._samples, None)

    quantize_static(
        str(source),
        str(target),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )


def _save(model: Any, path: Path, signature: Signature) -> None:
    """Give the graph its final names, check it, and write it."""
    import onnx

    inputs = dict(zip([i.name for i in model.graph.input], _input_names(model, signature), strict=True))
    outputs = dict(zip([o.name for o in model.graph.output], _output_names(model, signature), strict=True))
    _sort(model.graph)
    _rename(model.graph, {**inputs, **outputs})
    model.graph.doc_string = ""  # holds a counter
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def _sort(graph: Any) -> None:
    """Order the nodes depth first from the outputs: an order that the graph's structure alone decides."""
    makers = {output: node for node in graph.node for output in node.output}
    ordered: dict[int, Any] = {}
    stack = [(value.name, False) for value in reversed(graph.output)]
    while stack:
        name, done = stack.pop()
        node = makers.get(name)
        if node is None or id(node) in ordered:
            continue
        if done:
            ordered[id(node)] = node
        else:
            stack.append((name, True))
            stack += [(source, False) for source in reversed([*node.input, *_captured(node)])]
    nodes = [type(node).FromString(node.SerializeToString()) for node in ordered.values()]
    for node in nodes:
        if not node.domain:
            node.ClearField("domain")  # ONNX's own, which some nodes say by an empty text, another time by none
        for _, inner in _subgraphs(node):
            _sort(inner)
    del graph.node[:]
    graph.node.extend(nodes)


def _subgraphs(node: Any) -> list[tuple[str, Any]]:
    """Return the graphs inside a node, such as the body of a loop, by the names of their attributes."""
    return [(attribute.name, attribute.g) for attribute in node.attribute if attribute.HasField("g")]


def _captured(node: Any) -> list[str]:
    """Return the values that the graphs inside a node take from around it."""
    found: dict[str, None] = {}
    for _, graph in _subgraphs(node):
        own = {value.name for value in (*graph.input, *graph.initializer)}
        for inner in graph.node:
            found |= dict.fromkeys(name for name in (*inner.input, *_captured(inner)) if name and name not in own)
            own |= set(inner.output)
        found |= dict.fromkeys(value.name for value in graph.output if value.name not in own)
    return list(found)


def _rename(graph: Any, fixed: Mapping[str, str], prefix: str = "") -> None:
    """Name nodes by operator and place, values by the node that makes or first uses them: `Conv_3`, `Conv_3.W`.

    tf2onnx numbers names from a global counter, and of equal constants keeps one and its name by chance, so that the
    same model would give other bytes each time. The initializers are put in the order of their first use. (Inside
    loops tf2onnx leaves other nodes each time, too; files with loops differ in bytes, and compute the same.)

    Args:
        graph: an onnx.GraphProto, its nodes sorted.
        fixed: the names of what is known from outside, old to new: inputs and outputs, and around a loop's body all.
        prefix: of the names made here.
    """
    new = {"": "", **fixed}
    for index, node in enumerate(graph.node):
        node.name = f"{prefix}{node.op_type}_{index}"
        for role, names in (("inputs", node.input), ("outputs", node.output)):
            for position, old in enumerate(names):
                new.setdefault(old, f"{node.name}.{_role(node.op_type, role, position)}")
                names[position] = new[old]
        for position, old in enumerate(_captured(node)):
            new.setdefault(old, f"{node.name}.captured{position}")
        for kind, inner in _subgraphs(node):
            inputs = {value.name: f"{node.name}.{kind}.{i}" for i, value in enumerate(inner.input)}
            inner.name = f"{node.name}.{kind}"
            _rename(inner, {**new, **inputs}, f"{inner.name}.")
    for value in (*graph.input, *graph.output):
        value.name = new[value.name]
    order = {name: index for index, name in enumerate(new)}
    initializers = sorted((i for i in graph.initializer if i.name in new), key=lambda i: order[i.name])
    for initializer in initializers:
        initializer.name = new[initializer.name]
    kept = [type(i).FromString(i.SerializeToString()) for i in initializers]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(kept)


def _role(operator: str, side: str, position: int) -> str:
    """Return what the ONNX standard calls an input or output of an operator: `W`, `x_scale`, `Y`."""
    import onnx

    try:
        formal = getattr(onnx.defs.get_schema(operator, OPSET), side)
    except onnx.defs.SchemaError:  # an operator of another domain
        formal = []
    return formal[position].name if position < len(formal) else f"{side}{position}"


def _input_names(model: Any, signature: Signature) -> list[str]:
    """Return names in the graph's order: a TFLite file may list inputs in another than the signature's."""
    found, names = [i.name for i in model.graph.input], [i.name for i in signature.inputs]
    return found if set(found) == set(names) else names


def _output_names(model: Any, signature: Signature) -> list[str]:
    """tf2onnx keeps dictionary keys, sorted; a TFLite file lists outputs in its own order, known only if single."""
    found = [o.name for o in model.graph.output]
    return signature.output_names if len(found) == 1 else found


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what ONNX tools raise into a `ConversionError` that names `what` was being made."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError("exporting ONNX", "compress", str(error)) from error
    except (EdgekitError, OSError, MemoryError):  # a full disk is explained by whoever opened the folder
        raise
    except Exception as error:  # tf2onnx, onnx and onnxruntime raise types of their own, many private
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        reason = re.sub(
            r"No Op registered for (\S+) with domain_version of \d+", r"\1 has no ONNX form", reason.strip()
        )
        raise ConversionError(f"ONNX {what} failed: {reason[:300]}") from error


@contextmanager
def silenced() -> Iterator[None]:
    """Keep ONNX tools from logging."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "root", "onnxruntime")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with quiet():
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
