"""Model files are recognised by their content, and refused with the next step; no TensorFlow involved."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.models.files import keras_file
from edgekit.models.files.gate import archive
from edgekit.models.files.keras_file import read_keras_file

DENSE = {"class_name": "Dense", "module": "keras.layers", "config": {"name": "d", "units": 2, "activation": "relu"}}
CONFIG = {"class_name": "Sequential", "module": "keras", "config": {"name": "m", "layers": [DENSE]}}
POLICY = {"class_name": "DTypePolicy", "module": "keras", "config": {"name": "float32"}}


def write_zip(path: Path, version: str | None = "3.15.1", config: Any = CONFIG, **members: bytes | None) -> Path:
    """A `.keras` file; `members` replace ("config_json") or, if None, leave out a part."""
    parts: dict[str, bytes | None] = {
        "metadata.json": json.dumps({"keras_version": version} if version else {}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": b"weights",
    }
    parts |= {name.replace("_", "."): content for name, content in members.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            if content is not None:
                archive.writestr(name, content)
    return path


def write_hdf5(path: Path, version: str | bytes | None = "2.15.0", config: Any = CONFIG, weights: bool = True) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        if version is not None:
            file.attrs["keras_version"] = version
        if config is not None:
            file.attrs["model_config"] = config if isinstance(config, (str, bytes)) else json.dumps(config)
        if weights:
            file.create_group("model_weights").attrs["layer_names"] = ["d"]
    return path


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_keras_file(path)
    assert str(path) in caught.value.message
    return caught.value


@pytest.mark.parametrize(("version", "generation"), [("2.12.0", 2), ("2.21.0", 2), ("3.0.5", 3), ("3.15.1", 3)])
def test_both_generations_in_a_zip(tmp_path: Path, version: str, generation: int) -> None:
    file = read_keras_file(write_zip(tmp_path / "m.keras", version))
    assert (file.container, file.generation, file.keras_version) == ("zip", generation, version)
    assert file.config == CONFIG


@pytest.mark.parametrize(("version", "generation"), [("2.2.4-tf", 2), (b"2.15.0", 2), ("3.3.3", 3)])
@pytest.mark.parametrize("name", ["m.h5", "m.hdf5"])
def test_both_generations_in_hdf5(tmp_path: Path, name: str, version: str | bytes, generation: int) -> None:
    file = read_keras_file(write_hdf5(tmp_path / name, version, json.dumps(CONFIG).encode()))
    assert (file.container, file.generation, file.config) == ("hdf5", generation, CONFIG)


def test_files_without_a_version_are_told_apart_by_what_keras_3_writes(tmp_path: Path) -> None:
    new = {**CONFIG, "config": {"layers": [{**DENSE, "config": {"name": "d", "dtype": POLICY}}]}}
    assert read_keras_file(write_hdf5(tmp_path / "old.h5", None)).generation == 2
    assert read_keras_file(write_hdf5(tmp_path / "new.h5", None, new)).generation == 3
    assert read_keras_file(write_zip(tmp_path / "new.keras", None, new)).keras_version == "unknown"


@pytest.mark.parametrize("version", ["1.2.2", "4.0.0", "banana"])
def test_other_generations_are_refused(tmp_path: Path, version: str) -> None:
    assert f"Keras {version}" in refusal(write_zip(tmp_path / "m.keras", version)).message


def test_the_content_decides_not_the_extension(tmp_path: Path) -> None:
    for name in ("m.keras", "m.v2", "m"):
        assert read_keras_file(write_hdf5(tmp_path / name)).container == "hdf5"
    for name in ("m.h5", "m.v2", "m.KERAS"):
        assert read_keras_file(write_zip(tmp_path / name)).container == "zip"


def test_what_is_not_a_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing.keras").code == "file-missing"
    assert refusal(tmp_path).code == "not-a-file"
    (tmp_path / "config.json").touch()
    assert "an unzipped Keras model" in refusal(tmp_path).message
    (tmp_path / "saved_model.pb").touch()
    error = refusal(tmp_path)
    assert "a SavedModel folder, not a single file" in error.message
    assert "model.save('model.keras')" in error.hint


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("m.keras", b"", "file-empty"),
        ("m.keras", b"\x1c\0\0\0TFL3" + bytes(40), "format-unexpected"),
        ("m.onnx", b"\x08\x0a\x12\x07pytorch", "format-unexpected"),
        ("m.keras", b"\x08\x0a\x12\x07pytorch", "format-unexpected"),
        ("m.h5", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "format-unexpected"),
        ("m.h5", b"\n<!DOCTYPE html><html>", "format-unexpected"),
        ("frozen.pb", b"\n\x05hello", "format-unexpected"),
        ("m.pt", b"\x80\x02}q", "format-unexpected"),
        ("m.keras", b"hello", "format-unexpected"),
        ("m.keras", b"PK\x03\x04rest is missing", "file-damaged"),
        ("m.h5", b"\x89HDF\r\n\x1a\nrest is missing", "file-damaged"),
    ],
)
def test_other_content_is_named(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    error = refusal(path)
    assert error.code == code
    assert error.hint


def test_a_zip_that_is_not_a_keras_model(tmp_path: Path) -> None:
    for member, what in (("a.npy", "a NumPy .npz"), ("archive/data.pkl", "a PyTorch file"), ("a.txt", "a zip")):
        path = tmp_path / "m.keras"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, b"")
        error = refusal(path)
        assert error.code == "format-unexpected" and what in error.message


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"config_json": None}, "it holds no config.json"),
        ({"metadata_json": None}, "it holds no metadata.json"),
        ({"model_weights_h5": None}, "no weights"),
        ({"config_json": b"{"}, "`config.json` is not JSON"),
        ({"config_json": b"\xff\xfe{"}, "`config.json` is not JSON"),
        ({"config_json": b"[" * 100_000}, "`config.json` is not JSON"),
        ({"metadata_json": b"nope"}, "`metadata.json` is not JSON"),
        ({"config_json": b"[1]"}, "does not describe a Keras model"),
        ({"config_json": b'{"class_name": 3, "config": {}}'}, "does not describe a Keras model"),
    ],
)
def test_broken_members(tmp_path: Path, members: dict[str, bytes | None], what: str) -> None:
    assert what in refusal(write_zip(tmp_path / "m.keras", **members)).message


def test_metadata_of_another_kind_is_not_a_version(tmp_path: Path) -> None:
    assert read_keras_file(write_zip(tmp_path / "m.keras", metadata_json=b"[]")).keras_version == "unknown"


def test_zip_bombs_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            packed.writestr(name, bytes(2 << 20))
    monkeypatch.setattr(archive, "EXPANSION_FLOOR", 1 << 20)
    assert "would grow to 6 MiB" in refusal(path).message
    monkeypatch.setattr(archive, "EXPANSION_FLOOR", 1 << 30)
    monkeypatch.setattr(keras_file, "MAX_CONFIG_BYTES", 1 << 20)
    assert "`metadata.json` is larger than 1 MiB" in refusal(path).message


@pytest.mark.parametrize("cut", [100, 400, 900])
def test_truncated_files(tmp_path: Path, cut: int) -> None:
    whole = write_zip(tmp_path / "w.keras", config={**CONFIG, "more": "x" * 2000}).read_bytes()
    (tmp_path / "m.keras").write_bytes(whole[:cut])
    assert refusal(tmp_path / "m.keras").code == "file-damaged"
    whole = write_hdf5(tmp_path / "w.h5").read_bytes()
    (tmp_path / "m.h5").write_bytes(whole[:cut])
    assert refusal(tmp_path / "m.h5").code == "file-damaged"


def test_a_flipped_byte_in_the_configuration(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "m.keras")
    path.write_bytes(path.read_bytes().replace(b'"units": 2', b'"units": 3'))
    assert "damaged or incomplete zip: Bad CRC-32" in refusal(path).message


def test_hdf5_without_an_architecture_or_weights(tmp_path: Path) -> None:
    import h5py

    error = refusal(write_hdf5(tmp_path / "w.h5", config=None))
    assert "HDF5 data, but no architecture" in error.message
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        file.create_group("layers")
    error = refusal(tmp_path / "m.weights.h5")
    assert "the weights of a model, but no architecture" in error.message
    assert "save the whole model" in error.hint
    assert refusal(write_hdf5(tmp_path / "a.h5", weights=False)).code == "model-incomplete"
    assert "`model_config` is not JSON" in refusal(write_hdf5(tmp_path / "j.h5", config="{")).message


def _whole() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.1.0"}')
        archive.writestr("config.json", json.dumps(CONFIG))
        archive.writestr("model.weights.h5", b"w")
    return buffer.getvalue()


WHOLE = _whole()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4), st.binary(max_size=9))
def test_damage_gives_an_explanation_or_nothing(tmp_path: Path, bytes_at: list[tuple[int, int]], tail: bytes) -> None:
    content = bytearray(WHOLE)
    for position, value in bytes_at:
        content[position] = value
    path = tmp_path / "m.keras"
    path.write_bytes(bytes(content) + tail)
    try:
        read_keras_file(path)
    except InputError as error:
        assert str(path) in error.message
