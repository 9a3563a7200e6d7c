"""Quantization-aware training of weights in 4 bits, into a file that holds them so."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.tflite.int4 import narrow
from edgekit.formats.tflite.pack import pack
from edgekit.stats import sqnr_db
from edgekit.techniques.qat import Quantize
from edgekit.techniques.qat_finish import for_converter
from edgekit.techniques.qat_ranges import variables
from edgekit.techniques.stage import CLUSTERED, SPARSE, ModelState
from tests.support.raised import raised
from tests.techniques.tiny import context, file_kernels, inputs, int8_file, run, trained

pytestmark = pytest.mark.tensorflow
STEPS = 7


@cache
def quantized(bits: int) -> Any:
    stage = Quantize(epochs=1, batch_size=32, learning_rate=1e-3, weight_bits=bits)
    state, _ = stage.run(ModelState(trained()), context())
    return state.model


def off_steps(model: Any, name: str) -> float:
    """Return how far a kernel's weights are from the 15 steps of their channels, in steps, at most."""
    known = variables(model.get_layer(name))
    [kernel] = [value for key, value in known.items() if key.endswith("kernel")]
    least, most = (known[f"{kernel.name.rpartition('/')[2].partition(':')[0]}_{end}"] for end in ("min", "max"))
    step = np.maximum(-least.numpy(), most.numpy()) / STEPS
    levels = kernel.numpy() / (step.reshape(1, 1, -1, 1) if "depthwise" in name else step)
    return float(np.abs(levels - np.rint(levels)).max())


def test_narrow_kernels_lie_on_15_steps_and_others_do_not() -> None:
    model = quantized(4)
    for name in ("stem", "conv", "dense"):
        assert off_steps(model, name) < 1e-4, name
    assert off_steps(model, "depthwise") > 0.1
    assert off_steps(model, "logits") > 0.1  # 48 weights
    assert off_steps(quantized(8), "conv") > 0.1


def test_the_int4_file_computes_what_was_trained(tmp_path: Path) -> None:
    off, model = {}, quantized(4)
    for bits in (4, 8):
        path = int8_file(for_converter(quantized(bits)), tmp_path / f"{bits}.tflite")
        found = [kernel for shape, kernel in file_kernels(path).items() if kernel.size >= 64]
        assert len(found) == 3
        levels = [kernel * (STEPS / 127) for kernel in found]
        off[bits] = max(np.abs(one - np.rint(one)).max() for one in levels)
    # An int8 step is 7/127 of a step of 4 bits: the int8 file is off by half of one, and the int4 file by nothing.
    assert off[4] < 0.51 * STEPS / 127 < 0.4 < off[8]
    path = tmp_path / "int4.tflite"
    path.write_bytes(narrow(pack((tmp_path / "4.tflite").read_bytes()), "int4", inputs(), min_sqnr=30.0))
    assert sqnr_db(model.predict(inputs(), verbose=0), run(path, inputs())) > 30


def test_what_does_not_go_together() -> None:
    with raised("value-out-of-range", "weight_bits"):
        Quantize(weight_bits=5)
    for trait in (SPARSE, CLUSTERED):
        with raised("stage-order", trait):
            Quantize(weight_bits=4).follow(frozenset({trait}))
        Quantize(weight_bits=8).follow(frozenset({trait}))
