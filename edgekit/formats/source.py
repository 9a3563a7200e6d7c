"""The bytes of a model file, or a precise reason why there are none."""

from __future__ import annotations

from itertools import islice
from mmap import ACCESS_READ, mmap
from pathlib import Path

from edgekit.errors import InputError
from edgekit.errors.printable import visible
from edgekit.files.opening import brief, kind

MAX_RANK = 64
"""More axes than any runtime takes: a longer shape is damage, and its product may be a number of megabytes."""
MAX_END_BYTES = 1 << 31
"""Of an input or output: more is a damaged file rather than a model for a small device."""
MAX_BYTES = 8 << 30
"""Of a model file: more is no model for a small device, but perhaps a file with a hole."""


def check_file(path: Path) -> int:
    """Check that the path is a regular file with something in it, small enough to be a model; return its bytes.

    Raises:
        InputError: it is missing, a folder, a device or pipe, empty, too large, out of reach, or its name is too long.
    """
    what = kind(path)
    if not what:
        raise InputError(
            f"{brief(path)}: no such file", "give the path of a .tflite or .onnx file", code="file-missing"
        )
    if what == "a folder":
        raise InputError(f"{brief(path)}: is a folder, expected a model file", _folder_hint(path), code="not-a-file")
    if what != "a file":
        raise InputError(
            f"{brief(path)}: is {what}, expected a regular file",
            "write its content into a file and give that",
            code="not-a-file",
        )
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{brief(path)}: is empty", "copy or export it again", code="file-empty")
    if size > MAX_BYTES:
        raise InputError(
            f"{brief(path)}: has {size / (1 << 30):,.1f} GiB, expected a model file of at most {MAX_BYTES >> 30} GiB",
            "check that this is a model for a small device",
            code="model-too-large",
        )
    return size


def load(path: Path) -> bytes | mmap:
    """Return the whole file, without reading it at once.

    Raises:
        InputError: see `check_file`; or it cannot be read.
    """
    check_file(path)
    try:
        with path.open("rb") as stream:
            return mmap(stream.fileno(), 0, access=ACCESS_READ)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot read this file: {error}", "check its permissions", code="file-unreadable"
        ) from error


def damaged(path: Path, kind: str, why: str) -> InputError:
    """Return the error for a file whose parts do not fit together.

    Args:
        path: the file.
        kind: what it should be (`TFLite`, `ONNX`).
        why: the first thing that does not fit.
    """
    return InputError(
        f"{path}: this {kind} file is cut off or damaged: {visible(why)}",
        "copy or export it again",
        code="file-damaged",
    )


def _folder_hint(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        return "it holds a SavedModel: `edgekit compress` makes a .tflite file from it"
    models = sorted(p for p in islice(path.iterdir(), 10_000) if p.suffix in (".tflite", ".onnx"))
    return (
        f"it holds {', '.join(brief(p) for p in models[:3])}" if models else "give the path of a .tflite or .onnx file"
    )
