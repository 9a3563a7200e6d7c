"""The matrix of files, networks and recipes: what is committed, and that it can be filled again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.matrix.__main__ import ROWS, chosen, run
from benchmarks.matrix.cells import RECIPES, Cell, short
from benchmarks.matrix.files import KINDS
from benchmarks.matrix.networks import NETWORKS, write_data
from benchmarks.matrix.table import show
from edgekit.schema.gate import read_json

FOLDER = Path(__file__).parents[2] / "benchmarks" / "matrix"


def committed() -> list[Cell]:
    return [Cell(**cell) for cell in read_json(FOLDER / "results.json", "matrix")["cells"]]


def test_the_committed_cells_are_all_there_and_each_has_its_proof() -> None:
    cells = committed()
    assert sorted((c.file, c.network, c.recipe) for c in cells) == sorted(chosen([]))
    assert set(ROWS) == set(KINDS)
    for cell in cells:
        assert cell.outcome in ("works", "refused")
        if cell.outcome == "refused":
            assert cell.reason
            continue
        assert cell.max_abs_diff is not None
        assert cell.max_abs_diff < 1e-4
        assert cell.sqnr_db is None or cell.sqnr_db > 10
        assert cell.int8 is not None
        assert cell.int8_bytes


def test_the_committed_table_is_that_of_the_cells() -> None:
    assert (FOLDER / "results.txt").read_text() == show(committed()) + "\n"


def test_cells_are_chosen_by_a_part_of_their_names() -> None:
    assert {name[0] for name in chosen(["Keras 3"])} == {"Keras 3 .keras", "Keras 3 .h5"}
    assert chosen([".onnx / table / qat"]) == [("float .onnx", "table", "qat")]
    assert {name[2] for name in chosen(["qat"])} == {"qat", "channels-qat"}
    assert chosen(["no such"]) == []


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_short(name: str) -> None:
    recipe = short(name)
    assert all(stage.options["epochs"] <= 2 for stage in recipe.stages)
    assert recipe.schemes == ("float32", "int8")


@pytest.mark.parametrize("network", NETWORKS)
def test_the_data_of_every_network(tmp_path: Path, network: str) -> None:
    write_data(NETWORKS[network], tmp_path / "d.npz")
    with np.load(tmp_path / "d.npz") as arrays:
        rows = {len(arrays[key]) for key in arrays.files if "_train" in key}
        assert len(rows) == 1
        assert all(np.isfinite(arrays[key]).all() for key in arrays.files)


def test_what_went_wrong_is_shown() -> None:
    cells = [
        Cell("Keras 3 .keras", "cnn", "int8", "bug", 1.0, "KeyError in some.py: 3"),
        Cell("Keras 3 .keras", "cnn", "qat", "refused", 1.0, "it cannot"),
    ]
    text = show(cells)
    assert "2 cells: 1 refused, 1 bug" in text
    assert "[1] BUG: KeyError in some.py: 3\n[2] it cannot" in text


@pytest.mark.e2e
@pytest.mark.tensorflow
def test_two_cells_are_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_WORK", str(tmp_path))
    out = tmp_path / "m.json"
    run("float .onnx", [("float .onnx", "table", "int8")], out)
    [works] = (Cell(**cell) for cell in read_json(out, "matrix")["cells"])
    assert works.outcome == "works"
    assert works.max_abs_diff is not None
    assert works.max_abs_diff < 1e-4
    assert works.float32 is not None
    assert works.float32["value"] < 0.3
    out.unlink()
    run("plain SavedModel", [("plain SavedModel", "table", "qat")], out)
    [refused] = (Cell(**cell) for cell in read_json(out, "matrix")["cells"])
    assert refused.outcome == "refused"
    assert "post-training schemes only" in refused.reason
