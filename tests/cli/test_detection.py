"""A detector, from its model and folders of boxes to measured files: the loss of one scale is found and mended."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Edgekit
from tests.support.rectangles import detector, drawn, write_coco, write_yolo

pytestmark = [pytest.mark.e2e, pytest.mark.tensorflow, pytest.mark.processes]


def test_a_detector_end_to_end(edgekit: Edgekit, tmp_path: Path, rng: np.random.Generator) -> None:
    drawings = drawn(rng, 50)
    write_yolo(tmp_path / "yolo", drawings[:35], "train")
    write_yolo(tmp_path / "yolo", drawings[35:], "val")
    coco = write_coco(tmp_path / "coco", drawings)
    detector().save(tmp_path / "squares.keras")
    done = edgekit("compress", "squares.keras", "--data", "yolo", "-o", "one", check=3)
    assert "channel 4 of" in done.stdout
    assert "map 0.00 %" in done.stderr
    assert "100.00 %" in done.stderr
    assert "--split-outputs" in done.stderr
    task = json.loads((tmp_path / "one" / "manifest.json").read_text(encoding="utf-8"))["task"]
    assert task["detection"] | {"boxes": "xywh", "units": "pixels", "scores": "plain"} == task["detection"]
    split = edgekit("compress", "squares.keras", "--data", "yolo", "--split-outputs", "-o", "two")
    assert "becomes one value" not in split.stdout
    files = "one/squares-float32.tflite", "two/squares-int8.tflite", "one/squares-int8.tflite"
    edgekit("bench", *files, "--data", coco, "--metric", "map50", "--processes", 1, "--no-latency", "--no-memory",
            "--out", "records")  # fmt: skip
    [record] = (tmp_path / "records").iterdir()
    measured = json.loads(record.read_text(encoding="utf-8"))["measurements"]
    assert [one["accuracy"]["value"] for one in measured] == [1.0, 1.0, 0.0]
