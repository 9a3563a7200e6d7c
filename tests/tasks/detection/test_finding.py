"""What shapes and values of outputs tell about a detector, and what must be said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.tasks.detection.description import Detection, Part
from edgekit.tasks.detection.finding import describe, settle
from edgekit.tasks.detection.options import Options, options_of
from edgekit.tasks.heads import chosen_kinds
from tests.support.raised import raised

ANCHORS = "anchors=[[[10,13],[16,30],[33,23]],[[30,61],[62,45],[59,119]],[[116,90],[156,198],[373,326]]]"


def found(shapes: list[tuple[int | None, ...]], classes: int = 80, size: int = 640, said: str = "") -> Detection:
    """Return the description of outputs called a, b, c, ..."""
    options = options_of(f"detection:{said}")
    assert options is not None
    return describe([chr(97 + i) for i in range(len(shapes))], shapes, (size, size), classes, options)


def test_decoded_boxes_and_scores_in_one_output() -> None:
    for shape, axis in (((84, 8400), "first"), ((8400, 84), "last")):
        how = found([shape])
        assert how.parts == (Part(("boxes", "scores"), axis),)
        assert (how.boxes, how.units, how.scores) == ("", "", "")
    assert found([(25200, 85)]).parts == (Part(("boxes", "objectness", "scores")),)
    assert found([(100, 7)], classes=2).parts == (Part(("boxes", "objectness", "scores")),)
    assert found([(6, 6)], classes=2, said="layout=first").parts == (Part(("boxes", "scores"), "first"),)


def test_distributions_of_each_scale_have_their_strides() -> None:
    how = found([(144, 80, 80), (144, 40, 40), (144, 20, 20)])
    assert (how.boxes, how.units, how.strides) == ("dfl", "strides", (8, 16, 32))
    how = found([(20, 20, 144), (40, 40, 144), (80, 80, 144)])
    assert [part.axis for part in how.parts] == ["last"] * 3
    how = found([(8400, 64), (8400, 80)])
    assert (how.boxes, how.strides) == ("dfl", (8, 16, 32))


def test_anchors_of_yolo_and_ssd() -> None:
    how = found([(255, 80, 80), (255, 40, 40), (255, 20, 20)], said=f"boxes=yolo5,scores=sigmoid,{ANCHORS}")
    assert how.parts == (Part(("boxes", "objectness", "scores"), "first", 3),) * 3
    assert (how.strides, how.cells, how.settled) == ((8, 16, 32), 25200, True)
    how = found(
        [(3234, 4), (3234, 91)], 90, 320,
        "boxes=deltas,strides=[16,32,64,106.67,160,320],anchors=["
        + ",".join("[" + ",".join(["[60,60]"] * 6) + "]" for _ in range(6)) + "]",
    )  # fmt: skip
    assert (how.background, how.columns, how.cells) == ("first", 91, 3234)


def test_all_that_is_missing_is_said_at_once() -> None:
    with raised("detection-not-described", "`a`", "`b`", "(3234, 91)", "`boxes`", "`anchors`", "`strides`", "deltas"):
        found([(3234, 4), (3234, 91)], 90, 320)
    with raised("detection-not-described", "`anchors`"):
        found([(3234, 4), (3234, 91)], 90, 320, "boxes=deltas")
    with raised("detection-not-described", "`strides`"):
        found([(1234, 85)], said="boxes=ltrb")


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([(8400, 85), (8400, 3)], ""),
        ([(10,)], ""),
        ([(None, 84)], ""),
        ([(8400, 4), (100, 80)], "boxes=ltrb"),
        ([(8400, 4), (8400, 80)], "outputs=[boxes]"),
        ([(8400, 4), (8400, 80)], "outputs=[boxes,boxes]"),
        ([(8400, 4), (8400, 80)], "outputs=[boxes,things]"),
        ([(8400, 4), (8400, 80)], "boxes=ltrb,strides=[7]"),
        ([(8400, 4), (8400, 80)], "boxes=deltas,strides=[8,16,32],anchors=[[[1,1]]]"),
        ([(4,)] * 200, ""),
    ],
)
def test_shapes_of_no_such_detector(shapes: list[tuple[int | None, ...]], said: str) -> None:
    with raised("detection-does-not-fit", str(shapes[0])):
        found(shapes, said=said)


def test_outputs_that_are_not_used_can_be_named() -> None:
    how = found([(84, 8400), (32, 160, 160)], said="outputs=[boxes+scores,-]")
    assert how.parts == (Part(("boxes", "scores"), "first"), Part(()))


def grid(size: float, width: float) -> np.ndarray:
    """Return boxes all over an image: centre, width and height."""
    y, x = np.divmod(np.arange(100), 10)
    return np.column_stack([(x + 0.5) * size / 10, (y + 0.5) * size / 10, np.full(100, width), np.full(100, width)])


@pytest.mark.parametrize(
    ("boxes", "scores", "expected"),
    [
        (grid(640, 30), 0.3, ("xywh", "pixels", "plain")),
        (grid(1, 0.05), 0.3, ("xywh", "normalised", "plain")),
        (grid(1, 0.05) @ [[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]], 0.3,
         ("xyxy", "normalised", "plain")),
        (grid(640, 30), -3.0, ("xywh", "pixels", "sigmoid")),
    ],
)  # fmt: skip
def test_values_show_the_rest(boxes: np.ndarray, scores: float, expected: tuple[str, str, str]) -> None:
    how = describe(["a"], [(100, 5)], (640, 640), 1)
    settled, note = settle(how, [np.column_stack([boxes, np.full(100, scores)])[np.newaxis]])
    assert (settled.boxes, settled.units, settled.scores) == expected
    assert expected[0] in note
    assert settle(settled, []) == (settled, "")


def test_options_as_typed_and_from_a_file(tmp_path: Path) -> None:
    assert options_of("") is None
    assert options_of("regression") is None
    assert options_of("detection") == Options()
    typed = options_of("detection:boxes=ltrb, strides=[8, 16], most=50,overlap=0.6,outputs=[boxes+scores,-]")
    assert typed == Options(boxes="ltrb", strides=(8, 16), most=50, overlap=0.6, outputs=("boxes+scores", "-"))
    file = tmp_path / "detector.toml"
    file.write_text('[detection]\nboxes = "ltrb"\nstrides = [8, 16]\nmost = 50\noverlap = 0.6\n'
                    'outputs = ["boxes+scores", "-"]\n', encoding="utf-8")  # fmt: skip
    assert options_of(str(file)) == typed
    assert chosen_kinds("detection:boxes=ltrb", ["a"]) == {}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("detection:boxes", "task-unknown"),
        ("detection:boxes=a=b", "not-toml"),
        ("detection:boxes=ltrb,boxes=dfl", "task-unknown"),
        ("detection:box=ltrb", "key-unknown"),
        ("detection:boxes=square", "unknown-name"),
        ("detection:strides=[0]", "value-out-of-range"),
        ("detection:strides=[nan]", "value-wrong-type"),
        ("detection:overlap=2", "value-out-of-range"),
        ("detection:anchors=[[1,2]]", "value-wrong-type"),
        ("detection:strides=[8", "not-toml"),
        ("missing.toml", "file-missing"),
    ],
)
def test_options_that_are_wrong(text: str, code: str) -> None:
    with raised(code):
        options_of(text)


def test_a_kind_of_one_output_it_is_not() -> None:
    with raised("task-unknown", "detection"):
        chosen_kinds("a=detection", ["a"])
