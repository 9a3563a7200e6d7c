"""`edgekit init`: the files it writes work as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.api.starter import FILES, write_starter
from edgekit.bundle.recipe import load_recipe
from edgekit.data.loading import load_raw
from edgekit.errors import OutputError
from tests.conftest import Edgekit
from tests.support.raised import raised


def test_the_files_work(edgekit: Edgekit, tmp_path: Path) -> None:
    done = edgekit("init")
    assert done.stdout == "".join(f"written: {name}\n" for name in FILES)
    raw = load_raw(f"{tmp_path / 'data.py'}:load")
    assert (raw.x_train.shape, raw.x_test.shape, raw.x_train.dtype) == ((1000, 28, 28, 1), (200, 28, 28, 1), np.uint8)
    assert set(raw.y_test.tolist()) == set(range(10))
    mine, named = load_recipe(str(tmp_path / "recipe.toml")), load_recipe("int8")
    for field in ("seed", "stages", "schemes", "formats", "calibration_samples", "check_samples", "eval_samples"):
        assert getattr(mine, field) == getattr(named, field), field


def test_the_stage_in_the_comment_works(tmp_path: Path) -> None:
    write_starter(tmp_path)
    path = tmp_path / "recipe.toml"
    lines = path.read_text().splitlines()
    start = lines.index("# [[stage]]")
    lines[start : start + 3] = [line.removeprefix("# ") for line in lines[start : start + 3]]
    path.write_text("\n".join(lines))
    assert [stage.use for stage in load_recipe(str(path)).stages] == ["quantize"]


def test_another_folder_is_made(edgekit: Edgekit, tmp_path: Path) -> None:
    edgekit("init", "new/project")
    assert sorted(p.name for p in (tmp_path / "new" / "project").iterdir()) == sorted(FILES)


def test_nothing_is_overwritten(edgekit: Edgekit, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("mine")
    done = edgekit("init", check=1)
    assert "recipe.toml: exists already" in done.stderr
    assert "--force" in done.stderr
    assert (tmp_path / "recipe.toml").read_text() == "mine"
    assert not (tmp_path / "data.py").exists()
    edgekit("init", "--force")
    assert load_recipe(str(tmp_path / "recipe.toml")).schemes == ("float32", "int8")


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "data.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(OutputError, match=r"data\.py: exists already"):
        write_starter(tmp_path)
    write_starter(tmp_path, force=True)
    assert not (tmp_path / "elsewhere.py").exists()


def test_places_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        write_starter(tmp_path / "file")
    with raised("output-not-writable"):
        write_starter(tmp_path / "file" / "below")
    (tmp_path / "data.py").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        write_starter(tmp_path, force=True)
