"""Where the noise at the outputs of an int8 file comes from, found in one pass over samples.

Noise to signal falls along a net, and says little of who is to blame: noise adds up, is amplified where values cancel,
and hides where one value dwarfs the others. So the noise at the outputs is followed backwards. Of the noise at an
activation a part is made there, by rounding it and by rounding the weights of its operator, and that part is known in
the units of the activation itself; the rest came in through the operator's inputs. An operator that amplifies noise is
so no culprit, and what it amplifies is found.

The idea is that of relevance propagated layer by layer (Bach et al. 2015, doi 10.1371/journal.pone.0130140), with
measured noise in the place of relevance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edgekit.export.mixed.flow import ADDING, Flow
from edgekit.export.mixed.quantized import Operator
from edgekit.export.mixed.tally import Floats, Tally
from edgekit.tasks.samples import Array

_WORST = 1e9
"""Noise to signal, of an activation without any signal."""
_SUDDEN = 2.0
"""An operator whose output has so many times the noise that its inputs explain amplifies some of it, or makes it."""
_HIDDEN = 0.5
"""Share of the noise that may have come in unseen where there is as much of it as signal: more would hardly show."""
_DEPTHWISE = "DEPTHWISE_CONV_2D"

Weights = Mapping[int, tuple[Array, Array]]
"""By the index of an operator its weights in float, and as int8 holds them: (channels, values) each."""


@dataclass(frozen=True)
class Origin:
    """Shares of the noise at the outputs, which add up to 1 with what came in through the inputs of the file.

    Attributes:
        rounding: by activation, of rounding and clipping it.
        weights: by index of an operator, of rounding its weights.
        sudden: by index of an operator, what its inputs do not explain; it is counted with theirs, too.
        acting: by index of an operator with weights, the energy of noise that rounding them makes at its output.
    """

    rounding: dict[int, float] = field(default_factory=dict)
    weights: dict[int, float] = field(default_factory=dict)
    sudden: dict[int, float] = field(default_factory=dict)
    acting: dict[int, float] = field(default_factory=dict)

    def of(self, operator: Operator) -> float:
        """Return what an operator and its outputs add."""
        return self.weights.get(operator.index, 0.0) + sum(self.rounding.get(n, 0.0) for n in operator.outputs)


def origin(flow: Flow, tallies: Mapping[int, Tally], weights: Weights) -> Origin:
    """Return where the noise at the outputs comes from.

    Args:
        flow: of the operators.
        tallies: by activation, of those that both files have.
        weights: of the operators that have some.
    """
    passing: dict[int, float] = defaultdict(float)
    ends = [number for number in flow.ends() if number in tallies]
    ratios = {number: min(tallies[number].ratio, _WORST) for number in ends}
    total = sum(ratios.values())
    for number in ends if total else ():
        passing[number] = ratios[number] / total
    found = Origin(defaultdict(float), defaultdict(float), defaultdict(float), _acting(flow, tallies, weights))
    for operator in reversed(flow.operators):
        for number in operator.outputs:
            share = passing.get(number, 0.0)
            if share and number in tallies and tallies[number].noise:
                rest = _made(operator, number, share, flow, tallies[number], found)
                _pass_on(operator, tallies[number], rest, share, flow, tallies, passing, found)
    for number, share in passing.items():
        if number not in flow.maker and number in tallies:
            found.rounding[number] += share
    return Origin(dict(found.rounding), dict(found.weights), dict(found.sudden), found.acting)


def _acting(flow: Flow, tallies: Mapping[int, Tally], weights: Weights) -> dict[int, float]:
    """Return the noise that rounding weights makes, by the index of their operator."""
    found = {}
    for operator in (operator for operator in flow.operators if operator.index in weights):
        source = next((tallies[n] for n in operator.inputs if n in tallies), None)
        output = next((tallies[n] for n in operator.outputs if n in tallies), None)
        if source is not None and output is not None:
            found[operator.index] = weight_noise(operator.kind, *weights[operator.index], source, output)
    return found


def _made(operator: Operator, number: int, share: float, flow: Flow, output: Tally, found: Origin) -> float:
    """Note what an operator adds to the noise of one of its outputs; return the share of it that came in."""
    rounding = 0.0 if operator.index in flow.exact else output.rounding
    of_weights = found.acting.get(operator.index, 0.0)
    made = min(1.0, (rounding + of_weights) / output.noise) * (1 - _HIDDEN * min(1.0, output.ratio))
    scale = share * made / (rounding + of_weights or 1.0)
    found.rounding[number] += rounding * scale
    found.weights[operator.index] += of_weights * scale
    return share * (1 - made)


def _pass_on(
    operator: Operator,
    output: Tally,
    rest: float,
    share: float,
    flow: Flow,
    tallies: Mapping[int, Tally],
    passing: dict[int, float],
    found: Origin,
) -> None:
    """Divide the noise that came in among the inputs, by how much of it they have."""
    inputs = [number for number in operator.inputs if number in tallies]
    adding = operator.kind in ADDING
    came = {n: tallies[n].noise if adding else min(tallies[n].ratio, _WORST) for n in inputs}
    total = sum(came.values())
    if not total or not rest:
        found.sudden[operator.index] += rest
        return
    carried, explained = output.noise * rest / share, total if adding else total * output.signal
    sudden = rest * max(0.0, 1 - _SUDDEN * explained / carried)
    found.sudden[operator.index] += sudden
    rounded = {n: tallies[n].rounding for n in inputs if flow.rounds(n)}
    made = sudden / 2 if any(rounded.values()) else 0.0
    for number, energy in rounded.items() if made else ():
        found.rounding[number] += made * energy / sum(rounded.values())
    for number in inputs:
        passing[number] += (rest - made) * came[number] / total


def weight_noise(kind: str, true: Array, stored: Array, source: Tally, output: Tally) -> float:
    """Return about how much energy of noise the rounding of weights makes at an operator's output.

    The values of a channel of the input are taken as independent, with one mean and one variance: the mean meets the
    sum of the weights' errors, the variance the sum of their squares.

    Args:
        kind: of the operator.
        true: its weights in float, (channels, values), in the file's order.
        stored: the same as int8 holds them.
        source: the activation that they are multiplied with.
        output: of the operator.
    """
    errors = (stored - true).astype(np.float64)
    channels, values = errors.shape
    if not source.values or not output.values or not errors.size:
        return 0.0
    means, variances = _moments(source)
    width = len(means)
    if (kind == _DEPTHWISE or values < width) and channels % width == 0:
        each, squares = errors.sum(axis=1), (errors**2).sum(axis=1)
        means, variances = np.repeat(means, channels // width), np.repeat(variances, channels // width)
        noise = (each * means) ** 2 + squares * variances
    else:
        if values % width:
            means, variances, width = means.mean(keepdims=True), np.array([variances.mean() + means.var()]), 1
        parts = errors.reshape((channels, -1, width) if source.axis == -1 else (channels, width, -1))
        place = 1 if source.axis == -1 else 2
        noise = (parts.sum(axis=place) @ means) ** 2 + (parts**2).sum(axis=place) @ variances
    return float(noise.sum() * (output.values / channels))


def _moments(tally: Tally) -> tuple[Floats, Floats]:
    """Return mean and variance of every channel."""
    count = tally.values / len(tally.energies)
    means = tally.sums / count
    return means, np.maximum(tally.energies / count - means**2, 0.0)
