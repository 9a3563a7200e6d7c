"""The stored bytes of ONNX constants, inside the file or beside it."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from edgekit.errors import InputError
from edgekit.inspect import values
from edgekit.inspect.onnx_graph import DTYPES, BadModel, Constant, text
from edgekit.printable import visible

_EXTERNAL = 1
"""`TensorProto.data_location` of a tensor whose bytes stand in another file."""


class Store:
    """Gives out the bytes of constants.

    Args:
        path: the model file; external data must lie in its folder or below.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left: dict[Path, int] = {}
        self.external: dict[str, int] = {}
        """The external files read so far -> their size in bytes."""

    def check(self, constants: list[Constant]) -> dict[str, Path]:
        """Check where all external data is said to be, without reading it; return the files by their names there.

        Raises:
            InputError: it is missing or outside the model's folder.
        """
        tensors = [c.tensor for c in constants if c.tensor.data_location == _EXTERNAL]
        locations = {text(e.value) for t in tensors for e in t.external_data if e.key == "location"}
        return {location: self._safe(location) for location in sorted(locations)}

    def raw(self, constant: Constant) -> bytes | None:
        """Return the bytes of the stored values, little-endian and packed; None for strings and unknown types.

        Raises:
            BadModel: they do not fit the shape.
            InputError: external data is missing, too short, or outside the model's folder.
        """
        tensor = constant.tensor
        dtype = DTYPES.get(tensor.data_type, "")
        stored = tensor.dims[0] if constant.sparse else math.prod(constant.shape)
        expected = values.stored_bytes(dtype, stored)
        if tensor.data_location == _EXTERNAL:
            raw = self._external(tensor, expected)
        elif expected is None:
            return None
        else:
            raw = tensor.raw_data if tensor.HasField("raw_data") else _typed(tensor, dtype)
        if expected is not None and len(raw) != expected:
            raise BadModel(f"the constant `{text(constant.name)}` has {len(raw)} bytes, its shape needs {expected}")
        return raw if expected is not None else None

    def _external(self, tensor: Any, expected: int | None) -> bytes:
        entries = {text(e.key): text(e.value) for e in tensor.external_data}
        location = entries.get("location", "")
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", expected or 0))
        except ValueError:
            raise BadModel(f"the constant `{text(tensor.name)}` has a bad offset or length in `{location}`") from None
        path = self._safe(location)
        try:
            size = path.stat().st_size
            self.external[location] = size
            if offset < 0 or length < 0 or offset + length > size:
                name = visible(text(tensor.name))
                raise InputError(
                    f"{path}: too short: `{name}` needs bytes {offset} to {offset + length} of {size}",
                    "the model and this file do not belong together; export them again",
                )
            # The same bytes may be listed a thousand times by a hostile model, but need not be read so often.
            self._left[path] = self._left.get(path, 4 * size) - length
            if self._left[path] < 0:
                raise BadModel(f"its constants overlap in `{location}`")
            with path.open("rb") as stream:
                stream.seek(offset)
                return stream.read(length)
        except OSError as error:
            raise InputError(f"{path}: cannot read the external data of {self._path}: {error.strerror}") from error

    def _safe(self, location: str) -> Path:
        folder = self._path.resolve().parent
        parts = PurePosixPath(location).parts
        absolute = location.startswith(("/", "\\")) or PureWindowsPath(location).drive
        if not parts or absolute or ".." in parts or ".." in PureWindowsPath(location).parts or "\0" in location:
            raise self._unsafe(location)
        path = (folder / location).resolve()
        if not path.is_relative_to(folder):  # a symbolic link led away
            raise self._unsafe(location)
        if not path.is_file():
            raise InputError(
                f"{self._path}: its weights are in `{visible(location)}`, and there is no such file beside it",
                "copy it along with the model",
            )
        return path

    def _unsafe(self, location: str) -> InputError:
        return InputError(
            f"{self._path}: names external data outside its own folder: {location!r}",
            "nothing was read from there; export the model again, with the data beside it",
        )


def _typed(tensor: Any, dtype: str) -> bytes:
    """Return the bytes of a tensor whose values stand in one of the typed fields."""
    if dtype in ("float32", "complex64"):
        return np.array(tensor.float_data, "<f4").tobytes()
    if dtype in ("float64", "complex128"):
        return np.array(tensor.double_data, "<f8").tobytes()
    if dtype == "int64":
        return np.array(tensor.int64_data, "<i8").tobytes()
    if dtype in ("uint32", "uint64"):
        return np.array(tensor.uint64_data, "<u8").astype(f"<u{values.BITS[dtype] // 8}").tobytes()
    # int32_data holds all others: integers by value, floating point by bit pattern, packed types one byte a number.
    width = max(1, values.BITS[dtype] // 8)
    return np.array(tensor.int32_data, "<i4").astype(f"<u{width}").tobytes()
