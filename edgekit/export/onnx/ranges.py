"""The range of every tensor of an ONNX graph over samples, for int8."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import length_hint

import numpy as np

from edgekit.errors import ConversionError
from edgekit.errors.printable import visible
from edgekit.export.calibration import MINMAX, Observer, Ranging, observer_for
from edgekit.formats.types import OnnxGraph, OnnxMessage, OnnxModel, OnnxSession
from edgekit.tasks.samples import Array

_LOWEST, _HIGHEST = "edgekit/lowest", "edgekit/highest"
_FLOAT, _FLOAT16 = 1, 10
NO_SAMPLES = "ONNX int8: there are no calibration samples"
Ranges = dict[str, tuple[float, float]]
Samples = Iterable[Mapping[str, Array]]
LEVELS = 256
"""Of int8."""
TYPICAL = 500
"""Samples that are counted on where their number is not known."""


def measured(model: OnnxModel, samples: Samples, ranging: Ranging = MINMAX) -> Ranges:
    """Return the range of every float tensor of the main graph, inputs and outputs among them.

    One sample is run after the other, so that memory does not grow with their number.

    Args:
        model: an onnx.ModelProto of opset 13 or later, its shapes inferred.
        samples: inputs by name, with a batch of one.
        ranging: how ranges are chosen.

    Raises:
        ConversionError: there are no samples, or a tensor is not finite on one of them.
    """
    if ranging.method == "minmax":
        return _extremes(model, samples)
    found = {name: ranging.ends(seen, LEVELS) for name, seen in observed(model, samples, [ranging]).items()}
    return {name: ends for name, ends in found.items() if ends is not None}


def _extremes(model: OnnxModel, samples: Samples) -> Ranges:
    """Let the graph reduce every tensor to its lowest and highest value itself: only two vectors come back."""
    augmented, names = _with_ranges(model)
    session = _session(augmented)
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    count = 0
    for sample in samples:
        lowest, highest = session.run([_LOWEST, _HIGHEST], dict(sample))
        bad = ~(np.isfinite(lowest) & np.isfinite(highest))
        if bad.any():
            raise _not_finite(names[int(bad.argmax())], count)
        np.minimum(low, lowest, out=low)
        np.maximum(high, highest, out=high)
        count += 1
    if not count:
        raise ConversionError(NO_SAMPLES, code="calibration-empty")
    return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}


def observed(model: OnnxModel, samples: Samples, rangings: Sequence[Ranging]) -> dict[str, Observer]:
    """Take every tensor out of the graph, and return what was seen of each; arguments and errors as of `measured`."""
    copy, names = _copied(model)
    types = _types(copy.graph)
    given = {value.name for value in copy.graph.input}
    known = {value.name for value in copy.graph.output}
    for name in names:
        if name not in given | known:
            copy.graph.output.add(name=name).type.tensor_type.CopyFrom(types[name])
    session = _session(copy)
    inner = [name for name in names if name not in given]
    updates = length_hint(samples, TYPICAL)
    observers = {name: observer_for(rangings, updates) for name in names}
    count = 0
    for sample in samples:
        seen = dict(zip(inner, session.run(inner, dict(sample)), strict=True)) | dict(sample)
        for name, observer in observers.items():
            if not np.isfinite(seen[name]).all():
                raise _not_finite(name, count)
            observer.update(seen[name])
        count += 1
    if not count:
        raise ConversionError(NO_SAMPLES, code="calibration-empty")
    return observers


def _session(model: OnnxModel) -> OnnxSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _not_finite(name: str, sample: int) -> ConversionError:
    return ConversionError(
        f"ONNX int8: tensor `{visible(name)}` is not finite on calibration sample {sample}",
        "look for values in the data that the model was not trained on",
        code="calibration-not-finite",
    )


def _with_ranges(model: OnnxModel) -> tuple[OnnxModel, list[str]]:
    """Return the model with two vectors as outputs, and the names of the tensors in their order."""
    from onnx import TensorProto, helper, numpy_helper

    copy, names = _copied(model)
    graph, types = copy.graph, _types(copy.graph)
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), "edgekit/flat"))
    for operator, collected in (("ReduceMin", _LOWEST), ("ReduceMax", _HIGHEST)):
        parts = []
        for index, name in enumerate(names):
            base = f"{collected}/{index}"
            if types[name].elem_type == _FLOAT16:
                graph.node.append(helper.make_node("Cast", [name], [f"{base}/float"], to=TensorProto.FLOAT))
                name = f"{base}/float"
            graph.node.append(helper.make_node(operator, [name], [f"{base}/reduced"], keepdims=1))
            graph.node.append(helper.make_node("Reshape", [f"{base}/reduced", "edgekit/flat"], [base]))
            parts.append(base)
        graph.node.append(helper.make_node("Concat", parts, [collected], axis=0))
        graph.output.append(helper.make_tensor_value_info(collected, TensorProto.FLOAT, [len(names)]))
    return copy, names


def _copied(model: OnnxModel) -> tuple[OnnxModel, list[str]]:
    """Return a copy of the model, and the names of the tensors that have a range."""
    copy = type(model).FromString(model.SerializeToString())
    graph, types = copy.graph, _types(copy.graph)
    constants = {tensor.name for tensor in graph.initializer}
    made = [value.name for value in graph.input] + [name for node in graph.node for name in node.output if name]
    return copy, [n for n in dict.fromkeys(made) if n in types and n not in constants and _has_range(types[n])]


def _types(graph: OnnxGraph) -> dict[str, OnnxMessage]:
    return {v.name: v.type.tensor_type for v in (*graph.value_info, *graph.input, *graph.output)}


def _has_range(kind: OnnxMessage) -> bool:
    empty = any(d.HasField("dim_value") and d.dim_value == 0 for d in kind.shape.dim)
    return kind.elem_type in (_FLOAT, _FLOAT16) and not empty
