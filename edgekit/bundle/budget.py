"""What a search may spend: how large and slow a file may be, and how good it must be."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from edgekit.bundle.trials import Known, Measured
from edgekit.errors import InputError
from edgekit.schema.rules import Natural
from edgekit.schema.types import JsonObject

OPTIONS = {
    "max_bytes": "--max-size",
    "max_latency_ms": "--max-latency",
    "max_macs": "--max-macs",
    "max_memory_bytes": "--max-memory",
    "min_accuracy": "--min-accuracy",
    "max_error": "--max-error",
}
"""By field the option that sets it."""
MOST = 1e15


@dataclass(frozen=True)
class Budget:
    """Bounds on a file; None where anything goes.

    Attributes:
        max_bytes: of the file; after gzip where the search counts sizes so.
        max_latency_ms: median of one inference on the target.
        max_macs: multiply-accumulates of one inference.
        max_memory_bytes: of activations that are needed at the same time.
        min_accuracy: of the task's metric on validation samples, where more is better; shares from 0 to 1.
        max_error: of the same, where less is better.
    """

    max_bytes: Natural | None = None
    max_latency_ms: float | None = None
    max_macs: Natural | None = None
    max_memory_bytes: Natural | None = None
    min_accuracy: float | None = None
    max_error: float | None = None

    def checked(self) -> Budget:
        """Return it.

        Raises:
            InputError: a bound is not above 0, or two of them exclude each other.
        """
        for field, option in OPTIONS.items():
            value = getattr(self, field)
            if value is not None:
                check_bound(option, value)
        if self.min_accuracy is not None and self.max_error is not None:
            raise InputError(
                "`--min-accuracy` and `--max-error` are for different metrics, and there is one",
                "give `--min-accuracy` for a metric where more is better, else `--max-error`",
                code="budgets-clash",
            )
        return self

    def for_metric(self, metric: str, *, lower_is_better: bool, is_share: bool) -> Budget:
        """Return it, for a metric that is known now.

        Raises:
            InputError: a bound on accuracy is given for an error, or the other way round, or is no share of 1.
        """
        wrong = self.min_accuracy if lower_is_better else self.max_error
        if wrong is not None:
            given, other = ("--min-accuracy", "--max-error") if lower_is_better else ("--max-error", "--min-accuracy")
            better = "less" if lower_is_better else "more"
            raise InputError(
                f"`{given} {wrong:g}`: of the metric `{metric}` {better} is better",
                f"give `{other}`, or choose another metric with `--metric`",
                code="budget-wrong-direction",
            )
        if is_share and self.min_accuracy is not None and self.min_accuracy > 1:
            raise InputError(
                f"`--min-accuracy {self.min_accuracy:g}`: expected a share of at most 1, or percent such as "
                f"{self.min_accuracy:g}%",
                f"{metric} is a share of the samples",
                code="budget-out-of-range",
            )
        return self

    def misses(self, measured: Measured, *, gzip: bool = False) -> dict[str, float]:
        """Return by how much a file misses each bound, as a share of the bound; 0 and less where it keeps it.

        Args:
            measured: of the file. A number that is not known misses nothing.
            gzip: whether its size counts after gzip.
        """
        score = measured.scored.value
        found = self._above(
            max_bytes=measured.gzip_bytes if gzip else measured.bytes,
            max_latency_ms=measured.latency_ms,
            max_macs=measured.macs,
            max_memory_bytes=measured.memory_bytes,
            max_error=score,
        )
        if self.min_accuracy is not None:
            found["min_accuracy"] = _finite((self.min_accuracy - score) / self.min_accuracy)
        return found

    def known_misses(self, known: Known, *, gzip: bool = False) -> dict[str, float]:
        """Return the same of what is known of a file before training; its size after gzip is not."""
        size = None if gzip else known.bytes
        return self._above(max_bytes=size, max_macs=known.macs, max_memory_bytes=known.memory_bytes)

    def _above(self, **values: float | None) -> dict[str, float]:
        bounds = {name: getattr(self, name) for name in values}
        return {
            name: _finite(value / bounds[name] - 1)
            for name, value in values.items()
            if value is not None and bounds[name] is not None
        }

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return asdict(self)


def check_bound(name: str, value: float, *, may_be_zero: bool = False) -> None:
    """Check a bound, of a search or of a gate.

    Args:
        name: of the option or parameter, for the message.
        value: of the bound.
        may_be_zero: of a bound on a difference, such as a drop.

    Raises:
        InputError: it is no number above 0, or from 0.
    """
    if not (math.isfinite(value) and 0 <= value <= MOST and (may_be_zero or value > 0)):
        expected = "of at least 0" if may_be_zero else "above 0"
        raise InputError(f"`{name}` is {value:g}, expected a number {expected}", code="budget-not-positive")


def _finite(value: float) -> float:
    """Return a miss as a number that can be compared and stored: of a broken model's score the largest."""
    return value if math.isfinite(value) else MOST
