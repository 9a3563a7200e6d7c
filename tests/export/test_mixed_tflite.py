"""Mixed precision of .tflite files, on a net with branches and both quantizers."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.export.calibration import MINMAX
from edgekit.export.mixed.quantized import Operator, Quantized
from edgekit.export.mixed.sensitivity import measured
from edgekit.export.mixed.tflite import TfliteQuantized
from edgekit.export.signature import Signature
from edgekit.export.tflite.convert import convert_pair
from edgekit.export.tflite.dataflow import Dataflow
from edgekit.formats.reading import inspect_file
from edgekit.formats.tflite.pack import pack
from edgekit.frameworks.tensorflow import seed_everything, tf_keras
from edgekit.stats import sqnr_db
from tests.support.branching_tflite import OPERATORS, by_litert, by_tensorflow, network, samples
from tests.support.raised import raised
from tests.support.tiny_tflite import changed

Q_AND_DQ = ("QUANTIZE", "DEQUANTIZE")
SUBSETS = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", params=["litert", pytest.param("tensorflow", marks=pytest.mark.tensorflow)])
def pair(request: pytest.FixtureRequest) -> TfliteQuantized:
    quantizer = by_litert if request.param == "litert" else by_tensorflow
    return TfliteQuantized(network(), quantizer(network(), samples()))


@pytest.fixture(scope="module")
def litert() -> TfliteQuantized:
    return TfliteQuantized(network(), by_litert(network(), samples()))


def indices(pair: Quantized) -> list[int]:
    return [operator.index for operator in pair.operators]


def rounded(values: np.ndarray, step: tuple[float, int] | None) -> np.ndarray:
    """Return values as an int8 tensor holds them."""
    assert step is not None
    scale, zero = np.float32(step[0]), step[1]
    return (np.clip(np.round(values.astype(np.float32) / scale) + zero, -128, 127) - zero) * scale


def ends(pair: TfliteQuantized) -> tuple[list[tuple[float, int] | None], list[tuple[float, int] | None]]:
    flow = Dataflow(pair.int8_file)
    return [pair.step(i) for i in flow.ends[0]], [pair.step(i) for i in flow.ends[1]]


def without_delegates(data: bytes, given: list[np.ndarray]) -> list[np.ndarray]:
    """Return the outputs of a file with int8 ends, by LiteRT's own kernels, of its first sample."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    own = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=data, experimental_op_resolver_type=own)
    interpreter.allocate_tensors()
    for details, column in zip(interpreter.get_input_details(), given, strict=True):
        scale, zero = details["quantization"]
        stored = np.clip(np.round(column[:1] / np.float32(scale)) + zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(details["index"], stored)
    interpreter.invoke()
    found = []
    for details in interpreter.get_output_details():
        scale, zero = details["quantization"]
        found.append((interpreter.get_tensor(details["index"]).astype(np.float64) - zero) * scale)
    return found


def test_every_operator_is_offered_and_has_its_twin(pair: TfliteQuantized) -> None:
    assert [operator.kind for operator in pair.operators] == list(OPERATORS)
    sizes = {"conv": 216, "depthwise": 72, "pointwise": 64, "factor": 8, "transpose": 256, "dense": 1536, "other": 36}
    assert [operator.weight_bytes for operator in pair.operators if operator.weight_bytes] == [
        *sizes.values(), 60, 36,
    ]  # fmt: skip
    for operator in pair.operators:
        found = pair.weights(operator)
        assert (found is None) is (operator.weight_bytes == 0)
        if found is not None:
            plain, small = found
            assert plain.size == small.size == operator.weight_bytes
            assert plain.shape == small.shape
            whole = operator.kind == "MUL"
            step = np.abs(plain).max(axis=None if whole else 1, keepdims=True) / (255 if whole else 127)
            assert (np.abs(plain - small) <= 0.51 * step).all()
            assert np.abs(plain - small).max() > 0


def test_operators_are_tied_by_the_numbers_of_activations(pair: TfliteQuantized) -> None:
    operators = {operator.index: operator for operator in pair.operators}
    flow = Dataflow(pair.int8_file)
    for operator in operators.values():
        for tensor in operator.inputs:
            assert tensor in flow.ends[0] or tensor in operators[flow.made_by[tensor]].outputs
    assert [len(operator.inputs) for operator in pair.operators] == [1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 2, 1, 1, 1]


def test_nothing_reverted_is_the_int8_file(pair: TfliteQuantized) -> None:
    assert pair.reverted([], float_weights=True) == pair.int8_file


def test_all_reverted_is_the_float_file_between_rounded_ends(pair: TfliteQuantized) -> None:
    given_, steps = samples(), ends(pair)
    fed = [rounded(column, step) for column, step in zip(given_, steps[0], strict=True)]
    wanted = [rounded(o, step) for o, step in zip(pair.outputs(pair.float_file, fed), steps[1], strict=True)]
    found = pair.reverted(indices(pair), float_weights=True)
    for one, other in zip(pair.outputs(found, given_), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    kinds = Dataflow(found).kinds
    assert kinds.count("DEQUANTIZE") == kinds.count("QUANTIZE") == 2
    assert len(found) < len(pair.float_file)


def test_int8_weights_in_float_are_what_the_int8_file_holds(pair: TfliteQuantized) -> None:
    """All reverted with int8 weights is the float file with its constants rounded."""
    flow = Dataflow(pair.int8_file)
    twins = pair._twins

    def change(s: Any, whole: Any) -> None:
        for (index, place), tensor in twins.constants.items():
            values = flow.values(flow.inputs[index][place])
            assert values is not None
            whole.buffers[whole.subgraphs[0].tensors[tensor].buffer].data = list(values.astype("<f4").tobytes())

    reference = changed(pair.float_file, change)
    given_, steps = samples(), ends(pair)
    fed = [rounded(column, step) for column, step in zip(given_, steps[0], strict=True)]
    wanted = [rounded(o, step) for o, step in zip(pair.outputs(reference, fed), steps[1], strict=True)]
    found = pair.reverted(indices(pair), float_weights=False)
    for one, other in zip(pair.outputs(found, given_), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert len(found) < len(pack(pair.int8_file)) + 800


@cache
def both_outputs(pair: TfliteQuantized) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the outputs of the float and of the int8 file."""
    return pair.outputs(pair.float_file, samples(8)), pair.outputs(pair.int8_file, samples(8))


@SUBSETS
@given(chosen=st.sets(st.sampled_from(range(len(OPERATORS)))), float_weights=st.booleans())
def test_any_operators_may_be_reverted(
    pair: TfliteQuantized, tmp_path: Path, chosen: set[int], float_weights: bool
) -> None:
    given_ = samples(8)
    indexed = [pair.operators[place].index for place in chosen]
    data = pair.reverted(indexed, float_weights=float_weights)
    found = pair.outputs(data, given_)
    for true, int8, mixed in zip(*both_outputs(pair), found, strict=True):
        assert sqnr_db(true, mixed) > sqnr_db(true, int8) - 4
    for one, other, step in zip(without_delegates(data, given_), found, ends(pair)[1], strict=True):
        assert step is not None
        assert np.abs(one.ravel() - other[0]).max() <= 4.01 * step[0]
    flow = Dataflow(data)
    small_kinds = Counter(kind for kind in Dataflow(pair.int8_file).kinds if kind not in Q_AND_DQ)
    assert Counter(kind for kind in flow.kinds if kind not in Q_AND_DQ) == small_kinds
    for kind, reads in zip(flow.kinds, flow.inputs, strict=True):  # nothing is rounded between two in float
        other = {"QUANTIZE": "DEQUANTIZE", "DEQUANTIZE": "QUANTIZE"}.get(kind, "")
        assert not chosen or kind not in Q_AND_DQ or flow.kinds[flow.made_by.get(reads[0], 0)] != other
    (tmp_path / "mixed.tflite").write_bytes(data)
    (tmp_path / "int8.tflite").write_bytes(pair.int8_file)
    info, before = inspect_file(tmp_path / "mixed.tflite"), inspect_file(tmp_path / "int8.tflite")
    for side in ("inputs", "outputs"):
        assert [(t.name, t.shape, t.dtype, t.quantization) for t in getattr(info, side)] == [
            (t.name, t.shape, t.dtype, t.quantization) for t in getattr(before, side)
        ]
    assert info.signatures == before.signatures
    assert info.macs == before.macs


def test_reverting_more_comes_nearer(litert: TfliteQuantized) -> None:
    given_ = samples()
    reference = litert.outputs(litert.float_file, given_)

    def near(chosen: list[int]) -> float:
        found = litert.outputs(litert.reverted(chosen, float_weights=True), given_)
        return min(sqnr_db(a, b) for a, b in zip(reference, found, strict=True))

    everything = indices(litert)
    half = near(everything[: len(everything) // 2])
    assert near([]) + 0.5 < half < near(everything) - 0.5


@pytest.mark.parametrize("which", ["int8", "float"])
def test_traces_hold_what_goes_in_and_what_comes_out(pair: TfliteQuantized, which: Any) -> None:
    given_ = samples(3)
    flow = Dataflow(pair.int8_file)
    rows = list(pair.traced(which, given_))
    assert len(rows) == 3
    activations = {i for i in range(len(flow.tensors)) if flow.activation(i)}
    assert all(set(row) == activations for row in rows)
    file = pair.int8_file if which == "int8" else pair.float_file
    for tensor, output in zip(flow.ends[1], pair.outputs(file, given_), strict=True):
        np.testing.assert_allclose([row[tensor].ravel() for row in rows], output, rtol=1e-6)
    for tensor, column in zip(flow.ends[0], given_, strict=True):
        fed = rounded(column, pair.step(tensor)) if which == "int8" else column
        np.testing.assert_allclose([row[tensor][0] for row in rows], fed, rtol=1e-6)
    for row in rows:
        for tensor, values in row.items():
            assert values.dtype == np.float32
            assert values.shape == flow.shape(tensor)
            if which == "int8":
                np.testing.assert_allclose(values, rounded(values, pair.step(tensor)), rtol=1e-6)


def test_both_traces_are_of_the_same_tensors(pair: TfliteQuantized) -> None:
    [small], [plain] = (list(pair.traced(which, samples(1))) for which in ("int8", "float"))
    assert min(sqnr_db(plain[i].astype(float), small[i].astype(float)) for i in plain) > 20


def test_inputs_may_come_in_another_order_in_the_float_file(litert: TfliteQuantized) -> None:
    def swap(s: Any, whole: Any) -> None:
        graph, [signature] = whole.subgraphs[0], whole.signatureDefs
        graph.inputs, graph.outputs = graph.inputs[::-1], graph.outputs[::-1]
        assert [entry.name for entry in signature.inputs] == [b"image", b"numbers"]

    other = TfliteQuantized(changed(network(), swap), litert.int8_file)
    for one, two in zip(
        litert.outputs(litert.float_file, samples(4)), other.outputs(other.float_file, samples(4)), strict=True
    ):
        np.testing.assert_array_equal(one, two)
    [one_row], [two_row] = (list(pair.traced("float", samples(1))) for pair in (litert, other))
    assert set(one_row) == set(two_row)
    assert all(np.array_equal(one_row[i], two_row[i]) for i in one_row)


def test_weights_of_another_model_are_not_taken(litert: TfliteQuantized) -> None:
    def other_weights(s: Any, whole: Any) -> None:
        for tensor in whole.subgraphs[0].tensors:
            if tensor.name in (b"conv", b"dense"):
                buffer = whole.buffers[tensor.buffer]
                buffer.data = (np.asarray(buffer.data, np.uint8).view("<f4") * np.float32(2)).view(np.uint8)

    other = TfliteQuantized(changed(network(), other_weights), litert.int8_file)
    known = {operator.name for operator in other.operators if other.weights(operator) is not None}
    before = {operator.name for operator in litert.operators if litert.weights(operator) is not None}
    assert before - known == {"conv_2d_0", "fully_connected_10"}
    alone = [o.index for o in litert.operators if o.name in before - known]
    [one], [two] = (list(pair.traced("int8", samples(1))) for pair in (litert, other))
    assert one.keys() == two.keys()
    assert other.reverted(alone, float_weights=True) == other.reverted(alone, float_weights=False)
    assert litert.reverted(alone, float_weights=True) != litert.reverted(alone, float_weights=False)


def test_a_file_that_is_quantized_itself_has_no_float_weights(litert: TfliteQuantized) -> None:
    """As that of a model which was trained with fake quantization, as TensorFlow's converter writes it."""
    pair = TfliteQuantized(litert.int8_file, litert.int8_file)
    assert all(pair.weights(operator) is None for operator in pair.operators)
    both = [len(pair.reverted(indices(pair), float_weights=float_weights)) for float_weights in (True, False)]
    assert both[0] == both[1] < len(litert.reverted(indices(litert), float_weights=True)) - 5000


def test_of_layers_that_read_the_same_the_weights_tell(litert: TfliteQuantized) -> None:
    """Two dense layers of one shape read one tensor, and the float file has them in the other order."""
    from tests.export.test_reverting import TRUE, _float
    from tests.support.tiny_tflite import Op, T, model

    def file(order: tuple[int, int]) -> bytes:
        tensors = [T("x", (1, 40), "FLOAT32"), _float("a", TRUE[0].T), _float("b", TRUE[1].T)]
        tensors += [T("p", (1, 8), "FLOAT32"), T("q", (1, 8), "FLOAT32"), T("y", (1, 8), "FLOAT32")]
        operators = [Op("FULLY_CONNECTED", [0, 1 + i, -1], [3 + i], fully()) for i in order]
        operators.append(Op("SUB", [3, 4], [5], sub()))
        return model(tensors, operators, [0], [5], signature=(["x"], ["y"]))

    def fully() -> Any:
        from ai_edge_litert.schema_py_generated import FullyConnectedOptionsT

        return FullyConnectedOptionsT()

    def sub() -> Any:
        from ai_edge_litert.schema_py_generated import SubOptionsT

        return SubOptionsT()

    x = [np.random.default_rng(2).normal(size=(8, 40)).astype(np.float32)]
    pair = TfliteQuantized(file((1, 0)), by_litert(file((0, 1)), x))
    [small], [plain] = (list(pair.traced(which, [x[0][:1]])) for which in ("int8", "float"))
    assert len(plain) == len(small) == 4
    assert min(sqnr_db(plain[i].astype(float), small[i].astype(float)) for i in plain) > 25


def test_what_it_raises(litert: TfliteQuantized) -> None:
    with raised("file-damaged"):
        TfliteQuantized(network(), litert.int8_file[:400])
    with raised("file-damaged"):
        TfliteQuantized(b"\x20\0\0\0TFL3" + bytes(40), litert.int8_file)
    with pytest.raises(ValueError, match="cannot be reverted"):
        litert.reverted([999], float_weights=True)


def test_it_has_the_protocol(litert: TfliteQuantized) -> None:
    found: Quantized = litert
    assert all(isinstance(operator, Operator) for operator in found.operators)


@pytest.mark.tensorflow
def test_what_cancels_out_behind_stays_int8(tmp_path: Path) -> None:
    """A large branch is added and subtracted again: both in float are enough, what computes the branch stays int8."""
    layers, rng = tf_keras().layers, np.random.default_rng(0)
    seed_everything(0)
    inputs = layers.Input((8, 8, 4))
    large = layers.Conv2D(6, 3, name="large")
    branch, small = large(inputs), layers.Conv2D(6, 3, activation="relu")(inputs)
    x = layers.Subtract()([layers.Add()([branch, small]), branch])
    model = tf_keras().Model(inputs, layers.Dense(4)(layers.Flatten()(x)))
    large.set_weights([200 * weight for weight in large.get_weights()])
    signature, given = Signature(model), rng.uniform(-1, 1, (40, 8, 8, 4)).astype(np.float32)
    signature.save(tmp_path / "saved")
    float_file, int8_file = convert_pair(tmp_path / "saved", signature, "int8", given, MINMAX)
    quantized = TfliteQuantized(float_file, int8_file)
    found = measured(quantized, [given])
    kinds = {operator.index: operator.kind for operator in quantized.operators}
    assert {kinds[index] for index in found.order[0].operators} == {"ADD", "SUB"}
    assert found.gains[0].db > 10
