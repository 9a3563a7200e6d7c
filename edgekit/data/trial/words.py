"""A trial in words: formulas, numbers, and options as they are typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from edgekit.data.trial.losses import Losses, shown, shown_constant
from edgekit.data.trial.race import Result
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import Task

_LISTED = 4
"""Numbers of a list that a sentence shows."""
_TYPED = 12
"""Numbers of a list that a person would type."""
OPTIONS = "--scale, --mean, --std, --channels and --layout"


def formula(how: Preprocessing) -> str:
    """Return `(x / 255 - 0.5) / 0.25`, with long lists cut short."""
    return re.sub(r"\[([^\]]*)\]", _cut, str(how))


def _cut(numbers: re.Match[str]) -> str:
    values = numbers[1].split(", ")
    if len(values) <= _LISTED:
        return numbers[0]
    return f"[{', '.join(values[:_LISTED])}, ... {len(values)} in all]"


def typed(how: Preprocessing) -> str:
    """Return the options that feed a model so, as they are typed: `--scale 1/127.5 --mean 1`."""
    each = dict(how.inputs) or {"": how}
    if max(max(len(own.mean), len(own.std)) for own in each.values()) > _TYPED:
        return "leave out --scale, --mean and --std: a trial chooses it again"
    texts = {
        "--scale": {name: _factor(own.scale) for name, own in each.items()},
        "--mean": {name: _list(own.mean) for name, own in each.items() if any(own.mean)},
        "--std": {name: _list(own.std) for name, own in each.items() if any(v != 1 for v in own.std)},
        "--channels": {name: own.channels for name, own in each.items() if own.channels != "RGB"},
        "--layout": {name: own.layout for name, own in each.items() if own.layout != "NHWC"},
    }
    parts = []
    for option, values in texts.items():
        value = ";".join(f"{name}={text}" if name else text for name, text in values.items())
        parts += (
            [f"{option} {shlex.quote(value)}" if not value.startswith("-") else f"{option}={value}"] if value else []
        )
    return " ".join(parts)


def _factor(value: float) -> str:
    reciprocal = 2 / value
    if value < 1 and abs(reciprocal - round(reciprocal)) < 1e-6 * abs(reciprocal):
        return f"1/{round(reciprocal) / 2:g}"
    return f"{value:g}"


def _list(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)


def gave(result: Result, task: Task) -> str:
    """Return how good a way of feeding is by the first output that can be judged."""
    index, losses = first(result)
    return shown(losses, task.heads[index])


def constant(result: Result, task: Task) -> str:
    """Return how good a constant guess is."""
    index, losses = first(result)
    return shown_constant(losses, task.heads[index])


def first(result: Result) -> tuple[int, Losses]:
    """Return the first output that is judged, with its place."""
    return next((index, losses) for index, losses in enumerate(result.losses) if losses is not None)


def tried(results: Sequence[Result], task: Task) -> str:
    """Return what every candidate gave, the best first."""
    ordered = sorted(results, key=lambda result: result.mean)
    return "; ".join(f"{formula(result.how)}: {gave(result, task)}" for result in ordered)
