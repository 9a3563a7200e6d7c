"""How files name and order what models take and return: by name where the names are the model's, else in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit.devices.jobs import load_outputs
from edgekit.errors import InputError
from edgekit.errors.printable import visible
from edgekit.formats.info import TensorInfo
from edgekit.tasks.samples import Array
from edgekit.tasks.scoring import real
from edgekit.tasks.task import Task
from edgekit.tasks.tensors import TensorSpec

SCALES = "export it with DequantizeLinear behind its inputs and QuantizeLinear before its outputs: they hold the scales"


def specs(tensors: Sequence[TensorInfo]) -> tuple[TensorSpec, ...]:
    """Return what a manifest says of a file's inputs or outputs."""
    found = []
    for tensor in tensors:
        q = tensor.quantization
        one = q is not None and len(q.scale) == 1 and not tensor.unscaled
        scale, zero = (q.scale[0], q.zero_point[0]) if q is not None and one else (None, None)
        unscaled = tensor.unscaled or (q is not None and not one)
        found.append(TensorSpec(tensor.name, tensor.shape, tensor.dtype, scale, zero, unscaled))
    return tuple(found)


def unscaled(side: str, tensors: Sequence[TensorSpec]) -> str:
    """Return what is wrong with the first input or output whose integers stand for unknown values, or nothing.

    Args:
        side: `input` or `output`.
        tensors: of a file.
    """
    spec = next((spec for spec in tensors if spec.unscaled), None)
    if spec is None:
        return ""
    cannot = "it cannot be fed" if side == "input" else "its values cannot be judged"
    return f"{side} `{visible(spec.name)}` is {spec.dtype} without a scale: {cannot}"


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


def to_stored(values: Array, spec: TensorSpec) -> Array:
    """Return model inputs as a file takes them: quantized where its integers have a scale, and of its dtype."""
    quantization, dtype = spec.quantization(), np.dtype(spec.dtype)
    if dtype.kind in "iu" and quantization:
        limits = np.iinfo(dtype)
        scaled = np.round(values / np.float32(quantization["scale"])) + quantization["zero_point"]
        return np.asarray(np.clip(scaled, limits.min, limits.max).astype(dtype))
    return values.astype(dtype, copy=False)


def read_outputs(path: Path, outputs: Sequence[TensorSpec], task: Task) -> tuple[Array, ...]:
    """Return what the runner wrote, in real units and in the task's order.

    Raises:
        InputError: an output is missing, is not of numbers, or of integers without a scale.
    """
    found, order = load_outputs(path), output_order(outputs, task)
    if lacking_scale := unscaled("output", [outputs[i] for i in order]):
        raise InputError(lacking_scale, SCALES, code="scale-missing")
    lacking = [outputs[i].name for i in order if str(i) not in found]
    if lacking:
        raise InputError(f"no values came back for output `{lacking[0]}`", code="outputs-missing")
    return tuple(real(found[str(i)], outputs[i].quantization()) for i in order)
