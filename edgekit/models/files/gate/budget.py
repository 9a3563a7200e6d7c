"""What building a model may allocate: weights no larger than the file's, and outputs that a device could hold.

The configuration in a file says how large layers are, and Keras makes them before it looks at the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import prod
from typing import Any

from edgekit.frameworks.tensorflow import has_keras3, keras3, no_keras3_yet, tensorflow, tf_keras
from edgekit.frameworks.types import Arguments, ConfigValue, KerasLayer, KerasModel, Keywords, Method, Tensors, Variable
from edgekit.models.files.gate.configuration import OPERATION_LAYERS

SLACK = 16 << 20
"""Bytes of weights that a model may have beyond the file's: seeds, and what is not saved."""
FACTOR = 4
"""Bytes of weights in memory for a byte in the file: it may hold half precision, or be compressed."""
MAX_OUTPUT = 1 << 28
"""Numbers in one output of a layer, for one sample: one GiB."""
MAX_INPUT = 1 << 26
"""Numbers in one input, for one sample."""
MAX_ATTEMPTS = 100_000
"""How often Keras 2 may look at calls whose inputs are not there, before one more layer is called."""
MAX_UNROLLED = 4096
"""Steps of a recurrent layer that is unrolled, and parts that an operation makes: each is a node of the graph."""
UPSAMPLED = 16
"""How much longer an upsampled signal may be than a layer may be unrolled."""
PARTS = ("unstack", "split", "keras.backend.repeat_elements", "linspace")
"""Operations that make as many tensors as a number says."""


class TooLarge(Exception):
    """A layer would need more than the file accounts for; the text says which, and how much."""


@contextmanager
def budget(stored: int) -> Iterator[None]:
    """Hold both Kerases to a budget while a model is built; Keras 3 cannot be imported meanwhile.

    Args:
        stored: bytes of weights in the file.

    Raises:
        TooLarge: in the block; Keras may pass it on inside an exception of its own.
    """
    left, attempts = [FACTOR * stored + SLACK], [0]

    def counted(add: Method) -> Method:
        def add_weight(self: KerasLayer, *args: Any, **kwargs: Any) -> Variable:
            left[0] -= _weight_bytes(args, kwargs)
            if left[0] < 0:
                raise TooLarge(f"layer `{self.name}` wants more weights than the {stored:,} bytes in the file")
            return add(self, *args, **kwargs)

        return add_weight

    def watched(call: Method) -> Method:
        def __call__(self: KerasLayer, *args: Any, **kwargs: Any) -> Variable:
            attempts[0] = 0
            _check_parts(self, args, kwargs)
            outputs = call(self, *args, **kwargs)
            _check_outputs(self, outputs)
            return outputs

        return __call__

    def patient(convert: Method) -> Method:
        def convert_inner_node_data(*args: Any, **kwargs: Any) -> ConfigValue:
            attempts[0] += 1
            if attempts[0] > MAX_ATTEMPTS:
                raise TooLarge("a layer waits for an output that is never there")
            return convert(*args, **kwargs)

        return convert_inner_node_data

    old = tf_keras().layers.Layer
    held = [
        (old, "add_weight", counted),
        (old, "__call__", watched),
        (tf_keras().src.utils.tf_utils, "convert_inner_node_data", patient),
    ]
    if has_keras3():
        new = keras3().layers.Layer
        held += [(new, "add_weight", counted), (new, "__call__", watched), (keras3().Operation, "__call__", watched)]
    with ExitStack() as stack:
        stack.enter_context(no_keras3_yet())
        for owner, name, wrap in held:
            original = vars(owner)[name]
            stack.callback(setattr, owner, name, original)
            setattr(owner, name, wrap(original))
        yield


def reason_of(error: BaseException | None) -> str:
    """Return what was too large, where that is behind an exception; else an empty text."""
    seen = 0
    while error is not None and seen < 20:
        if isinstance(error, TooLarge):
            return str(error)
        error, seen = error.__cause__ or error.__context__, seen + 1
    return ""


def _weight_bytes(args: Arguments, kwargs: Keywords) -> int:
    """Return how large a weight is; the shape is the first argument in Keras 3, the second in Keras 2."""
    shapes = (
        [kwargs["shape"]] if "shape" in kwargs else [a for a in args[:2] if not isinstance(a, str) and a is not None]
    )
    if not shapes:
        return 4
    try:
        shape = tensorflow().TensorShape(shapes[0])
    except (TypeError, ValueError):  # of no form that Keras takes either
        return 4
    return 4 * prod(shape) if shape.is_fully_defined() else 4


def check_inputs(model: KerasModel) -> None:
    """Refuse a model of which one sample would not fit.

    Raises:
        TooLarge: with the input.
    """
    for tensor in model.inputs:
        numbers = prod(int(size) for size in tensor.shape[1:] if size is not None)
        if numbers > MAX_INPUT:
            raise TooLarge(f"input `{tensor.name}` takes {numbers:,} numbers a sample; at most {MAX_INPUT:,}")


def _check_outputs(layer: KerasLayer, outputs: Tensors) -> None:
    for tensor in tensorflow().nest.flatten(outputs):
        shape = getattr(tensor, "shape", None)
        try:
            sizes = [int(size) for size in (shape if shape is not None else ()) if size is not None]
        except (TypeError, ValueError):  # of unknown rank
            continue
        if prod(sizes) > MAX_OUTPUT:
            raise TooLarge(f"layer `{layer.name}` puts out {prod(sizes):,} numbers a sample; at most {MAX_OUTPUT:,}")


def _check_parts(layer: KerasLayer, args: Arguments, kwargs: Keywords) -> None:
    """Refuse calls that write the same nodes into the graph over and over."""
    kind = type(layer).__name__
    if kind in OPERATION_LAYERS and layer.symbol not in PARTS:
        return
    if kind in OPERATION_LAYERS:
        parts = _largest([args[1:], kwargs])
    elif getattr(layer, "unroll", False) is True:
        parts = _largest(list(_shape(args, kwargs)[1:2]))
    elif kind in ("UpSampling1D", "UpSampling3D"):  # Keras cuts the tensor into its steps and repeats each
        parts = _largest(layer.size) * _largest(list(_shape(args, kwargs)[1:-1])) // UPSAMPLED
    elif kind in ("Split", "Unstack", "ArraySplit", "Dsplit", "Hsplit", "Vsplit"):
        parts = _largest([getattr(layer, name, 0) for name in ("indices_or_sections", "num")])
    else:
        return
    if parts > MAX_UNROLLED:
        raise TooLarge(f"layer `{layer.name}` makes {parts:,} parts; at most {MAX_UNROLLED:,}")


def _shape(args: Arguments, kwargs: Keywords) -> Arguments:
    tensors = tensorflow().nest.flatten([args, kwargs])
    first = next((tensor for tensor in tensors if hasattr(tensor, "shape")), None)
    try:
        return tuple(first.shape) if first is not None else ()
    except ValueError:
        return ()


def _largest(value: ConfigValue) -> int:
    """Return the largest integer in a structure, 0 if there is none."""
    numbers = [
        item for item in tensorflow().nest.flatten(value) if isinstance(item, int) and not isinstance(item, bool)
    ]
    return max(map(abs, numbers), default=0)
