"""Parts of outputs that numbers about the whole hide."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.agreement import Agreement
from edgekit.measuring.agreement import Outputs, compare
from edgekit.pipeline.advice import conclude
from edgekit.pipeline.quality import Part, judge
from edgekit.schema.gate import read
from edgekit.tasks.channels import lost_channels, lost_text
from edgekit.tasks.detection.description import Detection
from edgekit.tasks.detection.description import Part as OutputPart
from edgekit.tasks.task import Head, Task

RNG = np.random.default_rng(0)
BOXES = RNG.uniform(0, 640, (200, 10, 4))
SCORES = RNG.uniform(0, 0.97, (200, 10, 1))
DETECTIONS = np.concatenate([BOXES, SCORES], axis=-1)
DET = Head("det", "regression", "mae")


def int8(real: Any, low: float, high: float) -> Any:
    """Return values as an int8 tensor of this range holds them."""
    scale = (high - low) / 255
    return np.clip(np.rint((real - low) / scale), 0, 255) * scale + low


def test_a_flattened_channel_is_named_though_the_whole_agrees() -> None:
    reference = Outputs("float model", (DETECTIONS,), (None,))
    file = Outputs("m-int8.tflite", (int8(DETECTIONS, 0, 640),), (640 / 255,))
    agreement = compare(reference, file, Task((DET,)))
    assert agreement.sqnr_db is not None and agreement.sqnr_db > 45
    [lost] = agreement.lost
    assert (lost.channel, lost.flat) == (4, True)
    assert 0.001 < lost.share < 0.002
    text = lost_text(agreement.other, lost)
    assert text.startswith("m-int8.tflite: channel 4 of det becomes one value")
    assert "0.15% of the output's range" in text
    assert read(Agreement, agreement.to_dict(), "m", "agreement") == agreement
    assert "lost" not in dataclasses.replace(agreement, lost=()).to_dict()  # as older edgekits read it
    for head in (DET, Head("det", "unlabelled", "sqnr")):
        judged = judge(Part("test", None, None), reference, [file], reference.real, Task((head,)))
        assert judged.losses[0].large
        found = conclude(judged, None, [], [], [], Any)  # type: ignore[arg-type]
        assert "outputs of their own" in found.advice


@pytest.mark.parametrize(
    ("real", "file", "head", "channels"),
    [
        (DETECTIONS[..., :4], int8(DETECTIONS[..., :4], 0, 640), DET, []),
        (SCORES, int8(SCORES, 0, 1), DET, []),
        (DETECTIONS, int8(DETECTIONS, 0, 8 * 640), dataclasses.replace(DET, kind="unlabelled", metric="sqnr"), [4]),
        (np.tile(SCORES, 3) * [1, 1e-4, 1], int8(np.tile(SCORES, 3) * [1, 1e-4, 1], 0, 1), Head("y"), []),  # classes
        (np.tile(SCORES, 100) * 1e-3, np.tile(SCORES, 100) * 0, Head("y", "reconstruction", "mse"), []),  # pixels
        (BOXES * [1, 1, 1, 0] + 5, int8(BOXES * [1, 1, 1, 0] + 5, 0, 640), DET, []),  # constant in the float model, too
        (BOXES * [1, 1, 1, 0.005], int8(BOXES * [1, 1, 1, 0.005], 0, 640), DET, [3]),  # two steps are left of it
    ],
)
def test_which_channels_are_lost(real: Any, file: Any, head: Head, channels: list[int]) -> None:
    assert [lost.channel for lost in lost_channels([real], [file], [head])] == channels


def test_a_lost_output_of_several_is_named() -> None:
    heads = [Head("box", "unlabelled", "sqnr"), Head("score", "unlabelled", "sqnr")]
    [lost] = lost_channels([BOXES, SCORES], [BOXES + 1, SCORES * 0 + 0.5], heads)
    assert (lost.output, lost.channel, lost.flat) == ("score", None, True)
    assert "output score becomes one value" in lost_text("f", lost)


def test_channels_of_a_detector_may_be_first() -> None:
    raw = np.zeros((4, 6, 50))
    raw[:, :4] = np.random.default_rng(0).random((4, 4, 50)) * 640
    raw[:, 4:] = np.random.default_rng(1).random((4, 2, 50))
    part = OutputPart(("boxes", "scores"), "first")
    task = Task((Head("out", "detection", "map"),), Detection(2, 640, 640, (part,), "xywh", "pixels", "plain"))
    step = 640 / 255
    coarse = Outputs("int8", (np.round(raw / step) * step,), (step,))
    lost = compare(Outputs("float model", (raw,), (None,)), coarse, task).lost
    assert {one.channel for one in lost} == {4, 5}
