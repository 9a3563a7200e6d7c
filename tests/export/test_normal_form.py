"""Float .tflite files of other converters, before they are quantized: what they compute stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.export.foreign.normal_form import normal_form
from edgekit.export.tflite.nearness import nearness_db, outputs
from tests.support import foreign_tflite
from tests.support.foreign_tflite import FILES
from tests.support.raised import raised
from tests.support.tiny_tflite import Op, T, changed, model


def unpacked(data: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as s

    return s.ModelT.InitFromPackedBuf(data, 0)


def samples(data: bytes) -> list[np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    rng = np.random.default_rng(1)
    ends = Interpreter(model_content=data).get_input_details()
    return [rng.integers(0, 20, (9, *end["shape"][1:])).astype(end["dtype"]) for end in ends]


@pytest.mark.parametrize("name", FILES)
def test_outputs_stay_and_once_is_enough(name: str) -> None:
    data = FILES[name]()
    made, _ = normal_form(data)
    fed = samples(made)
    assert nearness_db(outputs(data, fed), outputs(made, fed)) > 120
    again, notes = normal_form(made)
    assert again is made and notes == []


def test_what_needs_nothing_keeps_its_bytes() -> None:
    for name in ("mlp", "batch_matmul", "svdf", "composite"):
        data = FILES[name]()
        assert normal_form(data) == (data, [])
        assert normal_form(data)[0] is data


def test_the_metadata_that_hides_constants_goes_and_other_stays() -> None:
    made = unpacked(normal_form(foreign_tflite.stablehlo_constants())[0])
    assert [entry.name for entry in made.metadata] == [b"min_runtime_version"]


def test_options_are_written_out() -> None:
    made = unpacked(normal_form(foreign_tflite.no_options())[0])
    assert all(operator.builtinOptions is not None for operator in made.subgraphs[0].operators)


def test_float16_weights_are_widened() -> None:
    data, notes = normal_form(foreign_tflite.float16_weights())
    made = unpacked(data)
    assert notes == ["float16 weights widened"]
    assert len(made.subgraphs[0].operators) == len(made.operatorCodes) == 1  # a runtime may lack the others
    held = [(t.type, len(made.buffers[t.buffer].data)) for t in made.subgraphs[0].tensors if t.buffer]
    assert sorted(held) == [(0, 32), (0, 4 * 8 * 16)]
    assert sum(buffer.data is not None for buffer in made.buffers) == 2


def test_moved_weights_become_constants() -> None:
    made = unpacked(normal_form(foreign_tflite.moved_weights())[0])
    [dense] = made.subgraphs[0].operators
    weights = made.subgraphs[0].tensors[dense.inputs[1]]
    assert weights.shape.tolist() == [8, 16] and len(made.buffers[weights.buffer].data) == 4 * 8 * 16


def test_a_second_signature_is_left_out_and_said() -> None:
    data, notes = normal_form(foreign_tflite.two_signatures_of_weights())
    made = unpacked(data)
    assert notes == ["without the signature `decode`"]
    assert len(made.subgraphs) == 1 and [s.signatureKey for s in made.signatureDefs] == [b"encode"]
    assert len(unpacked(normal_form(foreign_tflite.composite())[0]).subgraphs) == 2  # an operator calls the other


def test_a_file_that_computes_in_float16_is_refused() -> None:
    ends = [T("x", (1, 4), "FLOAT16"), T("y", (1, 4), "FLOAT16")]

    def change(s: Any, whole: Any) -> None:
        whole.metadata = [s.MetadataT(name=b"keep_stablehlo_constant", buffer=0)]

    data = changed(model(ends, [Op("RELU", [0], [1])], [0], [1]), change)
    with raised("computes-in-float16", "`x`"):
        normal_form(data)
