"""Images with boxes: COCO's JSON and YOLO's folders, the same boxes from both, and files that are wrong or hostile."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data.dataset import Dataset, build
from edgekit.data.fitting import Port, fit
from edgekit.data.loading import load_data, load_raw
from edgekit.data.split import split
from edgekit.tasks.detection.options import NOTHING
from edgekit.tasks.preprocessing import Preprocessing
from tests.support.raised import raised
from tests.support.rectangles import CLASSES, SIDE, Drawing, coco, drawn, write_coco, write_images, write_yolo

SMALL = "?size=8x8"
"""Images are resized: boxes are shares of their sides, whatever their size."""


@pytest.fixture
def drawings() -> list[Drawing]:
    return drawn(np.random.default_rng(1), 10)


def boxes_of(drawing: Drawing) -> list[list[float]]:
    """Return the boxes that labels must hold."""
    return [[float(c), x / SIDE, y / SIDE, x / SIDE + 0.25, y / SIDE + 0.25, 0.0] for c, x, y in drawing.corners]


def real(rows: np.ndarray) -> list[list[float]]:
    """Return the rows that are boxes."""
    return rows[rows[:, 0] >= 0].tolist()


def test_coco_and_yolo_hold_the_same_boxes(tmp_path: Path, drawings: list[Drawing]) -> None:
    parts = {"coco": write_coco(tmp_path / "coco", drawings), "yolo": write_yolo(tmp_path / "yolo", drawings)}
    for path in parts.values():
        data = load_data(f"{path}{SMALL}")
        assert (data.x_train.shape, data.x_test.shape) == ((8, 8, 8, 3), (2, 8, 8, 3))
        assert (data.boxes, data.class_names, data.held_out, data.classes) == (True, CLASSES, True, 3)
        both = [boxes_of(drawing) for drawing in drawings]
        found = [real(rows) for rows in (*data.y_train, *data.y_test)]
        assert sorted(map(str, found)) == sorted(map(str, both))
        splits = split(data, 2)
        assert len(splits.y_validation) == 1


@pytest.mark.parametrize(("fit", "start"), [("letterbox", 0.25), ("corner", 0.0)])
def test_boxes_move_with_padded_images(tmp_path: Path, drawings: list[Drawing], fit: str, start: float) -> None:
    path = write_yolo(tmp_path / "yolo", drawings)
    data = load_data(f"{path}?size=16x8&fit={fit}")
    rows = [[c, x1, y1 / 2 + start, x2, y2 / 2 + start, crowd]
            for drawing in drawings for c, x1, y1, x2, y2, crowd in boxes_of(drawing)]  # fmt: skip
    found = [row for rows in (*data.y_train, *data.y_test) for row in real(rows)]
    np.testing.assert_allclose(sorted(found), sorted(rows), atol=1e-6)


def test_a_misspelt_option_is_named_before_the_images_are_looked_at(tmp_path: Path, drawings: list[Drawing]) -> None:
    path = write_coco(tmp_path, drawings)
    for image in (tmp_path / "images").iterdir():
        image.write_bytes(b"damaged")
    with raised("data-option-invalid", "letterbox"):
        load_data(f"{path}?fit=letterbx")


def test_parts_of_yolo_and_a_data_yaml(tmp_path: Path, drawings: list[Drawing]) -> None:
    write_yolo(tmp_path, drawings[:6], "train")
    write_yolo(tmp_path, drawings[6:], "val")
    (tmp_path / "labels" / "train" / "3.txt").unlink()
    raw = load_raw(f"{tmp_path}{SMALL}")
    assert (len(raw.x_train), len(raw.x_test), raw.held_out) == (6, 4, False)
    assert any("val" in note for note in raw.notes)
    assert any("1 of 6" in note for note in raw.notes)
    assert real(raw.y_train[3]) == []
    for names in ("names: [red, 'green', \"blue\"]  # colours\nnc: 3",
                  "names:\n  0: red\n  1: green\n  2: blue", "names:\n- red\n- green\n- blue",
                  "names: {0: red, 1: green, 2: blue}"):  # fmt: skip
        text = f"path: .\ntrain: ../images/train\nval: images/val\ndownload: |\n  anything: [\n{names}\n"
        (tmp_path / "data.yaml").write_text(text, encoding="utf-8")
        again = load_raw(f"{tmp_path / 'data.yaml'}{SMALL}")
        assert again.class_names == CLASSES
        np.testing.assert_array_equal(again.y_train, raw.y_train)


def test_folders_of_roboflow_and_of_coco(tmp_path: Path, drawings: list[Drawing]) -> None:
    for place, images in (
        ("train/_annotations.coco.json", "train"),
        ("annotations/instances_train2017.json", "train2017"),
    ):
        folder = tmp_path / images[-4:]
        for part, some in (("train", drawings[:6]), ("val", drawings[6:])):
            file = folder / place.replace("train", part)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(coco(some)), encoding="utf-8")
            write_images(folder / images.replace("train", part), some)
        raw = load_raw(f"{folder}{SMALL}")
        assert (len(raw.x_train), len(raw.x_test), raw.held_out) == (6, 4, False)


def test_categories_may_be_numbers_of_classes(tmp_path: Path, drawings: list[Drawing]) -> None:
    path = write_coco(tmp_path, drawings)
    raw = load_raw(f"{path}{SMALL}&ids=1")
    assert len(raw.class_names) == 30
    assert (raw.class_names[9], raw.class_names[19]) == ("red", "green")
    assert {row[0] for rows in raw.y_train for row in real(rows)} <= {9.0, 19.0, 29.0}


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """Change the document, and return what is typed."""
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    return f"{path}{SMALL}"


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        (lambda d: d["images"][2].update(file_name="gone.png"), "images-missing", "gone.png"),
        (lambda d: d["images"][0].update(file_name="gone.png"), "images-missing", "images=FOLDER"),
        (lambda d: d["images"][2].update(file_name="../boxes.json"), "image-outside-folder", "../boxes.json"),
        (lambda d: d["images"][2].update(file_name="/etc/passwd"), "image-outside-folder", "/etc/passwd"),
        (lambda d: d["images"][2].update(file_name="a\0b"), "not-coco", "file_name"),
        (lambda d: d["images"][2].update(width=-1), "not-coco", "-1"),
        (lambda d: d["images"][2].update(id=0), "annotation-ids-clash", "images"),
        (lambda d: d["categories"][2].update(id=10), "annotation-ids-clash", "categories"),
        (lambda d: d["annotations"][2].update(id=0), "annotation-ids-clash", "annotations"),
        (lambda d: d["annotations"][2].update(id=[1]), "not-coco", "annotations"),
        (lambda d: d["annotations"][2].update(image_id=99), "annotation-unknown", "99"),
        (lambda d: d["annotations"][2].update(image_id={}), "annotation-unknown", "image_id"),
        (lambda d: d["annotations"][2].update(category_id=99), "annotation-unknown", "category_id"),
        (lambda d: d["annotations"][2].update(bbox=[0, 0, float("nan"), 1]), "boxes-invalid", "nan"),
        (lambda d: d["annotations"][2].update(bbox=[0, 0, -5, 1]), "boxes-invalid", "negative"),
        (lambda d: d["annotations"][2].update(bbox=[0, 0, 5]), "boxes-invalid", "four"),
        (lambda d: d["annotations"][2].update(bbox=[0, 0, "5", 1]), "boxes-invalid", "four"),
        (lambda d: d["annotations"][2].update(bbox=[0, 0, 10**400, 1]), "boxes-invalid", "finite"),
        (lambda d: d["annotations"][2].update(bbox=[900, 0, 5, 5]), "boxes-invalid", "outside"),
        (lambda d: d["annotations"][2].pop("bbox"), "not-coco", "bbox"),
        (lambda d: d.update(annotations=[]), "boxes-missing", "boxes.json"),
        (lambda d: d.update(images={}), "not-coco", "images"),
        (lambda d: d.pop("categories"), "not-coco", "categories"),
        (lambda d: d.update(images=[1]), "not-coco", "images[0]"),
        (lambda d: d["categories"][1].update(name="red"), "class-name-invalid", "red"),
    ],
)
def test_wrong_coco(
    tmp_path: Path, drawings: list[Drawing], change: Callable[[dict[str, Any]], object], code: str, named: str
) -> None:
    typed = changed(write_coco(tmp_path, drawings[:4]), change)
    with raised(code, named):
        load_data(typed)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 100_000, "nested-too-deep"),
        ("{", "not-json"),
        ("[]", "not-coco"),
        ('{"a": ' + "9" * 5000 + "}", "not-json"),
        ("\ud800", "not-json"),
    ],
)
def test_what_is_no_coco(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with raised(code, "a.json"):
        load_raw(str(tmp_path / "a.json"))


def test_boxes_that_reach_beyond_their_image_are_cut_and_empty_ones_left_out(
    tmp_path: Path, drawings: list[Drawing]
) -> None:
    def change(document: dict[str, Any]) -> None:
        document["annotations"][0]["bbox"] = [-10, 300, 60, 60]
        document["annotations"][1]["bbox"] = [10, 10, 0, 5]

    raw = load_raw(changed(write_coco(tmp_path, drawings[:4]), change))
    assert [note for note in raw.notes if "cut" in note]
    assert [note for note in raw.notes if "no area" in note]
    rows = [row for part in (raw.y_train, raw.y_test) for rows in part for row in real(rows)]
    assert [0, 300 / SIDE, 50 / SIDE, 1] in [row[1:5] for row in rows]


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path, drawings: list[Drawing]) -> None:
    secret = tmp_path / "secret"
    write_images(secret, drawings[:1])
    (secret / "0.txt").write_text("0 0.5 0.5 0.1 0.1", encoding="utf-8")
    path = write_coco(tmp_path / "coco", drawings[:4])
    (tmp_path / "coco" / "images" / "1.png").unlink()
    (tmp_path / "coco" / "images" / "1.png").symlink_to(secret / "0.png")
    with raised("link-leaves-folder", "1.png"):
        load_raw(f"{path}{SMALL}")
    folder = write_yolo(tmp_path / "yolo", drawings[:4])
    labels = folder / "labels" / "1.txt"
    labels.unlink()
    labels.symlink_to(secret / "0.txt")
    with raised("link-leaves-folder", "1.txt"):
        load_raw(f"{folder}{SMALL}")
    shutil.rmtree(folder / "labels")
    (folder / "labels").symlink_to(secret)
    with raised("link-leaves-folder", "labels"):
        load_raw(f"{folder}{SMALL}")
    for said in ("../secret", "/etc", "images/../../secret", "missing"):
        (folder / "data.yaml").write_text(f"train: {said}\nnames: [a]\n", encoding="utf-8")
        with raised("image-outside-folder", said):
            load_raw(f"{folder / 'data.yaml'}{SMALL}")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("0 0.5 0.5 0.1", "4 columns"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2", "7 columns"),
        ("3 0.5 0.5 0.1 0.1", "class 3"),
        ("-1 0.5 0.5 0.1 0.1", "class -1"),
        ("0.5 0.5 0.5 0.1 0.1", "class 0.5"),
        ("nan 0.5 0.5 0.1 0.1", "class nan"),
        ("0 50 0.5 0.1 0.1", "0 to 1"),
        ("0 nan 0.5 0.1 0.1", "0 to 1"),
        ("0 0.5 0.5 -0.1 0.1", "0 to 1"),
        ("0 0.5 0.5 0 0.1", "area"),
        ("red 0.5 0.5 0.1 0.1", "red"),
        ("\x1b[31m 0 0 0 0", "\\x1b"),
    ],
)
def test_wrong_labels_of_yolo(tmp_path: Path, drawings: list[Drawing], line: str, named: str) -> None:
    folder = write_yolo(tmp_path, drawings[:4])
    (folder / "labels" / "2.txt").write_text(f"0 0.5 0.5 0.1 0.1\n\n{line}\n", encoding="utf-8")
    with raised("boxes-invalid", "2.txt", "line 3", named):
        load_raw(f"{folder}{SMALL}")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("names: []", "class-names-missing"),
        ("train: images", "class-names-missing"),
        ("names: [a]\nnc: 2", "not-data-yaml"),
        ("names: {0: a, 2: b}", "not-data-yaml"),
        ("names: [a\nb: c", "not-data-yaml"),
        ("names: !!python/object/apply:os.system [ls]", "not-data-yaml"),
        ("names: &x [a]", "not-data-yaml"),
        ("names: [a]\nnames: [b]", "key-twice"),
        ("names: [a]\ntrain: [x, y]", "not-data-yaml"),
        ("names: [a]\ntrain: list.txt", "not-data-yaml"),
        ("just text", "not-data-yaml"),
        ("\udcff", "not-utf-8"),
    ],
)
def test_wrong_data_yaml(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "data.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with raised(code, "data.yaml"):
        load_raw(str(tmp_path))


def test_a_folder_that_lacks_something(tmp_path: Path, drawings: list[Drawing]) -> None:
    folder = write_yolo(tmp_path, drawings[:3])
    (folder / "classes.txt").unlink()
    with raised("class-names-missing", "classes.txt"):
        load_raw(f"{folder}{SMALL}")
    (folder / "classes.txt").write_text("a\nb\nc\n", encoding="utf-8")
    for file in (folder / "labels").iterdir():
        file.write_text("", encoding="utf-8")
    with raised("boxes-missing", "3 images"):
        load_raw(f"{folder}{SMALL}")
    shutil.rmtree(folder / "images")
    (folder / "images").mkdir()
    with raised("data-not-found"):
        load_raw(f"{folder}{SMALL}")


def test_boxes_as_arrays_are_taken_for_the_task(rng: np.random.Generator) -> None:
    y = np.full((6, 2, 6), -1, np.float32)
    y[:, 0] = [1, 0.1, 0.1, 0.3, 0.3, 0]
    data = Dataset("own", rng.random((6, 8, 8, 3)), y, rng.random((6, 8, 8, 3)), y, ())
    ports = [Port("in", (8, 8, 3))], [Port("out", (5, 6))]
    fitted, task = fit(data, Preprocessing(), *ports, "model", detector=NOTHING)
    assert (fitted.boxes, fitted.class_names, task.main.metric) == (True, ("0", "1"), "map")
    assert task.detection is not None
    arrays = {"x_train": data.x_train, "y_train": y, "x_test": data.x_test, "y_test": y}
    named, _ = fit(build("own", arrays, "own", ("cat", "dog")), Preprocessing(), *ports, "model", detector=NOTHING)
    assert named.class_names == ("cat", "dog")
    for wrong in (y[..., :5], y.astype(np.int64), y + np.float32(0.5), y * 0 - 1):
        odd = Dataset("own", data.x_train, wrong, data.x_test, wrong, ())
        with raised("labels-do-not-fit", "(samples, boxes, 6)"):
            fit(odd, Preprocessing(), *ports, "model", detector=NOTHING)
