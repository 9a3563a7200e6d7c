"""Operators of a QDQ graph in float again, whichever way the graph is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.onnx.child import static_int8
from edgekit.export.onnx.counterparts import Counterparts
from edgekit.export.onnx.qdq import Qdq
from edgekit.export.onnx.static import prepared
from edgekit.formats.fixed_batch import fixed_onnx
from tests.support.branched_onnx import branched, images
from tests.support.reverted_onnx import Case, branched_case
from tests.support.reverted_onnx import run_model as run
from tests.support.tiny_onnx import constant, save, value

onnx = pytest.importorskip("onnx")
node = onnx.helper.make_node


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return branched_case(tmp_path_factory.mktemp("branched"))


class Reader:
    """Samples as onnxruntime's quantizer asks for them."""

    def __init__(self, rows: Any) -> None:
        self._rows = iter(rows)

    def get_next(self) -> dict[str, Any] | None:
        row = next(self._rows, None)
        return None if row is None else {"image": row[None]}


WAYS: dict[str, dict[str, Any]] = {
    "uint8, per tensor": {"activation_type": "QUInt8", "weight_type": "QUInt8", "per_channel": False},
    "uint8, per channel": {"activation_type": "QUInt8", "weight_type": "QInt8", "per_channel": True},
    "a pair for each reader": {
        "activation_type": "QInt8",
        "weight_type": "QInt8",
        "per_channel": True,
        "extra_options": {"DedicatedQDQPair": True},
    },
    "activations kept": {
        "activation_type": "QUInt8",
        "weight_type": "QInt8",
        "extra_options": {"QDQKeepRemovableActivations": True},
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_float_inputs_and_outputs_are_no_int8_neighbours(way: str, tmp_path: Path) -> None:
    """onnxruntime's own files take and give float32: all in float, nothing is rounded any more."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    path = branched(tmp_path / "a.onnx")
    path.write_bytes(prepared(fixed_onnx(path), tmp_path).SerializeToString())
    options = {k: getattr(QuantType, v) if isinstance(v, str) else v for k, v in WAYS[way].items()}
    source, target = str(path), str(tmp_path / "q.onnx")
    quantize_static(source, target, Reader(images(20, 1)), quant_format=QuantFormat.QDQ, **options)
    case = Case(path, tmp_path / "q.onnx", tmp_path, ready=False)
    assert [case.qdq.nodes[group.main].op_type for group in case.qdq.groups if group.weights] == [
        *("Conv", "Conv", "Conv", "Gemm", "MatMul")
    ]
    every = range(len(case.qdq.groups))
    made = case.reverted(every)
    assert not {"QuantizeLinear", "DequantizeLinear"} & {n.op_type for n in made.graph.node}
    kept = case.reverted(every, float_weights=False)
    for image in images(4, 2):
        feed = {"image": image[None]}
        expected = run(onnx.load(path), feed)[0]
        np.testing.assert_allclose(run(made, feed, optimized=True)[0], expected, atol=1e-5)
        nearly = run(kept, feed, optimized=True)[0]
        assert 1e-5 < np.abs(nearly - expected).max() < 0.05
        assert np.array_equal(run(case.reverted([]), feed)[0], run(case.model, feed)[0])
    (image,) = images(1, 2)
    feed = {"image": image[None]}
    expected = run(onnx.load(path), feed)[0]
    plain = np.abs(run(case.model, feed)[0] - expected).max()
    for chosen in ([0], [1, 2, 3], [4, 5], every[1:], every[:-1]):
        assert np.abs(run(case.reverted(chosen), feed)[0] - expected).max() < 2 * plain


def moved(path: Path, rng: np.random.Generator) -> Path:
    """As tf2onnx writes: integers are transposed and joined as they are; the join has a constant, too."""
    scales = {"x": (0.02, -3), "c": (0.05, 11), "y": (0.04, -20)}
    constants = [constant(f"{name}_scale", scale, "float32") for name, (scale, _) in scales.items()]
    constants += [constant(f"{name}_point", point, "int8") for name, (_, point) in scales.items()]

    def step(kind: str, source: str, target: str, scale: str) -> Any:
        return node(f"{kind}Linear", [source, f"{scale}_scale", f"{scale}_point"], [target])

    nodes = [
        node("Transpose", ["image"], ["t"], perm=[0, 3, 1, 2]),
        step("Dequantize", "t", "td", "x"),
        node("DequantizeLinear", ["w", "w_scale"], ["wd"], axis=0),
        node("Conv", ["td", "wd"], ["c"], kernel_shape=[1, 1]),
        step("Quantize", "c", "cq", "c"),
        step("Dequantize", "cq", "cd", "c"),
        node("Conv", ["td", "wd"], ["e"], kernel_shape=[1, 1], pads=[0] * 4),
        step("Quantize", "e", "eq", "c"),
        node("Concat", ["cq", "eq", "one"], ["j"], axis=1),
        step("Dequantize", "j", "jd", "c"),
        step("Quantize", "jd", "jq", "y"),  # to another scale, with nothing between
        step("Dequantize", "jq", "jqd", "y"),
        node("Neg", ["jqd"], ["n"]),
        node("Shape", ["cd"], ["sizes"]),
        node("Size", ["sizes"], ["size"]),
        node("Cast", ["size"], ["four"], to=1),
        node("Mul", ["n", "four"], ["m"]),
        step("Quantize", "m", "y", "y"),
    ]
    constants += [
        constant("w", rng.integers(-127, 128, (4, 3, 1, 1)), "int8"),
        constant("one", np.full((1, 1, 5, 5), 9), "int8"),
    ]
    constants += [constant("w_scale", rng.uniform(0.001, 0.01, 4), "float32")]
    return save(path, nodes, [value("image", [1, 5, 5, 3], "INT8")], [value("y", [1, 9, 5, 5], "INT8")], constants)


def test_nodes_that_move_integers_move_real_values(tmp_path: Path, rng: np.random.Generator) -> None:
    path = moved(tmp_path / "q.onnx", rng)
    case = Case(path, path, tmp_path, ready=False)
    kinds = [case.qdq.nodes[group.main].op_type for group in case.qdq.groups]
    assert kinds == ["Transpose", "Conv", "Conv", "Concat", "Neg"]
    none = Counterparts()
    image = rng.integers(-128, 128, (1, 5, 5, 3)).astype(np.int8)
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in case.model.graph.initializer}
    real = (np.float32(image) + 3).transpose(0, 3, 1, 2) * np.float32(0.02)
    weights = constants["w"][:, :, 0, 0] * constants["w_scale"][:, None]
    exact = np.einsum("oc,nchw->nohw", weights, real)
    one = np.full((1, 1, 5, 5), (9 - 11) * np.float32(0.05))

    def rounded(x: Any, scale: float, point: int) -> Any:
        return (np.clip(np.round(x / np.float32(scale)) + point, -128, 127) - point) * np.float32(scale)

    step = rounded(exact, 0.05, 11)
    for chosen, joined in {
        (): rounded(np.concatenate([step, step, one], 1), 0.04, -20),
        (0,): rounded(np.concatenate([step, step, one], 1), 0.04, -20),
        (3,): rounded(np.concatenate([step, step, one], 1), 0.04, -20),
        (1,): rounded(np.concatenate([step, step, one], 1), 0.04, -20),
        (1, 3): rounded(rounded(np.concatenate([exact, step, one], 1), 0.05, 11), 0.04, -20),
        (1, 2, 3, 4): np.concatenate([exact, exact, one], 1),
        (1, 2, 4): np.concatenate([exact, exact, one], 1),  # what only moves values between them comes along
        (1, 4): rounded(np.concatenate([step, step, one], 1), 0.04, -20),
        (3, 4): np.concatenate([step, step, one], 1),
        (0, 1, 2, 3, 4): np.concatenate([exact, exact, one], 1),
    }.items():
        made = case.reverted(chosen, float_weights=False, twin=none)
        found = run(made, {"image": image})[0]
        expected = np.clip(np.round(-joined * 4 / np.float32(0.04)) - 20, -128, 127)
        assert (found != expected).mean() < 0.01, chosen


def test_weights_of_a_rescaled_model_and_changed_biases_stay(tmp_path: Path, case: Case) -> None:
    """What was changed before quantization fits the layers around, and what the float file has does not."""
    group = case.qdq.groups[0]
    bias = case.twin.constants[group.main, 2]
    changed = Counterparts(dict(case.twin.values), set(case.twin.nodes), dict(case.twin.constants), case.twin.left_out)
    changed.constants[group.main, 1] = case.twin.constants[group.main, 1] * 1.5
    changed.constants[group.main, 2] = bias + 1
    assert case.twin.weights(case.qdq, group.main, 1) is not None
    assert changed.weights(case.qdq, group.main, 1) is None

    def values(float_weights: bool, twin: Counterparts) -> list[Any]:
        made = case.reverted([0, 1], float_weights=float_weights, twin=twin).graph
        (first,) = [n for n in made.node if n.op_type == "Conv" and made.node[0].output[0] == n.input[0]]
        tensors = {t.name: t for t in made.initializer}
        (weights,) = [t for t in made.initializer if list(t.dims) == [8, 3, 3, 3]]
        return [weights.data_type, onnx.numpy_helper.to_array(tensors[first.input[2]])]

    assert values(True, case.twin)[0] == onnx.TensorProto.FLOAT
    for float_weights in (True, False):
        kind, found = values(float_weights, changed)
        assert kind == onnx.TensorProto.INT8
        np.testing.assert_allclose(found, bias, atol=0.01)
    assert np.array_equal(values(False, case.twin)[1], bias)


def test_constants_that_others_read_too_stay_for_them(tmp_path: Path, rng: np.random.Generator) -> None:
    path = moved(tmp_path / "q.onnx", rng)
    case = Case(path, path, tmp_path, ready=False)
    made = case.reverted([1], float_weights=False, twin=Counterparts())
    readers = [
        n.op_type
        for n in made.graph.node
        if any(t.name in n.input for t in made.graph.initializer if t.dims == [4, 3, 1, 1])
    ]
    assert sorted(readers) == ["Cast", "DequantizeLinear"]


def test_what_cannot_compute_on_real_values_is_no_operator(tmp_path: Path) -> None:
    constants = [constant("s", 0.5, "float32"), constant("z", 3, "int8"), constant("yes", True, "bool")]
    body = onnx.helper.make_graph([node("Identity", ["d"], ["inner"])], "body", [], [value("inner", [1, 4])])
    nodes = [
        node("Relu", ["x"], ["r"]),  # of integers: not of what they stand for
        node("DequantizeLinear", ["r", "s", "z"], ["d"]),
        node("If", ["yes"], ["i"], then_branch=body, else_branch=body),
        node("Exp", ["d"], ["e"]),
        node("Add", ["i", "e"], ["a"]),
        node("QuantizeLinear", ["a", "s", "z"], ["y"]),
    ]
    path = save(tmp_path / "q.onnx", nodes, [value("x", [1, 4], "INT8")], [value("y", [1, 4], "INT8")], constants)
    assert [qdq_kinds(path)] == [[]]
    loose = save(
        tmp_path / "l.onnx",
        [*[n for n in nodes if n.op_type not in ("If", "Add")][:-1], node("QuantizeLinear", ["e", "s", "z"], ["y"])],
        [value("x", [1, 4], "INT8")],
        [value("y", [1, 4], "INT8")],
        constants[:2],
    )
    assert qdq_kinds(loose) == ["Exp"]


def qdq_kinds(path: Path) -> list[str]:
    qdq = Qdq(onnx.load(path).graph)
    return [qdq.nodes[group.main].op_type for group in qdq.groups]


def test_integers_moved_several_times_have_the_scale_of_either_end(tmp_path: Path) -> None:
    constants = [constant("s", 0.5, "float32"), constant("z", 3, "int8"), constant("flat", [1, 4], "int64")]
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0]),
        node("Reshape", ["t", "flat"], ["u"]),
        node("DequantizeLinear", ["u", "s", "z"], ["d"]),
        node("Exp", ["d"], ["e"]),
        node("QuantizeLinear", ["e", "s", "z"], ["q"]),
        node("Transpose", ["q"], ["v"], perm=[1, 0]),
        node("Reshape", ["v", "flat"], ["y"]),
    ]
    path = save(tmp_path / "q.onnx", nodes, [value("x", [1, 4], "INT8")], [value("y", [1, 4], "INT8")], constants)
    assert qdq_kinds(path) == ["Transpose", "Reshape", "Exp", "Transpose", "Reshape"]
    case = Case(path, path, tmp_path, ready=False)
    x = np.array([[1, 2, 3, 4]], np.int8)
    made = case.reverted(range(5), twin=Counterparts())
    assert np.array_equal(run(made, {"x": x})[0], run(case.model, {"x": x})[0])
    assert [n.op_type for n in made.graph.node][1:-1] == ["Transpose", "Reshape", "Exp", "Transpose", "Reshape"]


@pytest.mark.parametrize("swapped", [False, True])
def test_the_order_of_summands_does_not_matter(swapped: bool, tmp_path: Path, rng: np.random.Generator) -> None:
    def made(name: str, summands: list[str]) -> Path:
        nodes = [node("Conv", ["x", "w"], ["c"], kernel_shape=[1, 1]), node("Sigmoid", ["x"], ["s"])]
        nodes += [node("Add", summands, ["a"]), node("Add", ["one", "a"] if swapped else ["a", "one"], ["y"])]
        constants = [constant("w", rng.normal(size=(2, 2, 1, 1)), "float32"), constant("one", [1.5], "float32")]
        return save(tmp_path / name, nodes, *([value(n, [1, 2, 3, 3])] for n in "xy"), constants)

    exact, other = made("a.onnx", ["c", "s"]), made("o.onnx", ["s", "c"] if swapped else ["c", "s"])
    static_int8(exact, tmp_path / "q.onnx", {"x": rng.normal(size=(9, 2, 3, 3)).astype(np.float32)})
    twin = Case(other, tmp_path / "q.onnx", tmp_path, ready=False).twin
    assert set(twin.values.values()) == {"x", "c", "s", "a", "y"}
    assert sorted(array.shape for array in twin.constants.values()) == [(1,), (2, 2, 1, 1)]


@pytest.mark.parametrize("operator", ["LSTM", "GRU"])
def test_recurrent_layers(operator: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """They compute in float as they are, with int8 weights; reverted, what they read and give is not rounded."""
    gates = {"LSTM": 4, "GRU": 3}[operator]
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node(operator, ["t", "w", "r"], ["", "h"], hidden_size=32),
        node("Flatten", ["h"], ["y"]),
    ]
    constants = [
        constant(name, rng.normal(size=(1, 32 * gates, n)) / 5, "float32") for name, n in (("w", 8), ("r", 32))
    ]
    path = save(tmp_path / "a.onnx", nodes, [value("x", [1, 6, 8])], [value("y", [1, 32])], constants)
    x = rng.normal(size=(20, 6, 8)).astype(np.float32)
    static_int8(path, tmp_path / "q.onnx", {"x": x})
    case = Case(path, tmp_path / "q.onnx", tmp_path)
    assert [case.qdq.nodes[group.main].op_type for group in case.qdq.groups] == ["Transpose", operator]
    how = next(case.qdq.stored[name] for name in case.qdq.outputs)
    for float_weights, most in ((True, 0.501), (False, 3)):
        made = case.reverted([0, 1], float_weights=float_weights)
        for row in x[:4]:
            stored = case.stored(row[None])
            expected = run(onnx.load(path), {"x": case.real(stored, 0)})[0] / how.scale + how.zero_point
            assert np.abs(run(made, {"x": stored})[0] - np.clip(expected, -128, 127)).max() <= most
