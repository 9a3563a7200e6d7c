"""Divisions of int8 files compute in float32: the int8 kernel ends the inference where a divisor rounds to zero."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.export.calibration import MINMAX
from edgekit.export.tflite.dataflow import Dataflow
from edgekit.export.tflite.division import divided_in_float
from edgekit.export.tflite.quantizer import Quantizer, int8, int16x8
from edgekit.measuring.loaded import load_tflite
from tests.support.tiny_tflite import Op, T, model

STEP = 1 / 16
SAMPLES = np.array([[7.0, 2.0], [1.0, 4.0], [-3.0, 0.5], [6.0, 6.0]], np.float32)


def small(kind: str = "DIV") -> bytes:
    """A quotient of two int8 inputs, and its ReLU."""
    from ai_edge_litert import schema_py_generated as s

    tensors = [T(name, (1, 1), scale=[STEP], zero_point=[0]) for name in ("x", "d")]
    tensors += [T(name, (1, 1), scale=[STEP], zero_point=[0]) for name in ("q", "y")]
    options = s.DivOptionsT() if kind == "DIV" else s.MulOptionsT()
    return model(tensors, [Op(kind, [0, 1], [2], options), Op("RELU", [2], [3])], [0, 1], [3])


def integers(values: float) -> np.ndarray:
    return np.array([[round(values / STEP)]], np.int8)


def test_a_divisor_that_rounds_to_zero_ends_no_inference() -> None:
    data = small()
    with pytest.raises(RuntimeError, match="DIV"):
        load_tflite(data).run([integers(1.0), integers(0.0)])
    divided = divided_in_float(data)
    assert divided.note == "DIV in float"
    run = load_tflite(divided.data).run
    [infinite] = run([integers(1.0), integers(0.0)])
    assert infinite.item() == 127
    for dividend, divisor in SAMPLES[:3]:
        [quotient] = run([integers(dividend), integers(divisor)])
        assert quotient.item() == round(max(dividend / divisor, 0) / STEP)


def test_without_a_division_nothing_changes() -> None:
    data = small("MUL")
    divided = divided_in_float(data)
    assert divided.data is data and not divided.note


def plain() -> bytes:
    """2 (2x / 2d)."""
    from ai_edge_litert import schema_py_generated as s

    tensors = [T(name, (1, 1), "FLOAT32") for name in ("x", "d", "u", "v", "q", "y")]
    operators = [
        Op("ADD", [0, 0], [2], s.AddOptionsT(potScaleInt16=False)),
        Op("ADD", [1, 1], [3], s.AddOptionsT(potScaleInt16=False)),
        Op("DIV", [2, 3], [4], s.DivOptionsT()),
        Op("ADD", [4, 4], [5], s.AddOptionsT(potScaleInt16=False)),
    ]
    return model(tensors, operators, [0, 1], [5], signature=(["x", "d"], ["y"]))


@pytest.mark.parametrize(("quantizer", "ends"), [(int8, "INT8"), (int16x8, "INT16")])
def test_the_quantizers_leave_them_in_float(quantizer: Quantizer, ends: str) -> None:
    made = quantizer(plain(), [SAMPLES[:, :1], SAMPLES[:, 1:]], MINMAX)
    flow = Dataflow(made.data)
    [division] = [index for index, kind in enumerate(flow.kinds) if kind == "DIV"]
    assert {flow.dtype(i) for i in (*flow.inputs[division], *flow.outputs[division])} == {"FLOAT32"}
    assert {flow.dtype(i) for end in flow.ends for i in end} == {ends}
    assert made.note.startswith("DIV in float")
