"""Operators of int8 files in float: on tiny files made by code, whose float results are known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from edgekit.export.tflite.dataflow import Dataflow
from edgekit.export.tflite.revertible import revertible
from edgekit.export.tflite.reverting import reverted
from edgekit.export.tflite.twins import twins
from edgekit.formats.tflite.flatbuffer import Damaged
from edgekit.measuring.loaded import load_tflite
from tests.support import foreign_tflite
from tests.support.branching_tflite import by_litert
from tests.support.tiny_tflite import Op, T, changed, model

STEP = 2.0**-3
CLIPPED = 16 * STEP
"""Where the tensor between both layers ends."""
X = (np.arange(-16, 16).reshape(4, 8) * STEP).astype(np.float32)
TRUE = np.random.default_rng(0).integers(-8, 9, (2, 40, 8)) / 8 + 0.01
"""Weights of two layers; int8 holds them without the 0.01."""
ROUNDED = np.rint(TRUE * 8) / 8


def plain() -> bytes:
    """Two dense layers, 8 to 40 to 8, with a RESHAPE between them."""
    from ai_edge_litert import schema_py_generated as s

    tensors = [
        T("x", (1, 8), "FLOAT32"),
        _float("w", TRUE[0]),
        _float("b", np.arange(40) / 8),
        T("h", (1, 40), "FLOAT32"),
    ]
    tensors += [T("flat", (2,), "INT32", np.array([1, 40], "<i4").tobytes()), T("r", (1, 40), "FLOAT32")]
    tensors += [_float("v", TRUE[1].T), T("y", (1, 8), "FLOAT32")]
    operators = [
        Op("FULLY_CONNECTED", [0, 1, 2], [3], s.FullyConnectedOptionsT(fusedActivationFunction=1)),
        Op("RESHAPE", [3, 4], [5], s.ReshapeOptionsT(newShape=[1, 40])),
        Op("FULLY_CONNECTED", [5, 6, -1], [7], s.FullyConnectedOptionsT()),
    ]
    return model(tensors, operators, [0], [7], signature=(["x"], ["y"]))


def _float(name: str, values: np.ndarray) -> T:
    return T(name, values.shape, "FLOAT32", values.astype("<f4").tobytes())


def small(*, per_channel: bool = True, metadata: bool = False) -> bytes:
    """`plain` in int8, a QUANTIZE to another scale between its layers; what lies above `CLIPPED` is cut off."""
    from ai_edge_litert import schema_py_generated as s

    def weights(name: str, values: np.ndarray) -> T:
        count = len(values) if per_channel else 1
        stored = np.rint(values * 8).astype(np.int8)
        return T(name, values.shape, data=stored.tobytes(), scale=[1 / 8] * count, zero_point=[0] * count)

    count = 40 if per_channel else 1
    tensors = [T("x", (1, 8), scale=[STEP], zero_point=[0]), weights("w", TRUE[0])]
    tensors += [T("b", (40,), "INT32", (np.arange(40, dtype="<i4") * 8).tobytes(), [STEP / 8] * count, [0] * count)]
    tensors += [T("h", (1, 40), scale=[CLIPPED / 256], zero_point=[-128])]
    tensors += [T("flat", (2,), "INT32", np.array([1, 40], "<i4").tobytes())]
    tensors += [T("r", (1, 40), scale=[CLIPPED / 256], zero_point=[-128]), weights("v", TRUE[1].T)]
    tensors += [T("y", (1, 8), scale=[4.0], zero_point=[3]), T("q", (1, 40), scale=[CLIPPED / 128], zero_point=[-128])]
    operators = [
        Op("FULLY_CONNECTED", [0, 1, 2], [3], s.FullyConnectedOptionsT(fusedActivationFunction=1)),
        Op("RESHAPE", [3, 4], [5], s.ReshapeOptionsT(newShape=[1, 40])),
        Op("QUANTIZE", [5], [8], s.QuantizeOptionsT()),
        Op("FULLY_CONNECTED", [8, 6, -1], [7], s.FullyConnectedOptionsT(asymmetricQuantizeInputs=True)),
    ]
    data = model(tensors, operators, [0], [7], signature=(["x"], ["y"]))
    entries = {"min_runtime_version": b"2.2.0".ljust(16, b"\0")}
    return foreign_tflite.with_metadata(data, **entries) if metadata else data


FIRST, MOVED, SECOND = 0, 1, 3


def expected(weights: Sequence[np.ndarray], step: float | None = CLIPPED / 256) -> np.ndarray:
    """Return what comes out: all sums are exact, and only the output is rounded, and with a step what is between."""
    between = np.maximum(X @ weights[0].T.astype(np.float32) + np.arange(40, dtype=np.float32) / 8, 0)
    if step is not None:
        between = np.clip(np.round(between / step), 0, 255) * step
    return np.clip(np.round(between @ weights[1].astype(np.float32) / 4), -131, 124) * 4


def run(data: bytes) -> np.ndarray:
    return load_tflite(data).real_outputs([X])[0]


def kinds(data: bytes) -> list[str]:
    return Dataflow(data).kinds


@pytest.mark.parametrize("chosen", [[FIRST], [SECOND], [MOVED], [MOVED, SECOND]])
def test_an_operator_alone_leaves_the_range_of_the_tensor_between(chosen: list[int]) -> None:
    np.testing.assert_allclose(run(reverted(small(), chosen, float_weights=False)), expected(ROUNDED), atol=4)
    assert np.abs(expected(ROUNDED) - expected(ROUNDED, None)).max() >= 16


def test_a_change_of_scales_behind_an_operator_in_float_is_done_in_one_rounding() -> None:
    found = reverted(small(), [FIRST, MOVED], float_weights=False)
    assert kinds(found).count("QUANTIZE") == 1
    np.testing.assert_allclose(run(found), expected(ROUNDED, CLIPPED / 128), atol=4)


@pytest.mark.parametrize("chosen", [[FIRST, SECOND], [FIRST, MOVED, SECOND]])
def test_between_two_operators_in_float_nothing_is_rounded_or_cut_off(chosen: list[int]) -> None:
    found = reverted(small(), chosen, float_weights=False)
    np.testing.assert_array_equal(run(found), expected(ROUNDED, None))
    wanted = ["DEQUANTIZE", "DEQUANTIZE", "FULLY_CONNECTED", "RESHAPE", "DEQUANTIZE", "FULLY_CONNECTED", "QUANTIZE"]
    assert sorted(kinds(found)) == sorted(wanted)
    assert not {"INT8"} & {
        flow.dtype(i) for flow in [Dataflow(found)] for i in flow.outputs[kinds(found).index("RESHAPE")]
    }


def test_float_weights_come_from_the_float_file() -> None:
    flow = Dataflow(small())
    twin = twins(flow, Dataflow(plain()))
    np.testing.assert_array_equal(
        run(reverted(small(), [FIRST, SECOND], twin, float_weights=True)), expected(TRUE, None)
    )
    np.testing.assert_array_equal(
        run(reverted(small(), [FIRST, SECOND], twin, float_weights=False)), expected(ROUNDED, None)
    )
    np.testing.assert_array_equal(run(reverted(small(), [FIRST, SECOND], float_weights=True)), expected(ROUNDED, None))
    assert np.abs(expected(TRUE, None) - expected(ROUNDED, None)).max() > 0


def test_nothing_reverted_is_the_file_itself() -> None:
    assert reverted(small(), [], float_weights=True) == small()


def test_int8_weights_cost_few_bytes_and_float_weights_three_a_weight() -> None:
    data = small(per_channel=False)
    twin = twins(Dataflow(data), Dataflow(plain()))
    sizes = [
        len(reverted(data, chosen, twin, float_weights=float_weights))
        for chosen, float_weights in (([MOVED], False), ([FIRST, SECOND], False), ([FIRST, SECOND], True))
    ]
    assert sizes[1] - sizes[0] < 200
    assert 3 * TRUE.size - 300 < sizes[2] - sizes[1] < 3 * TRUE.size


@pytest.mark.parametrize("float_weights", [False, True])
@pytest.mark.parametrize("chosen", [[FIRST], [SECOND], [FIRST, SECOND]])
def test_nothing_is_left_that_nothing_uses(chosen: list[int], float_weights: bool) -> None:
    from ai_edge_litert import schema_py_generated as s

    twin = twins(Dataflow(small()), Dataflow(plain()))
    whole = s.ModelT.InitFromPackedBuf(reverted(small(metadata=True), chosen, twin, float_weights=float_weights), 0)
    graph = whole.subgraphs[0]
    used = {int(i) for operator in graph.operators for i in (*operator.inputs, *operator.outputs) if i >= 0}
    assert used == set(range(len(graph.tensors)))
    assert {o.opcodeIndex for o in graph.operators} == set(range(len(whole.operatorCodes)))
    assert len({tensor.name for tensor in graph.tensors}) == len(graph.tensors)
    held = {t.buffer for t in graph.tensors} | {entry.buffer for entry in whole.metadata}
    assert all(index in held for index, buffer in enumerate(whole.buffers) if buffer.data is not None)


@pytest.mark.parametrize(
    ("per_channel", "float_weights", "version", "runtime"),
    [(True, False, 5, b"2.7.0"), (False, False, 2, b"2.2.0"), (True, True, 2, b"2.2.0")],
)
def test_versions_say_what_a_runtime_must_know(
    per_channel: bool, float_weights: bool, version: int, runtime: bytes
) -> None:
    data = small(per_channel=per_channel, metadata=True)
    flow = Dataflow(reverted(data, [FIRST], twins(Dataflow(data), Dataflow(plain())), float_weights=float_weights))
    place = kinds(data).index("FULLY_CONNECTED")
    assert place == FIRST
    codes = {code.builtinCode: code.version for code in flow.model.operatorCodes}
    assert codes[flow.schema.BuiltinOperator.DEQUANTIZE] == version
    [entry] = flow.model.metadata
    stated = bytes(flow.model.buffers[entry.buffer].data)
    assert (stated.rstrip(b"\0"), len(stated)) == (runtime, 16)


def test_an_operator_in_float_has_the_version_of_the_float_file() -> None:
    def newer(s: Any, whole: Any) -> None:
        for code in whole.operatorCodes:
            code.version = 4 if code.builtinCode == s.BuiltinOperator.FULLY_CONNECTED else 1

    data = changed(small(), newer)
    flow = Dataflow(reverted(data, [SECOND], twins(Dataflow(data), Dataflow(plain())), float_weights=False))
    dense = [i for i, kind in enumerate(flow.kinds) if kind == "FULLY_CONNECTED"]
    assert [flow.model.operatorCodes[flow.graph.operators[i].opcodeIndex].version for i in dense] == [4, 1]
    options = [flow.graph.operators[i].builtinOptions for i in dense]
    assert [(o.fusedActivationFunction, o.asymmetricQuantizeInputs) for o in options] == [(1, False), (0, False)]


def test_readers_of_a_tensor_share_its_dequantize() -> None:
    """Two in float, and one in int8, of a tensor that an int8 operator computes; one more reads it twice."""
    from ai_edge_litert import schema_py_generated as s

    how: dict[str, Any] = {"scale": [STEP], "zero_point": [0]}
    tensors = [T(name, (1, 8), **how) for name in "xabcdy"]
    operators = [Op("RELU", [0], [1])]
    operators += [Op("MUL", [1, 1], [2], s.MulOptionsT()), Op("LOGISTIC", [1], [3]), Op("TANH", [1], [4])]
    operators += [Op("ADD", [2, 4], [5], s.AddOptionsT())]
    data = model(tensors, operators, [0], [5, 3])
    found = reverted(data, [1, 2], float_weights=False)
    assert kinds(found).count("DEQUANTIZE") == 1
    assert kinds(found).count("QUANTIZE") == 2
    for one, other in zip(load_tflite(data).real_outputs([X]), load_tflite(found).real_outputs([X]), strict=True):
        np.testing.assert_allclose(one, other, atol=STEP)


def test_a_float_operator_that_was_there_reads_the_float_tensor() -> None:
    """A layer that the quantizer left in float, between two that it did not."""
    from ai_edge_litert import schema_py_generated as s

    tensors = [T("x", (1, 8), scale=[STEP], zero_point=[0]), T("a", (1, 8), scale=[1 / 64], zero_point=[0])]
    tensors += [T("f", (1, 8), "FLOAT32"), T("g", (1, 8), "FLOAT32"), T("b", (1, 8), scale=[1 / 64], zero_point=[0])]
    tensors += [T("y", (1, 8), scale=[2.0], zero_point=[0])]
    mul = s.MulOptionsT()
    operators = [Op("MUL", [0, 0], [1], mul), Op("DEQUANTIZE", [1], [2]), Op("SQUARE", [2], [3])]
    operators += [Op("QUANTIZE", [3], [4]), Op("MUL", [4, 4], [5], mul)]
    data = model(tensors, operators, [0], [5])
    assert list(revertible(Dataflow(data))) == [0, 4]
    found = reverted(data, [0, 4], float_weights=False)
    assert kinds(found) == ["DEQUANTIZE", "MUL", "SQUARE", "MUL", "QUANTIZE"]
    np.testing.assert_array_equal(run(found), np.clip(np.round(X.astype(np.float64) ** 8 / 2), -128, 127) * 2)
    assert kinds(reverted(data, [0], float_weights=False)) == ["DEQUANTIZE", "MUL", "SQUARE", "QUANTIZE", "MUL"]
    np.testing.assert_array_equal(
        run(reverted(data, [4], float_weights=False)),
        np.clip(np.round(np.square(np.minimum(np.square(X), 127 / 64)) ** 2 / 2), -128, 127) * 2,
    )


@pytest.mark.parametrize(
    "kind", ["SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "WHILE", "Own", "SHAPE", "CAST", "STABLEHLO_ADD"]
)
@pytest.mark.parametrize("kept", ["TANH", "scale", "state", "maker"])
def test_what_is_offered_of_int8_operators(kind: str, kept: str) -> None:
    """An operator of a kind that is never offered, and TANH where it lacks something."""

    def state(s: Any, whole: Any) -> None:
        whole.subgraphs[0].tensors[1].isVariable = kept == "state"

    how: dict[str, Any] = {} if kept == "scale" else {"scale": [STEP], "zero_point": [0]}
    tensors = [
        T("x", (1, 8), scale=[STEP], zero_point=[0]),
        T("a", (1, 8), **how),
        T("y", (1, 8), **how),
        T("z", (1, 8), **how),
    ]
    operators = [Op(kind, [0], [3 if kept == "maker" else 1]), Op("TANH", [1], [2])]
    flow = Dataflow(changed(model(tensors, operators, [0], [2]), state))
    assert [flow.kinds[i] for i in revertible(flow)] == (["TANH"] if kept == "TANH" else [])


@pytest.mark.parametrize("name", ["svdf", "composite", "mlp", "tied_embedding"])
def test_what_keeps_a_state_or_has_a_graph_inside_is_not_offered(name: str) -> None:
    data = foreign_tflite.FILES[name]()
    loaded = load_tflite(data)
    rng = np.random.default_rng(0)
    shapes = [(8, *spec.shape[1:]) for spec in loaded.inputs]
    floats = [spec.dtype == "float32" for spec in loaded.inputs]
    calibration = [
        rng.normal(size=shape).astype(np.float32) if real else rng.integers(0, 20, shape).astype(np.int32)
        for shape, real in zip(shapes, floats, strict=True)
    ]
    small_file = by_litert(data, calibration)
    flow = Dataflow(small_file)
    offered = [flow.kinds[i] for i in revertible(flow)]
    wanted = {"svdf": [], "tied_embedding": ["GATHER", "FULLY_CONNECTED"]}.get(name, ["FULLY_CONNECTED"] * 2)
    assert offered == wanted
    if offered:
        found = reverted(small_file, revertible(flow), float_weights=False)
        [one], [other] = (load_tflite(file).real_outputs(calibration) for file in (data, found))
        assert np.abs(one - other).max() < 0.05 * np.abs(one).max()
    with pytest.raises(ValueError, match="cannot be reverted"):
        reverted(small_file, [len(flow.kinds)], float_weights=False)


def test_a_file_whose_operators_read_in_a_circle_is_damaged() -> None:
    tensors = [T(name, (1, 8), scale=[STEP], zero_point=[0]) for name in "xaby"]
    operators = [Op("QUANTIZE", [2], [1]), Op("QUANTIZE", [1], [2]), Op("RELU", [1], [3])]
    with pytest.raises(Damaged):
        Dataflow(model(tensors, operators, [0], [3]))
