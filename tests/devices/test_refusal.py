"""What a runtime says of a file that it refuses, as it is repeated."""

from __future__ import annotations

import pytest

from edgekit.bundle.runs import Refused
from edgekit.devices.refusal import LONGEST, essence, refusal

RESHAPE = (
    "Error in execution: Non-zero status code returned while running Reshape node. Name:'head/flat' Status Message: "
    "/onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:91 onnxruntime::ReshapeHelper::"
    "ReshapeHelper(const onnxruntime::TensorShape&, onnxruntime::TensorShapeVector&, bool) input_shape_size == "
    "requested_shape_size was false. The input tensor cannot be reshaped to the requested shape. Input shape:{1,12}, "
    "requested shape:{5,3}\n"
)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            RESHAPE,
            "at the operator Reshape `head/flat`: The input tensor cannot be reshaped to the requested shape. Input "
            "shape:{1,12}, requested shape:{5,3}",
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from /tmp/x/m.onnx failed:Node (add) Op (Add) "
            "[ShapeInferenceError] Incompatible dimensions",
            "Node (add) Op (Add) [ShapeInferenceError] Incompatible dimensions",
        ),
        (
            "tensorflow/lite/kernels/reshape.cc:92 num_input_elements != num_output_elements (12 != 15)\n"
            "Node number 0 (RESHAPE) failed to prepare.",
            "num_input_elements != num_output_elements (12 != 15) Node number 0 (RESHAPE) failed to prepare.",
        ),
        (
            RESHAPE.replace("head/flat", ""),
            "at the operator Reshape: The input tensor cannot be reshaped to the requested shape. Input shape:{1,12}, "
            "requested shape:{5,3}",
        ),
        ("", ""),
    ],
)
def test_places_in_a_runtimes_source_are_left_out(said: str, expected: str) -> None:
    assert essence(said) == expected


def test_words_stay_whole_and_the_next_step_is_said() -> None:
    said = "the tensor " + "encoder_attention " * 60
    short = essence(said)
    assert len(short) <= LONGEST
    assert set(short.split()) == {"the", "tensor", "encoder_attention", "..."}
    error = refusal(Refused("Fail", said), "onnxruntime", "my model.onnx")
    assert error.message == f"my model.onnx: onnxruntime refused it: {short}"
    assert error.hint == "see what it needs: edgekit inspect 'my model.onnx'"
