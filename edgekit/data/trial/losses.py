"""What a way of feeding loses on every sample, by each output's own metric, beside what a constant guess loses.

kind                      loss of a sample                     constant guess
classification, binary    0 right, 1 wrong                     the largest class
multilabel                share of wrong labels                each label's larger side
segmentation, mask        1 - mean IoU of its classes          the class of most pixels
regression                absolute error                       the median
reconstruction            squared error of what was fed        the mean of what is fed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.tasks.metrics import decisions
from edgekit.tasks.samples import Array
from edgekit.tasks.task import DENSE, FOLLOWED, SIGMOID, SOFTMAX, Head, with_scale

WORST = 10.0
"""Of a relative loss: what is not finite, or further off, counts so."""
FEW_VALUES = 64
"""Values of a regression up to which each counts alike, whatever its range."""
MANY_VALUES = 4096
"""Of a regression, from which on outputs are not kept."""
_TINY = 1e-7
_CLASSIFIERS = frozenset({"classification", "binary"})


@dataclass(frozen=True)
class Losses:
    """Of one output, sample by sample.

    Attributes:
        own: of the model, shape (n,), in the unit of the metric.
        constant: of the constant guess, likewise.
        entropy: cross-entropy of the model in nats, (n,), for classes and labels; else None.
        decided: the classes decided for, (n,) or (n, labels); None for values and for dense outputs.
        ranks: scores that grow with class c, (n, classes), for the same; else None.
        shuffled: of dense outputs the loss of the next sample's output, (n,), which knows nothing of this sample.
        weighed: the error of every value counts in units of what a constant guess has there, so that values of unlike
            ranges count alike.
    """

    own: Array
    constant: Array
    entropy: Array | None = None
    decided: Array | None = None
    ranks: Array | None = None
    shuffled: Array | None = None
    weighed: bool = False

    @property
    def relative(self) -> Array:
        """The loss in units of the constant guess's mean: 1 is as bad; without meaning where that is right always."""
        mean = float(self.constant.mean())
        relative: Array = np.minimum(np.nan_to_num(self.own, nan=np.inf) / mean, WORST)
        return relative

    @property
    def telling(self) -> bool:
        """Whether the constant guess is wrong at all."""
        return bool(self.constant.mean() > 0)


class Collected:
    """One output under one way of feeding, over several batches."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._outputs: list[Array] = []
        self._losses: list[tuple[Array, ...]] = []
        self.probable = True
        """Whether all outputs so far can be probabilities."""

    def add(self, outputs: Array, y: Array, fed_mean: Array | None) -> None:
        """Take a batch.

        Args:
            outputs: (n, ...).
            y: labels as stored; of an autoencoder what it was fed.
            fed_mean: of an autoencoder the mean sample, fed likewise.
        """
        head = self._head
        if head.kind in SOFTMAX | SIGMOID and not head.indices and np.isfinite(outputs).all():
            self.probable = self.probable and not with_scale(head, outputs).logits
        if head.kind in DENSE:
            # Of classes that compete the largest wins, logits or not.
            heads = [head] if head.kind in SOFTMAX else [replace(head, logits=value) for value in (True, False)]
            direct = [_overlap(outputs, y, each) for each in heads]
            others = [_overlap(np.roll(outputs, 1, axis=0), y, each) for each in heads]
            self._losses.append((*direct, *others))
        elif head.kind == "reconstruction":
            own = _by_sample((outputs.reshape(y.shape) - y) ** 2)
            self._losses.append((own, _by_sample((y - fed_mean) ** 2)))
        elif head.kind == "regression" and outputs[0].size > MANY_VALUES:
            self._losses.append((_by_sample(np.abs(outputs.reshape(y.shape) - y)),))
        else:
            self._outputs.append(np.asarray(outputs, np.float32))

    def losses(self, y: Array, *, logits: bool) -> Losses:
        """Return the losses of all samples so far; `y` are the labels of exactly these."""
        head = replace(self._head, logits=logits)
        if head.kind == "reconstruction":
            own, constant = (np.concatenate(column) for column in zip(*self._losses, strict=True))
            return Losses(own, constant)
        if head.kind in DENSE:
            columns = [np.concatenate(column) for column in zip(*self._losses, strict=True)]
            half = len(columns) // 2
            own, others = (part[0 if logits else -1] for part in (columns[:half], columns[half:]))
            values, counts = np.unique(y, return_counts=True)
            guess = np.full_like(y, values[counts.argmax()])
            return Losses(own, _miss(guess, y), shuffled=others)
        if self._losses:  # images: the mean is as good a guess, and takes no sorting
            own, mean = np.concatenate([part for (part,) in self._losses]), y.mean(axis=0)
            return Losses(own, np.array([float(np.abs(sample - mean).mean()) for sample in y]))
        outputs = np.concatenate(self._outputs)
        if head.kind == "regression":
            return _values(outputs.reshape(y.shape), y)
        return _classes(outputs, y, head)


def _by_sample(values: Array) -> Array:
    means: Array = values.reshape(len(values), -1).mean(axis=1, dtype=np.float64)
    return means


def _values(outputs: Array, y: Array) -> Losses:
    with np.errstate(all="ignore"):
        error, spread = np.abs(outputs.astype(np.float64) - y), np.abs(y - np.median(y, axis=0))
        weighed = 1 < y[0].size <= FEW_VALUES
        if weighed:  # latitude and price: neither hides the other
            unit = spread.mean(axis=0)
            moving = unit > 0
            error, spread = (np.where(moving, part / np.where(moving, unit, 1), 0) for part in (error, spread))
        return Losses(_by_sample(error), _by_sample(spread), weighed=weighed)


def _classes(outputs: Array, y: Array, head: Head) -> Losses:
    outputs = np.nan_to_num(outputs.astype(np.float64), nan=0.0, posinf=1e30, neginf=-1e30)
    if head.kind == "multilabel":
        decided, labels = decisions(outputs, head), y.reshape(len(y), -1)
        guess = labels.mean(axis=0) > 0.5
        entropy = _binary_entropy(outputs, labels, head.logits).mean(axis=1)
        return Losses(_by_sample(decided != labels), _by_sample(guess != labels), entropy, decided, outputs)
    y = y.reshape(len(y)).astype(np.int64)
    decided = decisions(outputs.reshape(len(y), -1), head).reshape(len(y), -1)[:, 0]
    guess = np.bincount(y).argmax()
    if head.indices:
        return Losses((decided != y).astype(float), (y != guess).astype(float), None, decided)
    if head.kind == "classification":
        entropy, ranks = _entropy(outputs, y, head.logits), outputs
    else:
        flat = outputs.reshape(len(y))
        entropy, ranks = _binary_entropy(flat, y, head.logits), np.stack([-flat, flat], axis=1)
    return Losses((decided != y).astype(float), (y != guess).astype(float), entropy, decided, ranks)


def _entropy(outputs: Array, y: Array, logits: bool) -> Array:
    if logits:
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        entropy: Array = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]
        return entropy
    return np.asarray(-np.log(np.clip(outputs[np.arange(len(y)), y], _TINY, 1)))


def _binary_entropy(outputs: Array, y: Array, logits: bool) -> Array:
    if logits:
        entropy: Array = np.logaddexp(0, outputs) - outputs * y
        return entropy
    p = np.clip(outputs, _TINY, 1 - _TINY)
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log(1 - p)))


def _overlap(outputs: Array, y: Array, head: Head) -> Array:
    return _miss(decisions(outputs, head).reshape(y.shape), y)


def _miss(decided: Array, truth: Array) -> Array:
    """Return 1 - the mean intersection over union of the classes that a sample has, or is decided to have, (n,)."""
    mine, real = (part.reshape(len(part), -1).astype(np.int64) for part in (decided, truth))
    size = int(max(mine.max(), real.max())) + 1
    rows = np.arange(len(mine))[:, np.newaxis] * size

    def counted(classes: Array) -> Array:
        return np.bincount(np.ravel(classes), minlength=size * len(mine)).reshape(len(mine), size)

    both = counted((rows + mine)[mine == real])
    either = counted(rows + mine) + counted(rows + real) - both
    shares = np.divide(both, either, out=np.zeros(both.shape), where=either > 0)
    lost: Array = 1 - shares.sum(axis=1) / (either > 0).sum(axis=1)
    return lost


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def shown(losses: Losses, head: Head) -> str:
    """Return how good that is, such as `87.2 % right`."""
    mean = float(np.nan_to_num(losses.own, nan=np.inf).mean())
    if head.kind in _CLASSIFIERS | {"multilabel"}:
        return f"{_percent(1 - mean)} right"
    if head.kind in DENSE:
        return f"mean IoU {_percent(1 - mean)}"
    if losses.weighed:
        return f"{100 * mean:.4g} % of a constant guess's error"
    if head.kind == "regression":
        return f"mean absolute error {mean:.4g}"
    if not losses.telling:
        return "nothing varies"
    explained = 1 - mean / float(losses.constant.mean())
    return f"{_percent(explained) if explained > 0 else 'none'} of the variance"


def shown_constant(losses: Losses, head: Head) -> str:
    """Return the same of the constant guess."""
    guess = {"regression": "the median", "reconstruction": "the mean sample", "multilabel": "each label's larger side"}
    name = guess.get(head.kind, "the largest class")
    if head.kind == "reconstruction":
        return f"{name} alone none of the variance"
    return f"{name} alone {shown(replace(losses, own=losses.constant), head)}"


def judged(head: Head, *, labelled: bool) -> bool:
    """Return whether an output has something to be compared with: labels, or, of an autoencoder, its input."""
    return head.kind == "reconstruction" or (labelled and head.kind not in FOLLOWED)


def together(losses: Sequence[Losses]) -> Array | None:
    """Return one relative loss a sample over all outputs, (n,); None where no constant guess is ever wrong."""
    relative = [each.relative for each in losses if each.telling]
    return np.mean(relative, axis=0) if relative else None
