"""The lowest and highest value of every tensor of an ONNX graph over samples: what int8 ranges are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.errors import ConversionError
from edgekit.printable import visible

_LOWEST, _HIGHEST = "edgekit/lowest", "edgekit/highest"
_FLOAT, _FLOAT16 = 1, 10
Ranges = dict[str, tuple[float, float]]


def measured(model: Any, samples: Iterable[Mapping[str, npt.NDArray[Any]]]) -> Ranges:
    """Return the range of every float tensor of the main graph, inputs and outputs among them.

    The graph reduces every tensor to its lowest and highest value itself; one sample is run after the other, and only
    two vectors come back, so that memory does not grow with the samples.

    Args:
        model: an onnx.ModelProto of opset 13 or later, its shapes inferred.
        samples: inputs by name, with a batch of one.

    Raises:
        ConversionError: there are no samples, or a tensor is not finite on one of them.
    """
    import onnxruntime

    augmented, names = _with_ranges(model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(augmented.SerializeToString(), options, providers=["CPUExecutionProvider"])
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    count = 0
    for sample in samples:
        lowest, highest = session.run([_LOWEST, _HIGHEST], dict(sample))
        bad = ~(np.isfinite(lowest) & np.isfinite(highest))
        if bad.any():
            raise ConversionError(
                f"ONNX int8: tensor `{visible(names[int(bad.argmax())])}` is not finite on calibration sample {count}",
                "look for values in the data that the model was not trained on",
            )
        np.minimum(low, lowest, out=low)
        np.maximum(high, highest, out=high)
        count += 1
    if not count:
        raise ConversionError("ONNX int8: there are no calibration samples")
    return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}


def _with_ranges(model: Any) -> tuple[Any, list[str]]:
    """Return the model with two vectors as outputs, and the names of the tensors in their order."""
    from onnx import TensorProto, helper, numpy_helper

    copy = type(model).FromString(model.SerializeToString())
    graph = copy.graph
    types = {v.name: v.type.tensor_type for v in (*graph.value_info, *graph.input, *graph.output)}
    constants = {tensor.name for tensor in graph.initializer}
    made = [value.name for value in graph.input] + [name for node in graph.node for name in node.output if name]
    names = [n for n in dict.fromkeys(made) if n in types and n not in constants and _has_range(types[n])]
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


def _has_range(kind: Any) -> bool:
    empty = any(d.HasField("dim_value") and d.dim_value == 0 for d in kind.shape.dim)
    return kind.elem_type in (_FLOAT, _FLOAT16) and not empty
