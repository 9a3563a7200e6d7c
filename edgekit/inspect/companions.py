"""The files that a model file needs beside it."""

from __future__ import annotations

from pathlib import Path

from edgekit.inspect.flatbuffer import Damaged, Walker
from edgekit.inspect.onnx import parse
from edgekit.inspect.onnx_graph import BadModel, index
from edgekit.inspect.onnx_values import Store
from edgekit.inspect.reading import format_of
from edgekit.inspect.source import damaged, load
from edgekit.inspect.tflite_graph import parse as parse_tflite


def checked(path: Path) -> dict[str, Path]:
    """Check that a model file is whole, without reading its values; return the files that it needs beside it.

    Args:
        path: a `.tflite` or `.onnx` file; it may be damaged or hostile.

    Returns:
        The name in the model, a path from its folder -> where the file is.

    Raises:
        InputError: it is neither of the two, damaged, or names data that is missing or outside its folder.
        MissingExtraError: it is an ONNX file, and the `onnx` package is not installed.
    """
    if format_of(path) == "onnx":
        return companions(path)
    data = load(path)
    try:
        parse_tflite(data, Walker(len(data)))
    except Damaged as error:
        raise damaged(path, "TFLite", str(error)) from error
    return {}


def companions(path: Path) -> dict[str, Path]:
    """Return the files with external data of an ONNX model (see `checked`)."""
    try:
        return Store(path).check(index(parse(path)).constants)
    except BadModel as error:
        raise damaged(path, "ONNX", str(error)) from error
