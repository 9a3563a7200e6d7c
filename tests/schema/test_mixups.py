"""One of edgekit's own files given for another: every pair, through the readers that users reach."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.bundle.recipe import Recipe, load_recipe
from edgekit.bundle.records import read_record
from edgekit.data.loading import check_spec
from edgekit.devices.targets import find_target
from edgekit.errors import InputError
from edgekit.formats.reading import inspect_file
from edgekit.measuring.candidates import candidates
from edgekit.models.files.keras_file import read_keras_file
from edgekit.schema.mixups import kind_of
from tests.support.raised import raised
from tests.support.tiny_tflite import tiny_tflite

RECORD = Path(__file__).parents[1] / "report" / "session.json"
MANIFEST = {"schema": 1, "artifacts": [], "preprocessing": {}, "lineage": [], "files": {}}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of every kind, and a space in its name."""
    folder = tmp_path / "my files"
    (folder / "bundle").mkdir(parents=True)
    (folder / "bundle" / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "bundle" / "recipe.toml").write_text(Recipe("r").to_toml())
    (folder / "bundle" / "m.keras").touch()
    (folder / "records").mkdir()
    shutil.copy(RECORD, folder / "records" / "a.json")
    shutil.copy(RECORD, folder / "record.json")
    (folder / "recipe.toml").write_text('schema = 1\n[export]\nschemes = ["int8"]\n')
    (folder / "target.toml").write_text('schema = 1\ntransport = "ssh"\nhost = "pi@raspberrypi"\n')
    (folder / "m.keras.json").write_text(json.dumps({"schema": 1, "preprocessing": {}, "lineage": []}))
    monkeypatch.chdir(folder)
    return folder


READERS: dict[str, Callable[[str], object]] = {
    "record": lambda path: read_record(Path(path)),
    "recipe": load_recipe,
    "target": find_target,
    "model file": lambda path: inspect_file(Path(path)),
    "bundle or a model file": lambda path: candidates([Path(path)]),
    "model to compress": lambda path: read_keras_file(Path(path)),
    "data set": check_spec,
}
OWN = {
    "bundle": ("a bundle", "edgekit bench bundle"),
    "bundle/manifest.json": ("a bundle's manifest", "the bundle is its folder: edgekit bench bundle"),
    "records": ("a folder of records", "edgekit report records"),
    "record.json": ("a record of edgekit bench", "edgekit report record.json"),
    "recipe.toml": ("a recipe", "edgekit compress MODEL --recipe recipe.toml"),
    "target.toml": ("a target", "edgekit bench BUNDLE --target target.toml"),
    "m.keras.json": ("what edgekit notes beside a model", "the file of its name without .json"),
}
RIGHT = {("record", "record.json"), ("recipe", "recipe.toml"), ("target", "target.toml")}
TAKEN = {
    ("bundle or a model file", "bundle"),
    ("bundle or a model file", "bundle/manifest.json"),
    ("model file", "bundle"),
    ("model file", "records"),
}
"""Taken, or refused for another reason."""


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("wanted", READERS)
@pytest.mark.usefixtures("own")
def test_every_pair(wanted: str, name: str) -> None:
    if (wanted, name) in RIGHT:
        READERS[wanted](name)
        return
    if (wanted, name) in TAKEN:
        return
    with pytest.raises(InputError) as caught:
        READERS[wanted](name)
    what, use = OWN[name]
    asked = "model file" if wanted == "bundle or a model file" and "." in name else wanted
    assert caught.value.message == f"{name}: is {what}, not a {asked}"
    inside = {("recipe", "bundle"): "bundle/recipe.toml", ("model to compress", "bundle"): "bundle/m.keras"}
    assert caught.value.hint.endswith(inside.get((wanted, name), use))


def test_models_and_data(own: Path) -> None:
    tiny_tflite(own / "m.tflite")
    (own / "d.npz").write_bytes(b"PK\x03\x04 and so on")
    for name, what in (("m.tflite", "a model file"), ("bundle/m.keras", "a Keras model"), ("d.npz", "data")):
        for wanted in ("record", "recipe", "target"):
            with raised("file-of-another-kind", f"is {what}, not a {wanted}"):
                READERS[wanted](name)
    with raised("file-of-another-kind", "data", "model file"):
        inspect_file(Path("d.npz"))
    assert inspect_file(Path("m.tflite")).format == "tflite"


def test_a_damaged_file_of_the_right_kind_is_told_what_is_wrong(own: Path) -> None:
    table = json.loads(RECORD.read_text())
    del table["command"]
    (own / "record.json").write_text(json.dumps(table))
    with raised("key-missing", "`command`"):
        read_record(Path("record.json"))
    (own / "recipe.toml").write_text("schema = 1\nseed = -1\n")
    with raised("value-out-of-range", "`seed` is -1"):
        load_recipe("recipe.toml")
    (own / "bundle" / "manifest.json").write_text("{}")
    assert kind_of(Path("bundle")) is None


def test_what_is_none_of_them(own: Path) -> None:
    for name, content in (("a.json", "[1]"), ("b.json", "{"), ("c.toml", "a = 1"), ("d.txt", "hello")):
        (own / name).write_text(content)
        assert kind_of(Path(name)) is None
    assert kind_of(Path("nothing")) is None
    assert kind_of(Path("/dev/null")) is None
    with raised("not-json", "d.txt", "record"):
        read_record(Path("d.txt"))
