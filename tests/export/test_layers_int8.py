"""What the register of layers says of int8 files: every layer that is not int8 throughout, and some more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import ConversionError
from edgekit.export.tflite import convert as tflite
from edgekit.export.tflite.saved import without_loops
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.layers.knowledge import Int8
from edgekit.frameworks.layers.register import LAYERS
from edgekit.models.bridge.forward import bridge
from edgekit.progress import Silent
from tests.models.bridge_cases import CASES

pytestmark = pytest.mark.tensorflow

OTHERS = [name for name in CASES if LAYERS[name].export.int8 in (Int8.PARTLY, Int8.FLOAT, Int8.NO)]
SOME = ["Dense", "Conv2D", "GlobalAveragePooling2D", "PReLU", "SimpleRNN", "Attention"]
FLOAT_KERNELS = {"CONV_3D", "CONV_3D_TRANSPOSE"}


def operators(kind: str, folder: Path) -> set[str]:
    """Return the operators of the int8 file of a model with one such layer."""
    model = bridge(CASES[kind][0](), Silent()).model
    rng = np.random.default_rng(0)
    shapes = [(8, *(size or 6 for size in tensor.shape[1:])) for tensor in model.inputs]
    x = tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)
    saved = without_loops(model, folder / "saved_model")
    flatbuffer = tflite.convert(saved.folder(), saved.signature, "int8", x if len(x) > 1 else x[0])
    (folder / "model.tflite").write_bytes(flatbuffer)
    return set(inspect_file(folder / "model.tflite").operators)


@pytest.mark.parametrize("kind", [*OTHERS, *SOME])
def test_how_a_layer_computes_in_an_int8_file(kind: str, tmp_path: Path) -> None:
    answer = LAYERS[kind].export.int8
    if answer is Int8.NO:
        with pytest.raises(ConversionError):
            operators(kind, tmp_path)
        return
    made = operators(kind, tmp_path)
    assert ("DEQUANTIZE" in made) is (answer is not Int8.YES)
    assert bool(made & FLOAT_KERNELS) is (answer is Int8.FLOAT)
