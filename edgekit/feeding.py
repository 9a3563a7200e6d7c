"""How files name and order what models take and return: by name where the names are the model's, else in order."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.errors import InputError
from edgekit.inspect.info import TensorInfo
from edgekit.manifest import TensorSpec
from edgekit.printable import visible
from edgekit.scoring import real
from edgekit.task import Task


def specs(tensors: Sequence[TensorInfo]) -> tuple[TensorSpec, ...]:
    """Return what a manifest says of a file's inputs or outputs."""
    found = []
    for tensor in tensors:
        q = tensor.quantization
        scale, zero = (q.scale[0], q.zero_point[0]) if q else (None, None)
        found.append(TensorSpec(tensor.name, tensor.shape, tensor.dtype, scale, zero))
    return tuple(found)


def feed_names(inputs: Sequence[TensorSpec]) -> tuple[str, ...]:
    """Return what the runner feeds a file's inputs from, in the file's order; nothing for a single input."""
    return tuple(spec.name for spec in inputs) if len(inputs) > 1 else ()


def output_order(outputs: Sequence[TensorSpec], task: Task) -> list[int]:
    """Return which output of a file is which of the task: by name, or, under other names, in order."""
    names = [spec.name for spec in outputs]
    wanted = [head.name for head in task.heads]
    if set(wanted) <= set(names):
        return [names.index(name) for name in wanted]
    return list(range(min(len(names), len(wanted))))


def load_outputs(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an `.npz` that a runner wrote, which may be a hostile device's.

    Raises:
        InputError: it is none; it is packed, as no runner packs it; or it holds something besides numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if any(item.compress_type != zipfile.ZIP_STORED for item in archive.infolist()):
                raise ValueError("it is packed")
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        if any(array.dtype.kind not in "biuf" for array in found.values()):
            raise ValueError("it holds something besides numbers")
    except (OSError, ValueError, KeyError, EOFError, MemoryError, NotImplementedError, SyntaxError) as error:
        raise InputError(f"the outputs that came back cannot be read: {visible(str(error))[:200]}") from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"the outputs that came back are damaged: {visible(str(error))[:200]}") from error
    return found


def read_outputs(path: Path, outputs: Sequence[TensorSpec], task: Task) -> tuple[npt.NDArray[np.float64], ...]:
    """Return what the runner wrote, in real units and in the task's order.

    Raises:
        InputError: it cannot be read, or is not what is described.
    """
    found, order = load_outputs(path), output_order(outputs, task)
    if any(str(index) not in found for index in order):
        raise InputError(f"{len(found)} outputs came back, {len(outputs)} are described")
    return tuple(real(found[str(index)], outputs[index].quantization()) for index in order)
