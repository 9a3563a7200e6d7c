"""The bytes of a model file, or a precise reason why there are none."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import InputError
from edgekit.printable import visible

MAX_RANK = 64
"""More axes than any runtime takes: a longer shape is damage, and its product may be a number of megabytes."""


def check_file(path: Path) -> None:
    """Check that the path is a regular file with something in it.

    Raises:
        InputError: it is missing, a folder, a device or pipe, empty or out of reach.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder, not a model file", _folder_hint(path))
        if not path.exists():
            raise InputError(f"{path}: no such file", "give the path of a .tflite or .onnx file")
        if not path.is_file():
            raise InputError(f"{path}: is not a regular file")
        if path.stat().st_size == 0:
            raise InputError(f"{path}: is empty", "copy or export it again")
    except OSError as error:
        raise InputError(f"{path}: cannot read this file: {error.strerror}") from error


def load(path: Path) -> bytes:
    """Return the whole file.

    Raises:
        InputError: see `check_file`; or it cannot be read.
    """
    check_file(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read this file: {error.strerror}") from error


def damaged(path: Path, kind: str, why: str) -> InputError:
    """Return the error for a file whose parts do not fit together.

    Args:
        path: the file.
        kind: what it should be (`TFLite`, `ONNX`).
        why: the first thing that does not fit.
    """
    return InputError(f"{path}: this {kind} file is cut off or damaged: {visible(why)}", "copy or export it again")


def _folder_hint(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        return "it holds a SavedModel; save the model as a .keras file, `edgekit compress` makes a .tflite from it"
    models = sorted(p for p in path.iterdir() if p.suffix in (".tflite", ".onnx"))
    return f"it holds {', '.join(str(p) for p in models[:3])}" if models else "give the path of a .tflite or .onnx file"
