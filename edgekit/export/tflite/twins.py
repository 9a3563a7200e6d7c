"""Which operator, activation and constant of a quantized .tflite file is which of the float file it was made of.

Names do not tell: a packed file numbers its activations, litert-quantizer appends to names, and TensorFlow's quantizer
makes new constants. So both files are followed from their inputs on. An operator's twin is of the same kind, reads the
twins of what it reads, computes tensors of the same shapes, and has the same weights, but for their rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from edgekit.export.tflite.dataflow import Dataflow, Floats

MOST_NOISE = 0.1
"""Of the weights' energy: rounding to 8 bits takes far less, and other weights are farther off."""


@dataclass(frozen=True)
class Twins:
    """What of the quantized file is what of the float file.

    Attributes:
        plain: the float file.
        inputs, outputs: for every one of the quantized file, its place among those of the float file.
        operators: of the quantized file to that of the float file, by index.
        activations: by number.
        constants: by operator of the quantized file and place among its inputs, the constant of the float file that
            has its real values.
    """

    plain: Dataflow
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: dict[int, int] = field(default_factory=dict)
    activations: dict[int, int] = field(default_factory=dict)
    constants: dict[tuple[int, int], int] = field(default_factory=dict)


def twins(small: Dataflow, plain: Dataflow) -> Twins:
    """Return what of a quantized file is what of the float file it was made of.

    Args:
        small: the quantized file.
        plain: the float file.
    """
    found = Twins(plain, _order(small, plain, "inputs"), _order(small, plain, "outputs"))
    fed = zip(small.ends[0], found.inputs, strict=True)
    known = {tensor: plain.ends[0][place] for tensor, place in fed if place < len(plain.ends[0])}
    taken: set[int] = set()
    for index in range(len(small.kinds)):
        if small.casts(index):
            continue
        twin = _nearest(small, index, list(_candidates(small, index, found, known, taken)), plain)
        if twin is None:
            continue
        taken.add(twin)
        found.operators[index] = twin
        known.update(zip(small.outputs[index], plain.outputs[twin], strict=True))
        for place, (one, other) in enumerate(zip(small.inputs[index], plain.inputs[twin], strict=False)):
            if _same_constant(small, one, plain, other):
                found.constants[index, place] = plain.root(other)
    found.activations.update(
        {
            tensor: known[small.root(tensor)]
            for tensor in range(len(small.tensors))
            if small.root(tensor) in known and small.activation(tensor)
        }
    )
    return found


def _same_constant(small: Dataflow, one: int, plain: Dataflow, other: int) -> bool:
    """Return whether a constant of the float file has the real values of one of the quantized file, in float."""
    if not (small.constant(one) and small.scaled(one) and plain.constant(other)) or plain.scaled(plain.root(other)):
        return False
    return small.shape(one) == plain.shape(other) and plain.readable(plain.root(other))


def _order(small: Dataflow, plain: Dataflow, side: str) -> tuple[int, ...]:
    """Return the places of inputs or outputs in the float file: by the signature's names, else in order."""
    place = 0 if side == "inputs" else 1
    names, others = (_names(flow, side) for flow in (small, plain))
    there = [others.get(tensor) for tensor in plain.ends[place]]
    here = [names.get(tensor) for tensor in small.ends[place]]
    if None in here or len(set(here)) < len(here) or sorted(map(str, here)) != sorted(map(str, there)):
        return tuple(range(len(here)))
    return tuple(there.index(name) for name in here)


def _names(flow: Dataflow, side: str) -> dict[int, str]:
    signature = next((s for s in flow.model.signatureDefs or [] if s.subgraphIndex == 0), None)
    entries = (getattr(signature, side) if signature else None) or []
    return {int(entry.tensorIndex): (entry.name or b"").decode("utf-8", "replace") for entry in entries}


def _candidates(small: Dataflow, index: int, found: Twins, known: dict[int, int], taken: set[int]) -> Iterator[int]:
    """Yield operators of the float file that read the same; of one whose inputs are not known, the next in order."""
    plain = found.plain
    last = max(found.operators.values(), default=-1)
    for other in range(len(plain.kinds)):
        if other in taken or plain.kinds[other] != small.kinds[index]:
            continue
        reads = _same_inputs(small, index, plain, other, known)
        shapes = [[flow.shape(o) for o in flow.outputs[i]] for flow, i in ((small, index), (plain, other))]
        if shapes[0] != shapes[1] or reads is False or (reads is None and other < last):
            continue
        yield other
        if reads is None:
            return


def _same_inputs(small: Dataflow, index: int, plain: Dataflow, other: int, known: dict[int, int]) -> bool | None:
    """Return whether two operators read the same activations; None where those of the first are not all known."""
    reads, others = _activations(small, index), _activations(plain, other)
    if reads.keys() != others.keys():
        return False
    unknown = False
    for place, tensor in reads.items():
        twin = known.get(small.root(tensor))
        unknown |= twin is None
        if small.shape(tensor) != plain.shape(others[place]):
            return False
        if twin is not None and plain.root(twin) != plain.root(others[place]):
            return False
    return None if unknown else True


def _activations(flow: Dataflow, operator: int) -> dict[int, int]:
    return {place: tensor for place, tensor in enumerate(flow.inputs[operator]) if flow.activation(tensor)}


def _nearest(small: Dataflow, index: int, candidates: list[int], plain: Dataflow) -> int | None:
    """Return the candidate with the nearest weights, of equal ones the first; None if they are those of another."""
    weights = [
        (place, values)
        for place, i in enumerate(small.inputs[index])
        if i >= 0 and small.constant(i) and small.quantized(i) and (values := small.values(i)) is not None
    ]
    best, least = None, MOST_NOISE
    for other in candidates:
        noise = max((_noise(values, _constant(plain, other, place)) for place, values in weights), default=0.0)
        if noise < least:
            best, least = other, noise
    return best


def _constant(plain: Dataflow, operator: int, place: int) -> Floats | None:
    inputs = plain.inputs[operator]
    return plain.values(plain.root(inputs[place])) if place < len(inputs) and inputs[place] >= 0 else None


def _noise(stored: Floats, true: Floats | None) -> float:
    """Return the energy of the difference over that of the true weights; 1 for weights of another shape.

    A single number is no weight: as a bound of MINIMUM it has the scale of what it bounds, and may be cut off by it.
    """
    if true is None or true.shape != stored.shape:
        return 1.0
    energy, noise = (float(np.vdot(a, a)) for a in (true, stored - true))
    if not energy or true.size == 1:
        return float(true.size > 1 and noise > 0)
    return noise / energy
