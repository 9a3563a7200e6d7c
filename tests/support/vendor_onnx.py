"""ONNX files as they come from elsewhere: old and new opsets, symbols, control flow, sequences, external data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.tiny_onnx import constant, save, value


def _node(*arguments: Any, **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(*arguments, **attributes)


def two_ends(path: Path) -> Path:
    nodes = [_node("Add", ["a", "b"], ["sum"]), _node("Mul", ["a", "b"], ["product"])]
    ends = ["a", "b"], ["sum", "product"]
    return save(path, nodes, *([value(name, ["N", 4]) for name in names] for names in ends))


def image(path: Path) -> Path:
    """(N, 1, H, W) float32 through a 3x3 convolution."""
    size: list[int | str | None] = ["N", 1, "H", "W"]
    node = _node("Conv", ["image", "w"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    return save(
        path, [node], [value("image", size)], [value("y", size)], [constant("w", np.ones((1, 1, 3, 3)), "float32")]
    )


def of_opset(path: Path, opset: int, ir_version: int) -> Path:
    """Gemm and Relu; before IR version 4 constants are listed among the inputs, too."""
    import onnx

    w = constant("w", np.ones((4, 3)), "float32")
    b = constant("b", np.zeros(3), "float32")
    inputs = [value("x", [1, 4])] + ([value("w", [4, 3]), value("b", [3])] if ir_version < 4 else [])
    nodes = [_node("Gemm", ["x", "w", "b"], ["h"]), _node("Relu", ["h"], ["y"])]
    save(path, nodes, inputs, [value("y", [1, 3])], [w, b], opset=opset, check=False)
    made = onnx.load(path)
    made.ir_version = ir_version
    path.write_bytes(made.SerializeToString())
    return path


def gather(path: Path, kind: str = "INT64") -> Path:
    """Indices of a table of two rows."""
    nodes = [_node("Gather", ["table", "tokens"], ["y"])]
    table = constant("table", [[1, 2], [3, 4]], "float32")
    return save(path, nodes, [value("tokens", [1, 3], kind)], [value("y", [1, 3, 2])], [table])


def unary(path: Path, operator: str, kind: str = "FLOAT", *, domain: str = "") -> Path:
    node = _node(operator, ["x"], ["y"], domain=domain)
    ends = [value("x", [1, 4], kind)], [value("y", [1, 4], kind)]
    return save(path, [node], *ends, domains=[domain] if domain else [], check=False)


def qlinear(path: Path) -> Path:
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"]
    constants = [constant(n, 0.5, "float32") for n in ("xs", "ws", "ys")] + [
        constant(n, 1, "uint8") for n in ("xz", "yz")
    ]
    constants += [constant("wz", 0, "int8"), constant("w", np.full((2, 1, 1, 1), 5), "int8")]
    ends = [value("x", [1, 1, 4, 4], "UINT8")], [value("y", [1, 2, 4, 4], "UINT8")]
    return save(path, [_node("QLinearConv", names, ["y"])], *ends, constants)


def branches(path: Path) -> Path:
    """If on a bool input."""
    from onnx import helper

    def branch(operator: str) -> Any:
        return helper.make_graph([_node(operator, ["x"], [operator])], operator, [], [value(operator, [1, 4])])

    node = _node("If", ["flag"], ["y"], then_branch=branch("Relu"), else_branch=branch("Tanh"))
    return save(path, [node], [value("flag", [], "BOOL"), value("x", [1, 4])], [value("y", [1, 4])])


def loop(path: Path) -> Path:
    """Loop three times over x + x."""
    from onnx import helper

    body = helper.make_graph(
        [_node("Add", ["v", "v"], ["w"]), _node("Identity", ["go"], ["on"])],
        "body",
        [value("i", [], "INT64"), value("go", [], "BOOL"), value("v", [1, 4])],
        [value("on", [], "BOOL"), value("w", [1, 4])],
    )
    constants = [constant("times", 3, "int64"), constant("always", True, "bool")]
    return save(
        path,
        [_node("Loop", ["times", "always", "x"], ["y"], body=body)],
        [value("x", [1, 4])],
        [value("y", [1, 4])],
        constants,
    )


def scan(path: Path) -> Path:
    """Running sums along the first axis."""
    from onnx import helper

    body = helper.make_graph(
        [_node("Add", ["s", "e"], ["t"]), _node("Identity", ["t"], ["out"])],
        "body",
        [value("s", [2]), value("e", [2])],
        [value("t", [2]), value("out", [2])],
    )
    node = _node("Scan", ["zero", "x"], ["last", "all"], body=body, num_scan_inputs=1)
    ends = [value("x", [3, 2])], [value("last", [2]), value("all", [3, 2])]
    return save(path, [node], *ends, [constant("zero", [0, 0], "float32")])


def zip_map(path: Path) -> Path:
    """A sequence of maps, as scikit-learn's converters put at the end."""
    from onnx import TensorProto, helper

    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.INT64, tensor))
    node = _node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2])
    ends = [value("x", [None, 3])], [helper.make_value_info("y", kind)]
    return save(path, [node], *ends, domains=["ai.onnx.ml"], check=False)


def sequence(path: Path, *, as_input: bool = False) -> Path:
    """A sequence of tensors as the output, or as the input."""
    from onnx import TensorProto, helper

    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    if as_input:
        node = _node("ConcatFromSequence", ["parts"], ["y"], axis=0)
        return save(path, [node], [helper.make_value_info("parts", kind)], [value("y", [None])])
    node = _node("SplitToSequence", ["x"], ["y"], axis=1)
    return save(path, [node], [value("x", [1, 3])], [helper.make_value_info("y", kind)])


def external(path: Path, location: str = "", *, write: bool = True) -> Path:
    """A dense layer, 64 to 32, whose weights stand in another file: by default `NAME.data` beside it."""
    import onnx
    from onnx.external_data_helper import set_external_data

    weights = np.random.default_rng(0).normal(size=(64, 32)).astype("<f4")
    location = location or f"{path.name}.data"
    node = _node("MatMul", ["x", "w"], ["y"])
    save(path, [node], [value("x", [1, 64])], [value("y", [1, 32])], [constant("w", weights, "float32")])
    made = onnx.load(path)
    set_external_data(made.graph.initializer[0], location)
    made.graph.initializer[0].ClearField("raw_data")
    path.write_bytes(made.SerializeToString())
    if write:
        there = path.parent / location
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(weights.tobytes())
    return path
