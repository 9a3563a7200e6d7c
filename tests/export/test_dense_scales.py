"""One scale in place of one a channel in dense layers, on tiny files made by code."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from edgekit.export.tflite.dense_scales import floor_db, gain_in_bytes, one_scale
from edgekit.export.tflite.nearness import nearness_db, outputs
from edgekit.formats.tflite.pack import pack
from tests.support.tiny_tflite import Op, T, changed, model

WIDTHS = (24, 96, 96, 24)
SAMPLES = [np.random.default_rng(1).uniform(-1, 1, (60, WIDTHS[0])).astype(np.float32)]


def weights(spread: float) -> list[np.ndarray]:
    """Dense weights; rows of the second layer differ in size by `spread`, and the third layer undoes it."""
    rng = np.random.default_rng(0)
    found = [rng.uniform(-1, 1, (n, k)).astype(np.float32) / k for k, n in pairwise(WIDTHS)]
    sizes = np.geomspace(1, spread, WIDTHS[2]).astype(np.float32)
    return [found[0], found[1] * sizes[:, None], found[2] / sizes[None]]


def files(spread: float) -> tuple[bytes, bytes]:
    """Return a float file of three dense layers and the same in int8, a scale a channel."""
    from ai_edge_litert import schema_py_generated as s

    matrices = weights(spread)
    values, scales = SAMPLES[0], [1 / 127]
    for matrix in matrices:
        values = values @ matrix.T
        scales.append(float(np.abs(values).max() / 127))
    plain, small = [T("x", (1, WIDTHS[0]), "FLOAT32")], [T("x", (1, WIDTHS[0]), scale=scales[:1], zero_point=[0])]
    operators = []
    for n, matrix in enumerate(matrices):
        steps = np.abs(matrix).max(axis=1) / 127
        stored = np.rint(matrix / steps[:, None]).astype(np.int8)
        zeros, bias = [0] * len(steps), [scales[n] * step for step in steps]
        shape = (1, len(matrix))
        plain += [T(f"w{n}", matrix.shape, "FLOAT32", matrix.astype("<f4").tobytes())]
        plain += [T(f"b{n}", shape[1:], "FLOAT32", bytes(4 * shape[1])), T(f"y{n}", shape, "FLOAT32")]
        small += [T(f"w{n}", matrix.shape, "INT8", stored.tobytes(), steps.tolist(), zeros)]
        small += [T(f"b{n}", shape[1:], "INT32", bytes(4 * shape[1]), bias, zeros)]
        small += [T(f"y{n}", shape, scale=[scales[n + 1]], zero_point=[0])]
        at = 3 * n
        operators.append(Op("FULLY_CONNECTED", [at, at + 1, at + 2], [at + 3], s.FullyConnectedOptionsT()))
    last = len(plain) - 1
    return model(plain, operators, [0], [last]), pack(model(small, operators, [0], [last]))


def scales(flatbuffer: bytes) -> list[int]:
    """Return how many scales the weights of every layer have."""
    from ai_edge_litert import schema_py_generated as s

    graph = s.ModelT.InitFromPackedBuf(flatbuffer, 0).subgraphs[0]
    return [len(graph.tensors[op.inputs[1]].quantization.scale) for op in graph.operators]


def test_alike_rows_share_a_scale() -> None:
    source, int8 = files(1)
    made = one_scale(int8, lambda: source, SAMPLES)
    assert scales(int8) == [96, 96, 24] and scales(made) == [1, 1, 1]
    # Nothing is rounded twice: what is stored are the float weights, in steps of the largest channel.
    assert len(int8) - len(made) >= gain_in_bytes(int8) == 8 * (95 + 95 + 23)
    true = outputs(source, SAMPLES)
    assert nearness_db(true, outputs(made, SAMPLES)) >= floor_db(nearness_db(true, outputs(int8, SAMPLES)))
    assert one_scale(made, lambda: source, SAMPLES) == made


def test_rows_of_different_sizes_keep_theirs() -> None:
    """One scale for rows of 1 to 300 would leave the small ones without bits; the other layers share still."""
    source, int8 = files(300)
    made = one_scale(int8, lambda: source, SAMPLES)
    assert scales(made)[1] == 96 and scales(made)[0] == 1
    true = outputs(source, SAMPLES)
    assert nearness_db(true, outputs(made, SAMPLES)) >= floor_db(nearness_db(true, outputs(int8, SAMPLES)))


def test_weights_are_rounded_from_the_float_ones() -> None:
    from ai_edge_litert import schema_py_generated as s

    source, int8 = files(1)
    graph = s.ModelT.InitFromPackedBuf(one_scale(int8, lambda: source, SAMPLES), 0)
    for n, matrix in enumerate(weights(1)):
        tensor = next(t for t in graph.subgraphs[0].tensors if t.name == f"w{n}".encode())
        stored = np.asarray(graph.buffers[tensor.buffer].data, np.uint8).view(np.int8).reshape(matrix.shape)
        np.testing.assert_array_equal(stored, np.rint(matrix / tensor.quantization.scale[0]))


def test_too_little_to_gain_asks_for_no_float_file() -> None:
    def asked() -> bytes:
        raise AssertionError("the float file was asked for")

    source, int8 = files(1)
    done = one_scale(int8, lambda: source, SAMPLES)
    assert one_scale(done, asked, SAMPLES) == done


def test_without_a_float_file_nothing_changes() -> None:
    def none() -> bytes:
        raise ValueError("its inputs are in another order")

    _, int8 = files(1)
    assert one_scale(int8, none, SAMPLES) == int8


def test_where_the_float_file_is_not_finite_nothing_changes() -> None:
    source, int8 = files(1)

    def spoil(s: Any, whole: Any) -> None:
        bias = next(t for t in whole.subgraphs[0].tensors if t.name == b"b2")
        whole.buffers[bias.buffer].data = np.full(WIDTHS[3], np.nan, "<f4").view(np.uint8)

    assert one_scale(int8, lambda: changed(source, spoil), SAMPLES) == int8


def test_operators_without_inputs_are_passed_over() -> None:
    def add(s: Any, whole: Any) -> None:
        whole.operatorCodes.append(s.OperatorCodeT(builtinCode=s.BuiltinOperator.VAR_HANDLE))
        whole.subgraphs[0].operators.append(s.OperatorT(opcodeIndex=1, inputs=None, outputs=[]))

    assert gain_in_bytes(changed(files(1)[1], add)) == gain_in_bytes(files(1)[1])


@pytest.mark.parametrize(("now", "floor"), [(20.0, 19.8), (40.1, 39.9), (41.0, 40.0), (47.0, 45.5)])
def test_what_may_be_lost(now: float, floor: float) -> None:
    assert floor_db(now) == pytest.approx(floor)
