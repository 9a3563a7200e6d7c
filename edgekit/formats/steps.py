"""What an input goes through before, and including, the first operation with trained weights: of any kind of model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edgekit.schema.types import JsonMapping, JsonObject

PASSED = ("affine", "normalise", "reverse", "neutral")
"""Kinds behind which the same values go on."""
MOST_STEPS = 16
MOST_NUMBERS = 4096


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        kind: `affine` x * factor + offset with constants, `normalise` with moments, known or not, `reverse` the
            channels, `neutral` to the range of values, `tokens` that are looked up, `weights` that are trained,
            `other` that is not known.
        name: of the operator or layer class.
        factor, offset: of `affine`; one number, or one a channel.
        mean, std: of `normalise`; empty if unknown.
        vocabulary: of `tokens`.
    """

    kind: str
    name: str
    factor: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    vocabulary: int | None = None

    def to_dict(self) -> JsonObject:
        """Return JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: JsonMapping) -> Step:
        """Read them back."""
        fields: JsonObject = {key: tuple(v) if isinstance(v, list) else v for key, v in value.items()}
        return cls(**fields)


def arithmetic(name: str, operation: str, constant: npt.ArrayLike, *, swapped: bool = False) -> Step:
    """Return the step of `add`, `subtract`, `multiply` or `divide` with a constant.

    Args:
        name: of the operator.
        operation: one of the four.
        constant: numbers, any shape; more of them than a model has channels count by their mean.
        swapped: the constant stands on the left.
    """
    values = np.ravel(np.asarray(constant, np.float64))
    if not values.size or not np.isfinite(values).all():
        return Step("other", name)
    if values.size > MOST_NUMBERS or (values.size > 1 and np.ptp(values) == 0):
        values = values.mean(keepdims=True)
    factor, offset = np.ones_like(values), np.zeros_like(values)
    if operation == "add":
        offset = values
    elif operation == "subtract":
        factor, offset = (-factor, values) if swapped else (factor, -values)
    elif operation == "multiply":
        factor = values
    elif swapped or not values.all():
        return Step("other", name)
    else:
        factor = 1 / values
    return Step("affine", name, _numbers(factor), _numbers(offset))


def normalising(name: str, mean: npt.ArrayLike | None, variance: npt.ArrayLike | None) -> Step:
    """Return the step that subtracts a mean and divides by a standard deviation; either may be None: not known."""
    if mean is None or variance is None:
        return Step("normalise", name)
    means, variances = np.ravel(np.asarray(mean, np.float64)), np.ravel(np.asarray(variance, np.float64))
    if means.size > MOST_NUMBERS or means.size != variances.size:
        return Step("normalise", name)
    return Step("normalise", name, mean=_numbers(means), std=_numbers(np.sqrt(np.maximum(variances, 0))))


def reverses(indices: npt.ArrayLike) -> bool:
    """Return whether constant indices pick channels in the other order."""
    picked = np.ravel(np.asarray(indices))
    return picked.size > 1 and bool((picked == np.arange(picked.size)[::-1]).all())


def backwards(strides: npt.ArrayLike) -> bool:
    """Return whether constant strides read the last axis backwards; those of a scalar are none."""
    return bool((np.ravel(np.asarray(strides))[-1:] < 0).any())


_Tensor = TypeVar("_Tensor")
_Operation = TypeVar("_Operation")


def follow(
    start: _Tensor,
    users: Callable[[_Tensor], Sequence[_Operation]],
    step: Callable[[_Operation, _Tensor], tuple[Step, _Tensor]],
) -> list[Step]:
    """Return the steps behind an input, up to the first that does not pass its values on.

    Args:
        start: the input, as `users` knows tensors.
        users: returns the operations that take a tensor.
        step: returns what an operation does with a tensor, and the tensor that it makes.
    """
    steps: list[Step] = []
    tensor = start
    while len(steps) < MOST_STEPS:
        operations = users(tensor)
        if not operations:
            break
        several = [step(operation, tensor) for operation in operations]
        if len(several) > 1:
            steps.append(_branches([one for one, _ in several]))
            break
        own, tensor = several[0]
        steps.append(own)
        if own.kind not in PASSED:
            break
    return steps


def _branches(steps: Iterable[Step]) -> Step:
    """Return what several users of a tensor come to: weights, if all have some."""
    several = list(steps)
    return several[0] if all(step.kind == "weights" for step in several) else Step("other", several[0].name)


def _numbers(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
