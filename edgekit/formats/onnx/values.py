"""The stored bytes of ONNX constants, inside the file or beside it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from edgekit.errors import InputError
from edgekit.formats import values
from edgekit.formats.onnx import external as onnx_external
from edgekit.formats.onnx.graph import DTYPES, BadModel, Constant, text
from edgekit.formats.source import MAX_BYTES
from edgekit.formats.types import OnnxModel, OnnxTensor


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

    def check(self, model: OnnxModel) -> dict[str, Path]:
        """Check where all external data of a ModelProto is said to be, without reading it.

        Returns:
            The files by their names there.

        Raises:
            BadModel: what it says of it makes no sense.
            InputError: it is missing, too short, no regular file, or outside the model's folder.
        """
        files: dict[str, Path] = {}
        sizes: dict[str, int] = {}
        for tensor in onnx_external.external(model):
            where = onnx_external.place(tensor)
            if where.location not in files:
                path = files[where.location] = onnx_external.resolved(self._path, where.location)
                sizes[where.location] = path.stat().st_size
                if sum(sizes.values()) > MAX_BYTES:
                    raise InputError(
                        f"{path}: with its external data the model is larger than {MAX_BYTES >> 30} GiB, the most that "
                        "edgekit takes",
                        "check that this is a model for a small device",
                        code="model-too-large",
                    )
            onnx_external.check_range(files[where.location], tensor, where, sizes[where.location])
        return dict(sorted(files.items()))

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
        if tensor.data_location == onnx_external.EXTERNAL:
            raw = self._external(tensor)
        elif expected is None:
            return None
        else:
            raw = tensor.raw_data if tensor.HasField("raw_data") else _typed(tensor, dtype)
        if expected is not None and len(raw) != expected:
            raise BadModel(f"the constant `{text(constant.name)}` has {len(raw)} bytes, its shape needs {expected}")
        return raw if expected is not None else None

    def _external(self, tensor: OnnxTensor) -> bytes:
        where = onnx_external.place(tensor)
        path = onnx_external.resolved(self._path, where.location)
        try:
            size = path.stat().st_size
            self.external[where.location] = size
            onnx_external.check_range(path, tensor, where, size)
            # The same bytes may be listed a thousand times by a hostile model, but need not be read so often.
            self._left[path] = self._left.get(path, 4 * size) - (where.length or 0)
            if self._left[path] < 0:
                raise BadModel(f"its constants overlap in `{where.location}`")
            return onnx_external.read(path, where)
        except OSError as error:
            raise InputError(
                f"{path}: cannot read the external data of `{self._path}`: {error.strerror}",
                "check the file",
                code="file-unreadable",
            ) from error


def _typed(tensor: OnnxTensor, dtype: str) -> bytes:
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
