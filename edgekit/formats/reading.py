"""Choosing how to read a model file, by what is in it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from edgekit.errors import InputError, MissingExtraError, RunnerError
from edgekit.files.opening import brief
from edgekit.formats.info import FileInfo
from edgekit.formats.source import check_file, damaged
from edgekit.formats.tflite.graph import IDENTIFIER
from edgekit.formats.values import Array
from edgekit.schema.mixups import mixed_up
from edgekit.schema.types import JsonObject, JsonValue

_SUFFIXES = {"tflite": (".tflite", ".lite"), "onnx": (".onnx",)}
_TITLES = {"tflite": "a TFLite", "onnx": "an ONNX"}
_TAKEN = {
    ".tflite": "tflite",
    ".lite": "tflite",
    ".onnx": "onnx",
    ".keras": "keras",
    ".h5": "keras",
    ".hdf5": "keras",
} | {".ort": "ort"}

SECONDS = 30
"""In which a file is read, besides a second for every `BYTES_A_SECOND`."""
BYTES_A_SECOND = 4_000_000

_GRAPH_FIELD = 7
"""Number of `graph` in ONNX's ModelProto."""
_MAX_FIELDS = 100_000


def inspect_file(path: Path, shapes: Mapping[str, Sequence[int]] | None = None) -> FileInfo:
    """Read a .tflite or .onnx file, chosen by its content.

    Args:
        path: the file; any suffix, but not one that says something else.
        shapes: sizes of inputs of an ONNX file, by name, for which its MACs are counted.

    Raises:
        InputError: it cannot be read, is neither of the two, is damaged, or is named as what it is not; or the shapes
            do not fit.
        MissingExtraError: it is an ONNX file and the `onnx` package is not installed.
    """
    kind = format_of(path)
    if kind == "onnx":
        need_onnx()
    elif shapes:
        raise InputError(
            f"`--input-shape`: {path} is a .tflite file, which stores its shapes",
            "leave the option out",
            code="input-shape-mismatch",
        )
    given = {name: list(sizes) for name, sizes in (shapes or {}).items()}
    return FileInfo.of_parts(path, at_arms_length("describe", path, kind=kind, shapes=given))


def describe(path: str, kind: str, shapes: dict[str, list[int]]) -> tuple[JsonObject, list[Array]]:
    """Do what `inspect_file` asks for, in its child."""
    if kind == "tflite":
        from edgekit.formats.tflite.reader import read_tflite

        return read_tflite(Path(path)).parts(), []
    from edgekit.formats.onnx.reader import read_onnx

    return read_onnx(Path(path), shapes).parts(), []


def at_arms_length(name: str, path: Path, module: str = __name__, **arguments: JsonValue) -> JsonValue:
    """Return what a function that reads a file returns, called in this process's child.

    Args:
        name: of the function, in `module`; it takes the path as text.
        path: the file.
        module: where the function is.
        arguments: more of its arguments.

    Raises:
        EdgekitError: what the function raised.
        InputError: it took too long or too much memory, or the child died of the file.
    """
    from edgekit.processes.child import memory_for, worker

    size = check_file(path)
    seconds = SECONDS + size // BYTES_A_SECOND
    try:
        value, _ = worker().call(
            f"{module}:{name}",
            what=f"{brief(path)}: reading it",
            seconds=seconds,
            memory=memory_for(path),
            path=os.fspath(path),
            **arguments,
        )
    except RunnerError as error:
        raise InputError(error.message, error.hint or "copy or export the file again", code=error.code) from error
    return value


def need_onnx() -> None:
    """Raise if the `onnx` package is not installed.

    Raises:
        MissingExtraError: it is not.
    """
    if find_spec("onnx") is None:
        raise MissingExtraError("inspecting an ONNX file", "onnx", "No module named 'onnx'")


def format_of(path: Path) -> str:
    """Return `tflite` or `onnx`, by the file's content.

    Raises:
        InputError: it cannot be read, is neither of the two, or is named as what it is not.
    """
    check_file(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
            kind = "tflite" if head[4:8] == IDENTIFIER else ""
            if not kind and not _foreign(head) and _is_onnx(stream):
                kind = "onnx"
    except OSError as error:
        raise InputError(
            f"{path}: cannot read this file: {error.strerror}", "check its permissions", code="file-unreadable"
        ) from error
    if not kind:
        raise _refusal(path, head)
    suffix = path.suffix.lower()
    if _TAKEN.get(suffix, kind) != kind:
        right = path.with_suffix(_SUFFIXES[kind][0])
        raise InputError(
            f"{path}: is {_TITLES[kind]} file with the suffix `{path.suffix}`",
            f"rename it to {right}",
            code="suffix-mismatch",
        )
    return kind


def _foreign(head: bytes) -> tuple[str, str] | None:
    """Return what a file of another well-known format is, and what to do with it."""
    keras = "`edgekit compress FILE` makes a .tflite from it"
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "an HDF5 file, such as Keras saves (.h5)", keras
    if head.startswith(b"PK\x03\x04"):
        if any(name in head for name in (b"metadata.json", b"config.json", b"model.weights.h5")):
            return "a Keras model (.keras)", keras
        return "a zip archive", "unpack it, and give the .tflite or .onnx file that is in it"
    if head.startswith(b"\x1f\x8b"):
        return "compressed with gzip", "unpack it with gunzip first"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer", "fetch the file itself with `git lfs pull`"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page", "the download went wrong; look at it in a browser"
    if head[4:8] == b"ORTM":
        return "an ONNX Runtime file (.ort)", "give the .onnx file that it was made from"
    return None


def _refusal(path: Path, head: bytes) -> InputError:
    if (other := mixed_up(path, "model file")) is not None:
        return other
    foreign = _foreign(head)
    if foreign:
        hint = foreign[1].replace("FILE", str(path))
        return InputError(f"{path}: is {foreign[0]}, expected TFLite or ONNX", hint, code="format-unexpected")
    claimed = _TAKEN.get(path.suffix.lower())
    if claimed == "onnx":
        return damaged(path, "ONNX", "it is not a whole ONNX message")
    if claimed == "tflite":
        return damaged(path, "TFLite", f"bytes 4 to 8 are {head[4:8]!r}, expected {IDENTIFIER!r}")
    return InputError(
        f"{path}: neither a TFLite nor an ONNX file", "give a .tflite or .onnx file", code="format-unexpected"
    )


def _is_onnx(stream: BinaryIO) -> bool:
    """Return whether the file is one whole protobuf message with a graph in the field where ONNX has it.

    This needs no `onnx` package, and tells a text or an image from a model before anything is parsed.
    """
    size = stream.seek(0, 2)
    stream.seek(0)
    has_graph = False
    for _ in range(_MAX_FIELDS):
        position = stream.tell()
        if position >= size:
            return has_graph and position == size
        tag = _varint(stream)
        if tag is None or tag >> 3 == 0:
            return False
        length = {0: 0, 1: 8, 2: None, 5: 4}.get(tag & 7, -1)
        if length == 0:
            if _varint(stream) is None:
                return False
            continue
        length = _varint(stream) if length is None else length
        if length is None or length < 0 or length > size:
            return False
        has_graph = has_graph or tag == (_GRAPH_FIELD << 3 | 2)
        stream.seek(length, 1)
    return False


def _varint(stream: BinaryIO) -> int | None:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if not byte[0] & 0x80:
            return value
    return None
