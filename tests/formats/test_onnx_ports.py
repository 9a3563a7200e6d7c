"""Scales of integer inputs and outputs, behind operators that only move values; and integers that have none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgekit.formats.info import FileInfo, Quantization
from edgekit.formats.onnx.ports import KEY
from edgekit.formats.onnx.reader import read_onnx
from edgekit.reporting.model_page import render
from tests.support.tiny_onnx import constant, save, value

onnx = pytest.importorskip("onnx")
node = onnx.helper.make_node

HALF = Quantization((0.5,), (3,), None)
CONSTANTS = [
    constant("s", 0.5, "float32"),
    constant("z", 3, "int8"),
    constant("s2", 0.25, "float32"),
    constant("one", [1], "int64"),
    constant("zero", [0], "int64"),
    constant("four", [4], "int64"),
    constant("sizes", [1, 2, 2, 4], "int64"),
    constant("again", [1, 2, 1, 1], "int64"),
    constant("pads", [0, 0, 1, 1, 0, 0, 1, 1], "int64"),
    constant("twice", [1.0, 1.0, 2.0, 2.0], "float32"),
    constant("low", 0, "int8"),
    constant("flag", [[[[True]]]], "bool"),
    constant("row", [[0]], "int64"),
    constant("mark", [[[[9]]]], "int8"),
    constant("per", [0.5, 0.25], "float32"),
    constant("zeros", [0, 0], "int8"),
    constant("indices", [[[[0]]]], "int64"),
]
MOVES: dict[str, list[Any]] = {
    "Transpose": [node("Transpose", ["a"], ["b"])],
    "Reshape": [node("Reshape", ["a", "sizes"], ["b"])],
    "Squeeze": [node("Squeeze", ["a", "zero"], ["b"])],
    "Unsqueeze": [node("Unsqueeze", ["a", "zero"], ["b"])],
    "Flatten": [node("Flatten", ["a"], ["b"])],
    "Identity": [node("Identity", ["a"], ["b"])],
    "Slice": [node("Slice", ["a", "zero", "one", "one"], ["b"])],
    "second part of a Split": [node("Split", ["a"], ["c", "b"], axis=2)],
    "Gather": [node("Gather", ["a", "zero"], ["b"], axis=1)],
    "Gather with computed indices": [node("Shape", ["a"], ["h"]), node("Gather", ["a", "h"], ["b"], axis=1)],
    "GatherElements": [node("GatherElements", ["a", "indices"], ["b"])],
    "GatherND": [node("GatherND", ["a", "row"], ["b"])],
    "Concat of itself": [node("Concat", ["a", "a"], ["b"], axis=1)],
    "Concat with a constant": [node("Concat", ["a", "mark"], ["b"], axis=1)],
    "Pad with the zero point": [node("Pad", ["a", "pads", "z"], ["b"])],
    "Tile": [node("Tile", ["a", "again"], ["b"])],
    "Expand": [node("Expand", ["a", "again"], ["b"])],
    "DepthToSpace": [node("DepthToSpace", ["a"], ["b"], blocksize=2)],
    "SpaceToDepth": [node("SpaceToDepth", ["a"], ["b"], blocksize=2)],
    "MaxPool": [node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2])],
    "Max": [node("Max", ["a", "low"], ["b"])],
    "Min": [node("Min", ["a", "low"], ["b"])],
    "Clip": [node("Clip", ["a", "low"], ["b"])],
    "ReduceMax": [node("ReduceMax", ["a"], ["b"], axes=[1])],
    "ReduceMin": [node("ReduceMin", ["a"], ["b"], axes=[1])],
    "Resize": [node("Resize", ["a", "", "twice"], ["b"], mode="nearest")],
    "Resize, means of neighbours": [node("Resize", ["a", "", "twice"], ["b"], mode="linear")],
    "Where": [node("Where", ["flag", "a", "mark"], ["b"])],
    "ScatterND": [node("ScatterND", ["mark", "row", "a"], ["b"])],
    "TopK": [node("TopK", ["a", "one"], ["b", "where"])],
    "ReverseSequence": [node("ReverseSequence", ["a", "one"], ["b"], batch_axis=0, time_axis=1)],
    "as a public model starts": [
        node("Reshape", ["a", "sizes"], ["c"]),
        node("Split", ["c"], ["d", "e"], axis=1),
        node("Squeeze", ["e", "one"], ["b"]),
    ],
}


def read(
    folder: Path,
    nodes: Sequence[Any],
    kinds: tuple[str, str] = ("INT8", "FLOAT"),
    *,
    told: str = "",
    domains: Sequence[str] = (),
) -> FileInfo:
    """Read a model from `x` to `y` of these types."""
    ends = [value("x", [1, 4, 4, 4], kinds[0])], [value("y", None, kinds[1])]
    path = save(folder / "a.onnx", nodes, *ends, CONSTANTS, domains=domains, check=False)
    if told:
        model = onnx.load(path)
        model.metadata_props.add(key=KEY, value=told)
        path.write_bytes(model.SerializeToString())
    return read_onnx(path)


def renamed(nodes: Sequence[Any], names: dict[str, str]) -> list[Any]:
    found = [onnx.NodeProto.FromString(n.SerializeToString()) for n in nodes]
    for copy in found:
        copy.input[:] = [names.get(name, name) for name in copy.input]
        copy.output[:] = [names.get(name, name) for name in copy.output]
    return found


@pytest.mark.parametrize("moves", MOVES)
def test_a_scale_is_found_behind_what_moves_values(moves: str, tmp_path: Path) -> None:
    before = [*renamed(MOVES[moves], {"a": "x"}), node("DequantizeLinear", ["b", "s", "z"], ["y"])]
    (found,) = read(tmp_path, before).inputs
    assert (found.quantization, found.unscaled) == (HALF, False)
    after = [node("QuantizeLinear", ["x", "s", "z"], ["a"]), *renamed(MOVES[moves], {"b": "y"})]
    (found,) = read(tmp_path, after, ("FLOAT", "INT8")).outputs
    assert (found.quantization, found.unscaled) == (HALF, False)


@pytest.mark.parametrize("moves", ["Transpose", "Split"])
def test_twenty_of_them_in_a_row(moves: str, tmp_path: Path) -> None:
    nodes = [node(moves, [f"m{i}" if i else "x"], [f"m{i + 1}"]) for i in range(20)]
    (found,) = read(tmp_path, [*nodes, node("DequantizeLinear", ["m20", "s", "z"], ["y"])]).inputs
    assert found.quantization == HALF


def test_the_mean_of_others_is_no_move(tmp_path: Path) -> None:
    nodes = [node("Resize", ["x", "", "twice"], ["b"], mode="cubic"), node("DequantizeLinear", ["b", "s", "z"], ["y"])]
    (found,) = read(tmp_path, nodes).inputs
    assert (found.quantization, found.unscaled) == (None, True)


@pytest.mark.parametrize("other", ["s", "s2"])
def test_branches_must_agree(other: str, tmp_path: Path) -> None:
    nodes = [
        node("Split", ["x"], ["a", "b"], axis=1),
        node("DequantizeLinear", ["a", "s", "z"], ["c"]),
        node("DequantizeLinear", ["b", other, "z"], ["d"]),
        node("Concat", ["c", "d"], ["y"], axis=1),
    ]
    (found,) = read(tmp_path, nodes).inputs
    assert (found.quantization, found.unscaled) == ((HALF, False) if other == "s" else (None, True))
    assert ("without a scale" in render(read(tmp_path, nodes))) == (other != "s")


def test_one_scale_of_a_concatenation_is_that_of_the_other(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", ["f", "s", "z"], ["q"]),
        node("Cast", ["x"], ["f"], to=onnx.TensorProto.FLOAT),
        node("Concat", ["q", "x"], ["y"], axis=1),
    ]
    info = read(tmp_path, nodes, ("INT8", "INT8"))
    assert info.inputs[0].quantization == info.outputs[0].quantization == HALF


def branch(name: str, *, quantized: bool) -> Any:
    steps = [node("QuantizeLinear", ["f", "s", "z"], [name])] if quantized else [node("Identity", ["x"], [name])]
    return onnx.helper.make_graph(steps, name, [], [value(name, None, "INT8")])


def test_bodies_are_followed(tmp_path: Path) -> None:
    branches = {"then_branch": branch("t", quantized=True), "else_branch": branch("e", quantized=False)}
    nodes = [
        node("Cast", ["x"], ["f"], to=onnx.TensorProto.FLOAT),
        node("Constant", [], ["go"], value=constant("go", True, "bool")),
        node("If", ["go"], ["y"], **branches),
    ]
    info = read(tmp_path, nodes, ("INT8", "INT8"))
    assert info.inputs[0].quantization == info.outputs[0].quantization == HALF
    body = onnx.helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Transpose", ["v"], ["w"])],
        "body",
        [value("i", [], "INT64"), value("go", [], "BOOL"), value("v", None, "INT8")],
        [value("on", [], "BOOL"), value("w", None, "INT8")],
    )
    nodes = [
        node("Constant", [], ["often"], value=constant("often", 3, "int64")),
        node("Loop", ["often", "", "x"], ["l"], body=body),
        node("DequantizeLinear", ["l", "s", "z"], ["y"]),
    ]
    (found,) = read(tmp_path, nodes).inputs
    assert found.quantization == HALF


@pytest.mark.parametrize(
    ("nodes", "kinds"),
    [
        ([node("Cast", ["x"], ["y"], to=1)], ("UINT8", "FLOAT")),
        ([node("Transpose", ["x"], ["t"]), node("Cast", ["t"], ["y"], to=1)], ("INT8", "FLOAT")),
        ([node("Gather", ["table", "x"], ["y"])], ("UINT8", "FLOAT")),
        ([node("Gather", ["table", "x"], ["y"])], ("INT32", "FLOAT")),
        ([node("Embed", ["x"], ["y"], domain="mine")], ("INT32", "FLOAT")),
        ([node("Identity", ["x"], ["y"])], ("UINT8", "UINT8")),
        ([node("ArgMax", ["x"], ["y"])], ("FLOAT", "INT64")),
        ([node("ArgMax", ["x"], ["i"]), node("Cast", ["i"], ["y"], to=2)], ("FLOAT", "UINT8")),
        ([node("ArgMax", ["x"], ["i"]), node("Cast", ["i"], ["y"], to=3)], ("FLOAT", "INT8")),
        ([node("Clip", ["x"], ["c"]), node("Cast", ["c"], ["y"], to=2)], ("FLOAT", "UINT8")),
        ([node("TopK", ["x", "one"], ["v", "y"])], ("FLOAT", "INT64")),
        ([node("Decode", ["x"], ["y"], domain="mine")], ("FLOAT", "INT32")),
    ],
)
def test_numbers_are_numbers(nodes: list[Any], kinds: tuple[str, str], tmp_path: Path) -> None:
    info = read(tmp_path, nodes, kinds, domains=["mine"])
    assert [(t.quantization, t.unscaled) for t in (*info.inputs, *info.outputs)] == [(None, False)] * 2


@pytest.mark.parametrize(
    ("nodes", "kinds"),
    [
        ([node("Mine", ["x"], ["y"], domain="mine")], ("INT8", "FLOAT")),
        ([node("MatMulInteger", ["x", "mark"], ["a"]), node("Cast", ["a"], ["y"], to=1)], ("INT8", "FLOAT")),
        ([node("DequantizeLinear", ["x", "computed", "z"], ["y"])], ("INT8", "FLOAT")),
        ([node("Mine", ["x"], ["q"], domain="mine"), node("Transpose", ["q"], ["y"])], ("FLOAT", "INT8")),
        ([node("Round", ["x"], ["r"]), node("Cast", ["r"], ["y"], to=3)], ("FLOAT", "INT8")),
        ([node("DynamicQuantizeLinear", ["x"], ["y", "ys", "yz"])], ("FLOAT", "UINT8")),
        ([node("Cast", ["x"], ["b"], to=3), node("MatMulInteger", ["b", "mark"], ["y"])], ("FLOAT", "INT32")),
    ],
)
def test_a_scale_that_is_not_there_is_not_taken_for_one(
    nodes: list[Any], kinds: tuple[str, str], tmp_path: Path
) -> None:
    info = read(tmp_path, nodes, kinds, domains=["mine"])
    (port,) = [t for t in (*info.inputs, *info.outputs) if t.dtype != "float32"]
    assert (port.quantization, port.unscaled) == (None, True)


def test_a_scale_a_channel_is_shown_and_is_none_for_the_whole(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.onnx",
        [node("DequantizeLinear", ["x", "per", "zeros"], ["y"], axis=1)],
        [value("x", [1, 2], "INT8")],
        [value("y", [1, 2])],
        CONSTANTS,
        check=False,
    )
    (found,) = read_onnx(path).inputs
    assert (found.quantization, found.unscaled) == (Quantization((0.5, 0.25), (0, 0), 1), True)


def test_metadata_say_what_the_graph_does_not(tmp_path: Path) -> None:
    mine = [node("Mine", ["x"], ["y"], domain="mine")]
    told = json.dumps({"inputs": {"x": {"scale": 0.5, "zero_point": 3}}})
    (found,) = read(tmp_path, mine, told=told, domains=["mine"]).inputs
    assert (found.quantization, found.unscaled) == (HALF, False)
    graph = [node("DequantizeLinear", ["x", "s2", "z"], ["y"])]
    (found,) = read(tmp_path, graph, told=told).inputs
    assert found.quantization == Quantization((0.25,), (3,), None)  # what is computed counts


@pytest.mark.parametrize(
    "told",
    [
        "{",
        "[]",
        "[" * 10_000,
        '{"inputs": []}',
        '{"inputs": {"x": 1}}',
        '{"inputs": {"x": {"scale": "1"}}}',
        '{"inputs": {"x": {"scale": 0, "zero_point": 0}}}',
        '{"inputs": {"x": {"scale": Infinity, "zero_point": 0}}}',
        '{"inputs": {"x": {"scale": 1.0, "zero_point": 300}}}',
        '{"inputs": {"x": {"scale": 1.0, "zero_point": 0.5}}}',
        '{"inputs": {"x": {"scale": 1' + "0" * 400 + ', "zero_point": 0}}}',
    ],
)
def test_metadata_that_make_no_sense_are_passed_over(told: str, tmp_path: Path) -> None:
    (found,) = read(tmp_path, [node("Mine", ["x"], ["y"], domain="mine")], told=told, domains=["mine"]).inputs
    assert (found.quantization, found.unscaled) == (None, True)
