"""`tf.data` sets, streamed to the disk: never all in memory."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

from edgekit.data.sources.cache import Spool
from edgekit.data.sources.raw import Part
from edgekit.errors import EdgekitError, InputError

_INFINITE = -1


def is_tf_data(value: Any) -> bool:
    """Return whether a value is a `tf.data.Dataset`; TensorFlow is not imported for that."""
    tf = sys.modules.get("tensorflow")
    return tf is not None and isinstance(value, tf.data.Dataset)


def spooled(dataset: Any, source: str, sample_shape: tuple[int | None, ...] | None = None) -> tuple[Part, Part | None]:
    """Return the samples and labels of a `tf.data.Dataset` as arrays mapped from the disk.

    Args:
        dataset: finite; its elements are x or (x, y), each a tensor, or a dictionary or tuple of them, batched or not.
            Those of a tuple are called `0`, `1` and so on.
        source: for messages.
        sample_shape: what the model takes, without batch.

    Raises:
        InputError: it is endless or empty, its elements are something else, or it fails.
        OutputError: the disk is full.
    """
    if int(dataset.cardinality()) == _INFINITE:
        raise InputError(
            f"{source}: the `tf.data` set has no end", "remove `.repeat()`, or add `.take(N)`", code="tf-data-unfit"
        )
    spec = dataset.element_spec
    if isinstance(spec, tuple) and len(spec) not in (1, 2):
        raise InputError(
            f"{source}: elements of the `tf.data` set have {len(spec)} parts",
            "expected x or (x, y)",
            code="tf-data-unfit",
        )
    parts = [_named(part, source) for part in (spec if isinstance(spec, tuple) else (spec,))]
    batched = _batched(parts, source, sample_shape)
    with ExitStack() as stack:
        spools = [{name: stack.enter_context(Spool(source)) for name in part} for part in parts]
        try:
            for element in dataset.as_numpy_iterator():
                for part, into in zip(element if isinstance(spec, tuple) else (element,), spools, strict=True):
                    for name, value in _tensors(part).items():
                        array = np.asarray(value)
                        into[name].append(array if batched else array[np.newaxis])
        except EdgekitError:
            raise
        except Exception as error:  # whatever the user's own functions raise, wrapped by TensorFlow
            text = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(
                f"{source}: the `tf.data` set failed: {text[0]}",
                "iterate over it in Python to see the whole error",
                code="function-failed",
            ) from error
        if any(spool.count == 0 for part in spools for spool in part.values()):
            raise InputError(
                f"{source}: the `tf.data` set is empty", "expected at least one element", code="array-empty"
            )
        made: list[Part] = []
        for part in spools:
            arrays = {name: spool.array() for name, spool in part.items()}
            made.append(arrays.get("", arrays))
    return made[0], made[1] if len(made) > 1 else None


def _named(part: Any, source: str) -> dict[str, list[int | None] | None]:
    """Return the static shapes of the tensors in one part of an element, by name."""
    shapes: dict[str, list[int | None] | None] = {}
    for name, tensor in _tensors(part).items():
        if not hasattr(tensor, "shape") or not hasattr(tensor, "dtype"):
            raise InputError(
                f"{source}: elements of the `tf.data` set hold {type(tensor).__name__}",
                "expected tensors: x or (x, y)",
                code="tf-data-unfit",
            )
        shapes[name] = None if tensor.shape.rank is None else list(tensor.shape)
    return shapes


def _tensors(part: Any) -> dict[str, Any]:
    if isinstance(part, Mapping):
        return {str(name): tensor for name, tensor in part.items()}
    return {str(i): tensor for i, tensor in enumerate(part)} if isinstance(part, tuple) else {"": part}


def _batched(
    parts: list[dict[str, list[int | None] | None]], source: str, sample_shape: tuple[int | None, ...] | None
) -> bool:
    """Return whether the first axis is the batch: by the model's shape, else by what tensors have in common."""
    x = list(parts[0].values())
    if sample_shape is not None and len(x) == 1 and x[0] is not None:
        if _fits(x[0], sample_shape):
            return False
        if _fits(x[0][1:], sample_shape) and x[0]:
            return True
    shapes = [shape for part in parts for shape in part.values()]
    if any(shape == [] for shape in shapes):
        return False
    if all(shape is not None and shape[0] is None for shape in shapes) and (
        len(parts) > 1 or not any(shape is None or None in shape[1:] for shape in x)
    ):
        return True
    firsts = {shape[0] if shape else None for shape in shapes}
    labels = list(parts[1].values()) if len(parts) > 1 else []
    if len(firsts) == 1 and None not in firsts and any(shape is not None and len(shape) == 1 for shape in labels):
        return True
    if len(firsts) > 1 and None not in firsts:
        return False
    raise InputError(
        f"{source}: the `tf.data` set may be batched or not (shapes {shapes})",
        "add .batch(32) without drop_remainder, or .unbatch()",
        code="tf-data-unfit",
    )


def _fits(shape: list[int | None], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        None in pair or pair[0] == pair[1] for pair in zip(shape, wanted, strict=True)
    )
