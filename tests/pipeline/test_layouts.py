"""Layouts of rebuilt models: which data are transposed, what `--layout-out` changes, and where it is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.recipe import Recipe, parse
from edgekit.data.dataset import Dataset
from edgekit.models.imported.lowering.layout import Port
from edgekit.pipeline import layouts
from edgekit.pipeline.layouts import as_fed, check_layout_out, with_layout
from edgekit.pipeline.request import Request
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import NamedArrays
from tests.support.raised import raised

LAST = Port("image", (1, 3, 4, 5), (2, 3, 1), 1)
FIRST = Port("image", (1, 3, 4, 5), (1, 2, 3), 1)
SERIES = Port("series", (1, 2, 7), (2, 1), 1)
SERIES_FIRST = Port("series", (1, 2, 7), (1, 2), 1)
ROW = Port("row", (1, 6), (1,))


def source(*ports: Port, outputs: tuple[Port, ...] = (ROW,)) -> Any:
    """Return what is looked at of a source that was rebuilt."""
    ends = [[SimpleNamespace(name=p.name, shape=p.sizes(p.order)) for p in side] for side in (ports, outputs)]
    made = SimpleNamespace(inputs=ports, outputs=outputs)
    model = SimpleNamespace(inputs=ends[0], outputs=ends[1])
    return SimpleNamespace(file="net.onnx", model=model, rebuilt=SimpleNamespace(made=made))


def dataset(x: Any, y: Any = None) -> Dataset:
    how = Preprocessing(inputs=tuple((name, Preprocessing()) for name in getattr(x, "names", ())))
    return Dataset("d", x, y, x, y, (), how)


def request(layout_out: str = "", **preprocessing: Any) -> Request:
    return Request(Path("net.onnx"), "d", Recipe("r", layout_out=layout_out, preprocessing=preprocessing))


@pytest.mark.parametrize(
    "port, given, stored",
    [
        (LAST, (3, 4, 5), (4, 5, 3)),
        (LAST, (4, 5, 3), (4, 5, 3)),
        (FIRST, (3, 4, 5), (4, 5, 3)),  # the preprocessing transposes them
        (SERIES, (2, 7), (7, 2)),
        (SERIES, (2, 7, 1), (7, 2)),
        (SERIES_FIRST, (2, 7), (2, 7)),
        (SERIES_FIRST, (7, 2), (2, 7)),
        (ROW, (6,), (6,)),
    ],
)
def test_samples_are_taken_either_way(port: Port, given: tuple[int, ...], stored: tuple[int, ...]) -> None:
    x = np.arange(2 * np.prod(given)).reshape(2, *given)
    found, notes = as_fed(source(port), dataset(x))
    assert found.x_train.shape == (2, *stored)
    assert bool(notes) == (given != stored)
    natural = x.reshape(2, *port.sizes(port.natural)) if given[: len(port.order)] == port.sizes(port.natural) else None
    if natural is not None and port.channels is not None and given != stored:
        assert np.array_equal(np.moveaxis(np.asarray(found.x_train), -1, 1), natural)


def test_arrays_of_several_inputs_are_moved_by_name() -> None:
    x = NamedArrays({"row": np.zeros((2, 6)), "image": np.zeros((2, 3, 4, 5))})
    found, notes = as_fed(source(LAST, ROW), dataset(x))
    assert [a.shape for a in found.x_train.arrays] == [(2, 6), (2, 4, 5, 3)]
    assert "image to 4×5×3" in notes[0] and "row" not in notes[0]


@pytest.mark.parametrize("port", [LAST, FIRST])
@pytest.mark.parametrize("given", [(3, 4, 5), (4, 5, 3)])
def test_labels_that_are_images_are_taken_either_way(port: Port, given: tuple[int, ...]) -> None:
    y = np.arange(2 * 60).reshape(2, *given)
    found, _ = as_fed(source(LAST, outputs=(port,)), dataset(np.zeros((2, 4, 5, 3)), y))
    assert found.y_train.shape == (2, *port.sizes(port.order))
    if given == (3, 4, 5):
        assert np.array_equal(found.y_train, y if port is FIRST else y.transpose(0, 2, 3, 1))


def test_masks_need_classes_last() -> None:
    masked = dataset(np.zeros((2, 4, 5, 3)), np.zeros((2, 4, 5), np.int64))
    assert as_fed(source(LAST, outputs=(LAST,)), masked)[0].y_train.shape == (2, 4, 5)
    with raised("layout-out-unsuitable", "`image`", "masks"):
        as_fed(source(FIRST, outputs=(FIRST,)), masked)


def test_the_graph_settles_the_layout() -> None:
    data = dataset(np.zeros((2, 4, 5, 3), np.float32))
    asked = request(layout="NCHW", scale=0.5)
    assert with_layout(asked, source(LAST), data).recipe.preprocessing == {"scale": 0.5}
    assert with_layout(asked, source(FIRST), data).recipe.preprocessing == {"scale": 0.5, "layout": "NCHW"}
    assert with_layout(asked, source(SERIES_FIRST), data).recipe.preprocessing == {"scale": 0.5}
    assert with_layout(asked, source(ROW), data).recipe.preprocessing["layout"] == "NCHW"  # nothing tells
    named = dataset(NamedArrays({"image": np.zeros((2, 4, 5, 3)), "row": np.zeros((2, 6))}))
    found = with_layout(request(inputs={"row": {"scale": 2.0}, "image": {"layout": "NHWC"}}), source(FIRST, ROW), named)
    assert found.recipe.preprocessing == {"inputs": {"row": {"scale": 2.0}, "image": {"layout": "NCHW"}}}


@pytest.mark.parametrize(
    "stored, given, layout",
    [
        ((4, 5, 3), {}, "NCHW"),
        ((3, 4, 5), {}, None),
        ((4, 5, 3), {"layout": "NHWC"}, "NHWC"),
        ((5, 4, 3), {}, None),
    ],
)
def test_samples_settle_the_layout_of_an_onnx_file_as_it_is(
    stored: tuple[int, ...], given: dict[str, str], layout: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "is_onnx", lambda model: True)
    file = SimpleNamespace(rebuilt=None, model=SimpleNamespace(inputs=[SimpleNamespace(name="image", shape=(3, 4, 5))]))
    found = with_layout(request(**given), file, dataset(np.zeros((2, *stored))))  # type: ignore[arg-type]
    assert found.recipe.preprocessing.get("layout") == layout


def test_channels_first_are_kept_only_where_they_are() -> None:
    check_layout_out(source(LAST), request("NHWC"))
    check_layout_out(source(FIRST), request("NCHW"))
    with raised("layout-out-unsuitable", "tells nothing"):
        check_layout_out(source(ROW), request("NCHW"))
    with raised("layout-out-unsuitable", "a Keras model"):
        check_layout_out(SimpleNamespace(file="a.keras", rebuilt=None), request("NCHW"))  # type: ignore[arg-type]


def test_a_recipe_holds_the_layout() -> None:
    recipe = Recipe("r").changed(layout_out="nchw")
    assert recipe.layout_out == "NCHW" and recipe.wants_layers("tflite")
    assert parse(recipe.to_toml(), "r", "r") == recipe
    assert parse('schema = 1\n[export]\nlayout = "nhwc"\n', "r", "r").layout_out == "NHWC"
    assert replace(recipe, layout_out="").to_toml().count("layout") == 0
    with raised("unknown-name", "`--layout-out CHW`", "NHWC"):
        recipe.changed(layout_out="CHW")
    with raised("unknown-name", "export.layout", "NHWC"):
        parse('schema = 1\n[export]\nlayout = "CHW"\n', "r", "r")
