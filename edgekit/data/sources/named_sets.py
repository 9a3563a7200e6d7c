"""The data sets known by name. A further one is one line here, if Keras or `$EDGEKIT_DATA` has its file."""

from __future__ import annotations

from dataclasses import dataclass

_DIGITS = tuple("0123456789")
_FASHION = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class NamedSet:
    """A data set known by name.

    Attributes:
        class_names: in the order of the labels.
        sample_shape: of one stored sample, channels last.
        scale: stored values are multiplied by it by default.
    """

    class_names: tuple[str, ...]
    sample_shape: tuple[int, ...]
    scale: float = 1 / 255


NAMED = {
    "digits": NamedSet(_DIGITS, (8, 8, 1), scale=1 / 16),
    "mnist": NamedSet(_DIGITS, (28, 28, 1)),
    "fashion-mnist": NamedSet(_FASHION, (28, 28, 1)),
    "cifar10": NamedSet(_CIFAR10, (32, 32, 3)),
    "cifar100": NamedSet(tuple(str(c) for c in range(100)), (32, 32, 3)),
}
