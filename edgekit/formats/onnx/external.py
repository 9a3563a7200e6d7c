"""Data that an ONNX model keeps in other files: where it says they are, and whether they may be read.

A path comes from a stranger. It is taken if it is plain and leads to a regular file in the model's folder or below,
links followed; everything else is refused, wherever in the model it stands: the tensors are found by walking through
the whole message, so that no place is forgotten.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import InputError
from edgekit.errors.printable import visible
from edgekit.formats import values
from edgekit.formats.onnx.graph import DTYPES, BadModel, text
from edgekit.formats.source import MAX_RANK
from edgekit.formats.types import OnnxModel, OnnxTensor

EXTERNAL = 1
"""`TensorProto.data_location` of a tensor whose bytes stand in another file."""
KEYS = ("location", "offset", "length", "checksum", "basepath")
"""What a tensor may say of its external data; each once. The last two are not used."""

_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_PLAIN = re.compile(r'[^\x00-\x1f\x7f-\x9f\\:*?"<>|]+')
"""A part of a path: as on any system, so that it means the same to every reader."""
_MAX_NAME, _MAX_PARTS = 255, 32
_UNSAFE = "external-data-unsafe"


@dataclass(frozen=True)
class Place:
    """Where the bytes of a tensor are said to be.

    Attributes:
        location: the other file's name.
        offset: of the first byte in it.
        length: in bytes; None where neither the entry nor the tensor's type tells.
    """

    location: str
    offset: int
    length: int | None


def tensors(model: OnnxModel) -> Iterator[OnnxTensor]:
    """Yield every TensorProto of a ModelProto: of graphs, bodies, functions, attributes, sparse tensors, training."""
    stack = [model]
    while stack:
        message = stack.pop()
        if message.DESCRIPTOR.name == "TensorProto":
            yield message
            continue
        for field, value in message.ListFields():
            if field.message_type is not None:
                stack += [value] if hasattr(value, "ListFields") else value


def external(model: OnnxModel) -> Iterator[OnnxTensor]:
    """Yield the tensors of a ModelProto that stand in other files, or say where they would."""
    return (t for t in tensors(model) if t.data_location == EXTERNAL or len(t.external_data))


def place(tensor: OnnxTensor) -> Place:
    """Return where a tensor's bytes are said to be.

    Raises:
        BadModel: an entry is not known, given twice or no number, or the length is not that of the shape.
    """
    name = visible(text(tensor.name))
    given: dict[str, str] = {}
    for entry in tensor.external_data:
        key = text(entry.key)
        if key not in KEYS or key in given:
            raise BadModel(
                f"the constant `{name}` has an unknown or repeated key `{visible(key[:40])}` for its external data"
            )
        given[key] = text(entry.value)
    location = given.get("location", "")
    if not all(_NUMBER.fullmatch(given.get(key, "0")) for key in ("offset", "length")):
        raise BadModel(f"the constant `{name}` has an invalid offset or length in `{visible(location[:200])}`")
    if len(tensor.dims) > MAX_RANK or any(size < 0 for size in tensor.dims):
        raise BadModel(f"the constant `{name}` has an impossible shape")
    expected = values.stored_bytes(DTYPES.get(tensor.data_type, ""), math.prod(tensor.dims))
    if expected is not None and int(given.get("length", expected)) != expected:
        raise BadModel(f"the constant `{name}` has {given['length']} bytes, its shape needs {expected}")
    length = int(given["length"]) if "length" in given else expected
    return Place(location, int(given.get("offset", "0")), length)


def resolved(model: Path, location: str) -> Path:
    """Return the file that a location means, as a path without links.

    Args:
        model: the model file; the other must lie in its folder or below.
        location: as the model gives it.

    Raises:
        InputError: it leads elsewhere, to the model itself, to no regular file, or is no plain path.
    """
    itself = model.resolve()
    parts = location.split("/")
    if not all(part in ("", ".") or (part != ".." and _PLAIN.fullmatch(part)) for part in parts) or not parts[0]:
        raise _unsafe(model, location)
    plain = [part for part in parts if part not in ("", ".")]
    if not plain or len(plain) > _MAX_PARTS or any(len(os.fsencode(part)) > _MAX_NAME for part in plain):
        raise _unsafe(model, location)
    try:
        path = itself.parent.joinpath(*plain).resolve()
        if not path.is_relative_to(itself.parent):  # a symbolic link led away
            raise _unsafe(model, location)
        if path == itself:
            raise InputError(f"{model}: names itself as its external data", "export the model again", code=_UNSAFE)
        if path.exists() and not path.is_file():
            raise InputError(
                f"{model}: its external data `{location}` is not a regular file", "export the model again", code=_UNSAFE
            )
        if not path.is_file():
            raise InputError(
                f"{model}: its weights are in `{location}`, and there is no such file beside it",
                f"copy `{location}` along with the model",
                code="external-data-missing",
            )
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        why = error.strerror if isinstance(error, OSError) else "symbolic links in a circle"
        raise InputError(
            f"{model}: cannot read its external data `{location}`: {why}", "check the file", code="file-unreadable"
        ) from error
    return path


def check_range(path: Path, tensor: OnnxTensor, where: Place, size: int) -> None:
    """Check that a file is long enough for a tensor's bytes.

    Raises:
        InputError: it is not.
    """
    end = where.offset + (where.length or 0)
    if end > size:
        raise InputError(
            f"{path}: too short: `{visible(text(tensor.name))}` needs bytes {where.offset} to {end} of {size}",
            "the model and this file do not belong together: export both again",
            code="external-data-missing",
        )


def read(path: Path, where: Place) -> bytes:
    """Return a tensor's bytes from a file that `resolved` returned; a link in its place by now is not followed.

    Raises:
        OSError: it cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(0, "it is not a regular file any more")
        stream.seek(where.offset)
        return stream.read(where.length if where.length is not None else -1)


def embed(model: OnnxModel, path: Path) -> None:
    """Put all external data into a ModelProto.

    Args:
        model: changed in place.
        path: of its file.

    Raises:
        BadModel: an entry makes no sense.
        InputError: data is missing, too short, or may not be read.
    """
    for tensor in external(model):
        if tensor.data_location == EXTERNAL:
            where = place(tensor)
            there = resolved(path, where.location)
            try:
                check_range(there, tensor, where, there.stat().st_size)
                tensor.raw_data = read(there, where)
            except OSError as error:
                raise InputError(
                    f"{there}: cannot read the external data of `{path}`: {error.strerror}",
                    "check the file",
                    code="file-unreadable",
                ) from error
        tensor.ClearField("data_location")
        tensor.ClearField("external_data")


def _unsafe(model: Path, location: str) -> InputError:
    return InputError(
        f"{model}: names external data outside its own folder, or by an unusual path: {location[:200]!r}",
        "nothing was read from there: export the model again with the data beside it",
        code=_UNSAFE,
    )
