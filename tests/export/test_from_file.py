"""What a recipe becomes for a file that was made elsewhere."""

from __future__ import annotations

import pytest

from edgekit.bundle.recipe import Recipe, StageSpec
from edgekit.export.foreign.from_file import plan_file
from tests.support.raised import raised


def test_a_recipe_is_reduced_to_the_files_own_format() -> None:
    usual = Recipe("int8")
    assert plan_file("tflite", usual) == [("tflite", "float32"), ("tflite", "int8"), ("c", "int8")]
    assert plan_file("onnx", usual) == [("onnx", "float32"), ("onnx", "int8")]
    several = Recipe("all", schemes=("dynamic", "int8"), formats=("tflite", "onnx"))
    assert plan_file("tflite", several) == [("tflite", "dynamic"), ("tflite", "int8")]
    assert plan_file("onnx", several) == [("onnx", "int8")]


def test_stages_are_refused() -> None:
    recipe = Recipe("qat", stages=(StageSpec("quantize", {}),))
    with raised("source-not-trainable", "`qat`", "quantize", ".onnx"):
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
    with raised("nothing-to-export", f"a .{format_} file", "the Keras model"):
        plan_file(format_, recipe)
