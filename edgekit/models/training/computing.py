"""How some layers compute while a model is trained: the same numbers, by operations that training can use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from edgekit.frameworks.types import KerasLayer, KerasModel, Tensor

LANES = 16
"""Channels that a register holds, in float32, at most: of AVX-512."""


@contextmanager
def trainable(model: KerasModel) -> Iterator[None]:
    """Let the layers of a tf_keras model compute as training needs it, for a `with` block that compiles and fits it."""
    with ExitStack() as stack:
        stack.enter_context(_rolled(model))
        stack.enter_context(_sampled_first(model))
        yield


@contextmanager
def _rolled(model: KerasModel) -> Iterator[None]:
    """Let recurrent layers that are built with `unroll=True` loop: batches come without a known number of steps."""
    layers = [layer for layer in model.submodules if getattr(layer, "unroll", None) is True]
    for layer in layers:
        layer.unroll = False
    try:
        yield
    finally:
        for layer in layers:
            layer.unroll = True


@contextmanager
def _sampled_first(model: KerasModel) -> Iterator[None]:
    """Let convolutions of one pixel with strides take every so manieth pixel first, and go without strides then.

    oneDNN's gradient of their weights writes beyond its memory where the channels of the input are fewer than the lanes
    of a register: TensorFlow 2.21 with one thread on a CPU with AVX2 ends by SIGSEGV, or with another number somewhere.
    """
    layers = [layer for layer in model.submodules if _samples(layer)]
    for layer in layers:
        object.__setattr__(layer, "convolution_op", _sampling(layer, layer.convolution_op))
    try:
        yield
    finally:
        for layer in layers:
            object.__delattr__(layer, "convolution_op")


def _samples(layer: KerasLayer) -> bool:
    """Return whether a layer is a convolution of one pixel with strides whose channels do not fill registers."""
    if type(layer).__name__ not in ("Conv1D", "Conv2D") or layer.data_format != "channels_last" or layer.groups != 1:
        return False
    narrow = layer.built and layer.kernel.shape[-2] % LANES != 0
    return narrow and set(layer.kernel_size) == {1} and max(layer.strides) > 1


def _sampling(layer: KerasLayer, convolve: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what a layer computes of its input (n, pixels..., channels) and its kernel."""
    steps = tuple(slice(None, None, stride) for stride in layer.strides)

    def sampled(inputs: Tensor, kernel: Tensor) -> Tensor:
        strides = layer.strides
        layer.strides = (1,) * len(strides)
        try:
            return convolve(inputs[(slice(None), *steps, slice(None))], kernel)
        finally:
            layer.strides = strides

    return sampled
