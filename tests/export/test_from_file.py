"""What a recipe becomes for a file that was made elsewhere."""

from __future__ import annotations

import pytest

from edgekit.bundle.recipe import Recipe, StageSpec
from edgekit.errors import ConversionError, InputError
from edgekit.export.foreign.from_file import plan_file


def test_a_recipe_is_reduced_to_the_files_own_format() -> None:
    usual = Recipe("int8")
    assert plan_file("tflite", usual) == [("tflite", "float32"), ("tflite", "int8"), ("c", "int8")]
    assert plan_file("onnx", usual) == [("onnx", "float32"), ("onnx", "int8")]
    several = Recipe("all", schemes=("dynamic", "int8"), formats=("tflite", "onnx"))
    assert plan_file("tflite", several) == [("tflite", "dynamic"), ("tflite", "int8")]
    assert plan_file("onnx", several) == [("onnx", "int8")]


def test_stages_are_refused() -> None:
    recipe = Recipe("qat", stages=(StageSpec("quantize", {}),))
    with pytest.raises(InputError, match=r"recipe qat trains \(quantize\), and a \.onnx file gets post-training"):
        plan_file("onnx", recipe)


@pytest.mark.parametrize(
    ("format_", "recipe"),
    [
        ("onnx", Recipe("r", schemes=("dynamic",))),
        ("onnx", Recipe("r", formats=("tflite", "c"))),
        ("tflite", Recipe("r", formats=("onnx",))),
        ("tflite", Recipe("r", formats=("c",))),
    ],
)
def test_nothing_is_left(format_: str, recipe: Recipe) -> None:
    with pytest.raises(ConversionError, match=rf"nothing to make of a \.{format_} file") as caught:
        plan_file(format_, recipe)
    assert "the other format needs the Keras model" in caught.value.hint
