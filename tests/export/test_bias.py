"""Biases of int8 files that take back what rounding and saturation add on average."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.export.calibration import Ranging
from edgekit.export.tflite import bias
from edgekit.export.tflite.nearness import nearness_db, outputs, parted
from edgekit.export.tflite.quantizer import int8, to_int8
from edgekit.export.tflite.ranges import with_ranges
from edgekit.formats.tflite.pack import pack
from tests.support.planted import dense, mostly_small, one_sided, spread
from tests.support.tiny_tflite import changed

pytestmark = pytest.mark.tensorflow


def uncorrected(source: bytes, samples: Any, method: str = "minmax") -> bytes:
    return to_int8(with_ranges(source, [samples], Ranging(method), "int8")).data


def db(source: bytes, made: bytes, samples: Any) -> float:
    return nearness_db(outputs(source, [samples]), outputs(made, [samples]))


def biases(data: bytes) -> dict[str, Any]:
    """Values and scales of the int32 constants, in the order of the file."""
    from ai_edge_litert import schema_py_generated as s

    model = s.ModelT.InitFromPackedBuf(data, 0)
    return {
        f"b{n}": (model.buffers[t.buffer].data.view("<i4").astype(np.int64), np.array(t.quantization.scale))
        for n, t in enumerate(t for t in model.subgraphs[0].tensors if t.type == s.TensorType.INT32)
    }


@pytest.fixture
def rounded_down(rng: Any) -> tuple[bytes, Any, Any]:
    """A layer with weights that are all rounded down: the file, its samples, and its weights."""
    weights = one_sided(rng)
    return dense((weights, np.zeros(8))), rng.uniform(0, 1, (500, 32)).astype(np.float32), weights


def test_what_rounded_weights_add_to_the_mean_goes_out_of_the_bias(rounded_down: Any) -> None:
    source, samples, weights = rounded_down
    plain = uncorrected(source, samples)
    made = bias.corrected(plain, source, [samples])
    assert db(source, made, samples) > db(source, plain, samples) + 12  # 23.5 and 40.2 dB when this was written
    before, after = biases(plain)["b0"], biases(made)["b0"]
    lost = (np.rint(weights * 127) - weights * 127) / 127  # of a scale of 1 / 127 in each channel
    moved = (after[0] - before[0]) * after[1]
    np.testing.assert_allclose(moved, -(lost @ samples.mean(axis=0)), rtol=0.05)
    assert len(made) <= len(plain)


def test_each_layer_meets_inputs_that_are_corrected_already(rng: Any) -> None:
    """Were all measured at once, the second layer would take back what the first one does, a second time."""
    layers = [(one_sided(rng, 32, 32), np.zeros(32)), (one_sided(rng, 32, 8), np.zeros(8))]
    source, samples = dense(*layers), rng.uniform(0, 1, (500, 32)).astype(np.float32)
    plain = uncorrected(source, samples)
    fitting, held = parted([samples])
    made = bias.corrected(plain, source, fitting)
    assert db(source, made, held[0]) > db(source, plain, held[0]) + 7  # 21.9 and 31.3 dB when this was written
    true, found = outputs(source, held)[0], outputs(made, held)[0]
    rounding = np.sqrt(np.mean((true - found) ** 2, axis=0))
    assert (np.abs((true - found).mean(axis=0)) < 0.5 * rounding).all()


def test_a_file_is_changed_only_where_that_is_clearly_better(rounded_down: Any, rng: Any) -> None:
    source, samples, _ = rounded_down
    made = int8(source, [samples])
    assert made.note.startswith("biases corrected (23.") and made.data != uncorrected(source, samples)
    fine = dense((spread(rng, 16, 1.0), np.zeros(16)))
    x = mostly_small(rng)
    made = int8(fine, [x])
    assert (made.data, made.note) == (uncorrected(fine, x), "")
    assert bias.corrected(made.data, fine, [x]) != made.data


def test_what_is_gained_is_measured_on_samples_that_no_mean_is_of(
    rounded_down: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, samples, _ = rounded_down
    seen: dict[str, Any] = {}
    monkeypatch.setattr(
        bias, "corrected", lambda data, _, fitting: seen.update(fitting=fitting[0]) or bytes(bytearray(data))
    )
    monkeypatch.setattr(bias, "outputs", lambda data, held: seen.update(held=held[0]) or outputs(data, held))
    plain = uncorrected(source, samples)
    bias.nearer(plain, source, [samples])
    both = np.concatenate([seen["fitting"], seen["held"]])
    assert len(seen["held"]) == 100 and len(np.unique(both, axis=0)) == len(samples)


def test_a_packed_file_is_corrected_too(rounded_down: Any) -> None:
    source, samples, _ = rounded_down
    plain = uncorrected(source, samples)
    made = bias.corrected(pack(plain), source, [samples])
    assert (biases(made)["b0"][0] == biases(bias.corrected(plain, source, [samples]))["b0"][0]).all()


def test_files_with_nothing_to_correct_stay_as_they_are(rounded_down: Any, rng: Any) -> None:
    source, samples, _ = rounded_down
    plain = uncorrected(source, samples)

    def trained(s: Any, whole: Any) -> None:
        graph = whole.subgraphs[0]
        whole.operatorCodes.append(s.OperatorCodeT(deprecatedBuiltinCode=114, builtinCode=s.BuiltinOperator.QUANTIZE))
        rounded = s.QuantizationParametersT(scale=[0.1], zeroPoint=[0])
        graph.tensors.append(s.TensorT(shape=[1, 8], type=s.TensorType.INT8, name=b"q", quantization=rounded))
        graph.operators.append(s.OperatorT(opcodeIndex=1, inputs=graph.outputs, outputs=[len(graph.tensors) - 1]))

    def shared(s: Any, whole: Any) -> None:
        tensors = whole.subgraphs[0].tensors
        first = next(t for t in tensors if t.type == s.TensorType.INT32)
        tensors.append(s.TensorT(shape=first.shape, type=first.type, buffer=first.buffer, name=b"again"))

    assert bias.corrected(plain, dense((one_sided(rng), np.zeros(8))), [samples]) is plain  # of other weights
    assert bias.corrected(plain, changed(source, trained), [samples]) is plain
    twice = changed(plain, shared)
    assert bias.corrected(twice, source, [samples]) is twice


def test_values_that_are_not_finite_or_too_large_change_no_bias(rounded_down: Any) -> None:
    source, samples, _ = rounded_down
    plain = uncorrected(source, samples)

    def bent(values: list[float]) -> bytes:
        def change(s: Any, whole: Any) -> None:
            buffer = whole.buffers[whole.subgraphs[0].tensors[2].buffer]
            buffer.data = np.array(values, "<f4").view(np.uint8)

        return changed(source, change)

    other = bent([np.nan, np.inf, 1e30, *[0.0] * 5])
    before, after = biases(plain)["b0"][0], biases(bias.corrected(plain, other, [samples]))["b0"][0]
    assert (before[:3] == after[:3]).all() and (before[3:] != after[3:]).all()
    assert bias.nearer(plain, other, [samples]).data == plain
