"""What a Keras model file is, read from its content before any Keras code sees it.

    .keras   a zip with `metadata.json`, `config.json` and `model.weights.h5`; Keras 2.12 and later write it
    .h5      HDF5 with the architecture in the attribute `model_config`

Both exist in two generations that cannot read each other's files: Keras 2 (`tf_keras`) and Keras 3 (`keras`).
"""

from __future__ import annotations

import json
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit.errors import InputError, MissingExtraError
from edgekit.frameworks.types import ConfigValue, Hdf5Group, KerasConfig
from edgekit.models.files.gate.archive import Bomb, check_archive
from edgekit.models.files.gate.configuration import class_names
from edgekit.models.files.gate.hdf5 import Untrusted, check_hdf5
from edgekit.schema.mixups import recognised

Container = Literal["zip", "hdf5", "savedmodel"]

MAX_CONFIG_BYTES = 16 << 20

SUFFIXES: dict[Container, tuple[str, ...]] = {"zip": (".keras",), "hdf5": (".h5", ".hdf5"), "savedmodel": ("",)}
"""What Keras wants files to be called; TensorFlow 2.12 and before write HDF5 into `model.keras`."""
WEIGHTS = "model.weights.h5"
COPY_AGAIN = "copy or save the model again"
SAVE_WHOLE = "save the whole model where it was trained, with model.save('model.keras'), and give that file"


@dataclass(frozen=True)
class KerasFile:
    """A model file that was looked at, not loaded.

    Attributes:
        path: the file, or the folder of a SavedModel.
        container: `zip`, `hdf5` or `savedmodel`.
        generation: of Keras, 2 or 3.
        keras_version: as written in the file, else `unknown`.
        config: the model's serialized form, `{"class_name": ..., "config": {...}}`; what it was compiled with stands
            under `compile_config`.
    """

    path: Path
    container: Container
    generation: Literal[2, 3]
    keras_version: str
    config: KerasConfig


def read_keras_file(path: Path) -> KerasFile:
    """Return what a model file is.

    Raises:
        InputError: it is not a whole Keras 2 or Keras 3 model; the message names what it is instead.
        MissingExtraError: it is HDF5, and h5py is not installed.
    """
    with recognised(path, "model to compress"):
        container = _container(path)
    version, config = _read_zip(path) if container == "zip" else _read_hdf5(path)
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str) or "config" not in config:
        raise InputError(
            f"{path}: its configuration does not describe a Keras model", SAVE_WHOLE, code="model-malformed"
        )
    return KerasFile(path, container, _generation(path, version, config), version, config)


def _container(path: Path) -> Container:
    if path.is_dir():
        what = "a folder, not a model file"
        if (path / "saved_model.pb").exists():
            what = "a SavedModel folder, not a single file"
        elif (path / "config.json").exists():
            what = "an unzipped Keras model; edgekit reads it as one file"
        raise InputError(f"{path}: is {what}", SAVE_WHOLE, code="not-a-file")
    if not path.exists():
        raise InputError(
            f"{path}: no such model file",
            "give a .keras or .h5 file; `edgekit train` makes one of a reference model",
            code="file-missing",
        )
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError(
            f"{path}: is not a regular file", "write its content into a file and give that", code="not-a-file"
        )
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError as error:
        raise InputError(
            f"{path}: cannot read this file: {error.strerror}", "check its permissions", code="file-unreadable"
        ) from error
    if not head:
        raise InputError(f"{path}: is empty", COPY_AGAIN, code="file-empty")
    if head.startswith(b"PK"):
        return "zip"
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5"
    what, hint = _foreign(path, head)
    raise InputError(f"{path}: is {what}, expected a Keras model", hint, code="format-unexpected")


_OF_TORCH = ("data.pkl", "models/model.json", "serialized_exported_program.json")
"""What PyTorch's zips hold: of `torch.save`, and of `torch.export.save` (`.pt2`)."""
EXPORT = (
    "edgekit loads no pickle, which runs code: write `torch.onnx.export(model.eval(), (example,), 'net.onnx')` in "
    "Python and give net.onnx, or give the module itself to `edgekit.compress`"
)


def _foreign(path: Path, head: bytes) -> tuple[str, str]:
    """Return what a file that is neither zip nor HDF5 probably is, and what to do about it."""
    converted = "give the Keras model that it was converted from, or measure this file with `edgekit bench`"
    if head[4:8] == b"TFL3":
        return "a TFLite model", converted
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer", "fetch the file itself with `git lfs pull`"
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page", "the download failed: fetch the file itself"
    if path.suffix == ".pb":
        return "a TensorFlow graph", "if it lies in a SavedModel folder, give the folder"
    if path.suffix == ".onnx" or (head[0] == 0x08 and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b"\x1a", b":")):
        return "an ONNX model", converted
    if path.suffix in (".pt", ".pth", ".ckpt", ".pkl", ".pickle") or head.startswith((b"\x80\x02", b"\x80\x04")):
        return "a pickle or a checkpoint", f"{SAVE_WHOLE}; of PyTorch: {EXPORT}"
    return "neither a zip (.keras) nor HDF5 (.h5)", f"it may be damaged; {SAVE_WHOLE}"


def _read_zip(path: Path) -> tuple[str, ConfigValue]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "config.json" not in names or "metadata.json" not in names:
                what = "a NumPy .npz" if any(n.endswith(".npy") for n in names) else "a zip"
                of_torch = any(n.endswith(_OF_TORCH) for n in names)
                what = "a PyTorch file" if of_torch else what
                missing = " and ".join(sorted({"config.json", "metadata.json"} - names))
                raise InputError(
                    f"{path}: is {what}, expected a Keras model: it holds no {missing}",
                    EXPORT if of_torch else SAVE_WHOLE,
                    code="format-unexpected",
                )
            if WEIGHTS not in names:
                raise InputError(
                    f"{path}: holds the architecture of a model, but no weights (`{WEIGHTS}`)",
                    SAVE_WHOLE,
                    code="model-incomplete",
                )
            check_archive(archive, path.stat().st_size)
            metadata = _json(path, "metadata.json", _member(archive, path, "metadata.json"))
            version = metadata.get("keras_version") if isinstance(metadata, dict) else None
            return str(version or "unknown"), _json(path, "config.json", _member(archive, path, "config.json"))
    except Bomb as error:
        raise InputError(f"{path}: {error}", SAVE_WHOLE, code="file-suspicious") from error
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        raise InputError(f"{path}: damaged or incomplete zip: {error}", COPY_AGAIN, code="file-damaged") from error


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> bytes:
    with archive.open(name) as stream:
        content = stream.read(MAX_CONFIG_BYTES + 1)
    if len(content) > MAX_CONFIG_BYTES:
        raise InputError(
            f"{path}: its `{name}` is larger than {MAX_CONFIG_BYTES >> 20} MiB and is not read",
            SAVE_WHOLE,
            code="file-suspicious",
        )
    return content


@contextmanager
def open_hdf5(path: Path) -> Iterator[Hdf5Group]:
    """Open an HDF5 file for reading.

    Raises:
        MissingExtraError: h5py is not installed.
        OSError, RuntimeError: it is damaged; in the block KeyError and ValueError, too.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("reading an .h5 file", "compress", str(error)) from error
    with h5py.File(path, "r") as file:
        yield file


def _read_hdf5(path: Path) -> tuple[str, ConfigValue]:
    try:
        with open_hdf5(path) as file:
            check_hdf5(file, path.stat().st_size)
            if "model_config" not in file.attrs:
                kind = "the weights of a model" if "layer_names" in file.attrs or "layers" in file else "HDF5 data"
                raise InputError(f"{path}: holds {kind}, but no architecture", SAVE_WHOLE, code="model-incomplete")
            if "model_weights" not in file:
                raise InputError(
                    f"{path}: holds the architecture of a model, but no weights", SAVE_WHOLE, code="model-incomplete"
                )
            version, config = file.attrs.get("keras_version", "unknown"), file.attrs["model_config"]
            compiled = file.attrs.get("training_config")
    except Untrusted as error:
        raise InputError(
            f"{path}: not an HDF5 file as Keras writes it: {error}", SAVE_WHOLE, code="file-suspicious"
        ) from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: damaged or incomplete HDF5: {error}", COPY_AGAIN, code="file-damaged") from error
    if isinstance(config, (bytes, str)) and len(config) > MAX_CONFIG_BYTES:
        raise InputError(
            f"{path}: its `model_config` has {len(config) >> 20} MiB and is not read",
            SAVE_WHOLE,
            code="file-suspicious",
        )
    text = version.decode("utf-8", "replace") if isinstance(version, bytes) else str(version)
    described = _json(path, "model_config", config if isinstance(config, (bytes, str)) else str(config))
    if isinstance(described, dict) and isinstance(compiled, (bytes, str)):
        described.setdefault("compile_config", _json(path, "training_config", compiled))
    return text, described


def _json(path: Path, name: str, content: bytes | str) -> ConfigValue:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError, too
        raise InputError(f"{path}: its `{name}` is not JSON: {error}", COPY_AGAIN, code="file-damaged") from error


def _generation(path: Path, version: str, config: KerasConfig) -> Literal[2, 3]:
    major = version.split(".")[0]
    if major == "2":
        return 2
    if major == "3":
        return 3
    if major == "unknown":  # files made by converters; only Keras 3 writes dtype policies as objects
        return 3 if "DTypePolicy" in class_names(config) else 2
    raise InputError(
        f"{path}: was written by Keras {version}; edgekit reads Keras 2 and Keras 3",
        "open it with that version and save it again with a supported one, or update edgekit",
        code="keras-version-unsupported",
    )
