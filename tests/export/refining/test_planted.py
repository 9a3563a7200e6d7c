"""What is found on files with problems that are planted in them, by TensorFlow's quantizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.export.refining.attempts import Attempt, attempts, best
from edgekit.export.refining.tflite import TfliteCalibratable
from tests.support.foreign_tflite import FILES
from tests.support.planted import dense, mostly_small, one_sided, spread
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow
ZEROS = np.zeros(16)


def made(source: bytes, samples: Any) -> dict[str, Attempt]:
    return {attempt.name: attempt for attempt in attempts(TfliteCalibratable(source), [samples])}


def test_outliers_that_nobody_reads_saturate(rng: Any) -> None:
    last = np.where(np.arange(16) == 15, 0, rng.normal(size=(4, 16)))
    found = made(dense((spread(rng, 16, 200.0), ZEROS), (last, ZEROS[:4])), mostly_small(rng))
    assert best(found.values()).name.startswith("percentile 99.9")
    assert found["percentile 99.9"].sqnr_db > found["minmax"].sqnr_db + 20  # 36.2 and 8.5 dB when this was written
    assert found["minmax"].sqnr_db < 12


def test_outliers_that_carry_the_information_do_not(rng: Any) -> None:
    last = np.where(np.arange(16) == 15, 1, 0.02) * rng.normal(size=(4, 16))
    found = made(dense((spread(rng, 16, 200.0), ZEROS), (last, ZEROS[:4])), mostly_small(rng))
    assert best(found.values()).name.startswith("minmax")
    assert found["minmax"].sqnr_db > 40 and found["percentile 99.9"].sqnr_db < 3


def test_a_mix_beats_both_where_both_happen(rng: Any) -> None:
    """The first tensor has outliers that nobody reads, the second those that count."""

    def turned(count: int) -> Any:
        weights = np.zeros((16, 16))
        weights[:14, :14] = np.linalg.qr(rng.normal(size=(14, 14)))[0]
        return weights[:count]

    first, second, third = turned(16), turned(16), 1.5 * turned(3)
    first[14, 15], first[15, 15] = 1, 200
    second[14, 14] = 8
    third[2] = 0
    third[2, 14] = 0.5
    found = made(dense((first, ZEROS), (second, ZEROS), (third, ZEROS[:3])), mostly_small(rng))
    whole = [attempt.sqnr_db for name, attempt in found.items() if "per tensor" not in name]
    mixed = found["percentile 99.9, per tensor"]
    assert mixed.sqnr_db > max(whole) + 15  # 33.4 and 9.9 dB when this was written
    assert "`y1`" in mixed.detail


def test_weights_that_bias_a_channel_are_corrected(rng: Any) -> None:
    found = made(dense((one_sided(rng), np.zeros(8))), rng.uniform(0, 1, (500, 32)).astype(np.float32))
    whole = max(attempt.sqnr_db for name, attempt in found.items() if "corrected" not in name)
    nearest = best(found.values())
    assert nearest.name.endswith("biases corrected") and nearest.sqnr_db > whole + 12


def test_a_byte_image_keeps_its_scale_and_outliers_in_inputs_may_saturate(rng: Any) -> None:
    from ai_edge_litert.interpreter import Interpreter

    def scale(attempt: Attempt) -> float:
        return float(Interpreter(model_content=attempt.file).get_input_details()[0]["quantization"][0])

    source = dense((rng.normal(size=(8, 16)), np.zeros(8)))
    image = (rng.integers(0, 256, (500, 16)) / 255).astype(np.float32)
    image[:, 0], image[:, 1] = 0, 1
    assert {scale(attempt) for attempt in made(source, image).values()} == {float(np.float32(1 / 255))}
    spoiled = rng.uniform(-1, 1, (500, 16)).astype(np.float32)
    spoiled[5, 3] = 900
    found = made(source, spoiled)
    assert scale(found["percentile 99.9"]) > 3
    assert scale(found["minmax, inputs saturated"]) == pytest.approx(2 / 255, rel=0.02)
    assert best(found.values()).sqnr_db > found["percentile 99.9"].sqnr_db + 20


def test_a_strangers_file_is_worked_on_by_a_child(rng: Any) -> None:
    source, samples = dense((one_sided(rng), np.zeros(8))), rng.uniform(0, 1, (500, 32)).astype(np.float32)
    here = made(source, samples)
    stranger = TfliteCalibratable(source, strange=True)
    there = {attempt.name: attempt for attempt in attempts(stranger, [samples])}
    assert {name: (a.file, a.sqnr_db) for name, a in there.items()} == {n: (a.file, a.sqnr_db) for n, a in here.items()}


def test_what_cannot_be_quantized_is_said(rng: Any) -> None:
    source, samples = dense((one_sided(rng), np.zeros(8))), rng.uniform(0, 1, (9, 8)).astype(np.float32)
    with raised("conversion-failed", "(1,32)"):
        next(attempts(TfliteCalibratable(source), [samples]))
    with raised("child-failed", "(1,32)"):
        next(attempts(TfliteCalibratable(source, strange=True), [samples]))
    stranger, samples = TfliteCalibratable(FILES["no_options"](), strange=True), rng.uniform(0, 1, (9, 16))
    with raised("child-crashed"):
        next(attempts(stranger, [samples.astype(np.float32)]))
