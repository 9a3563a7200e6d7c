"""A pair of files in NumPy: operators that compute in float, or as int8 does, or a few of them in float."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.export.mixed.quantized import Operator, Which
from edgekit.tasks.samples import Array

CHANNELS, PLACES = 16, 200
BASE_BYTES = 10_000
Compute = Callable[[Sequence[Array], Array | None], Array]


@dataclass(frozen=True)
class Node:
    """An operator: what it reads, by the number of the activation (0 is the input, n the output of the nth node)."""

    kind: str
    inputs: tuple[int, ...]
    compute: Compute
    weights: Array | None = None
    per_tensor: bool = False


def dense(inputs: Sequence[Array], weights: Array | None) -> Array:
    assert weights is not None
    return np.clip(inputs[0] @ weights.T, -2.5, 2.5)


def scaled(inputs: Sequence[Array], weights: Array | None) -> Array:
    assert weights is not None
    return inputs[0] * weights[:, 0]


class Chain:
    """Nodes, calibrated on samples."""

    def __init__(self, nodes: Sequence[Node], samples: Array) -> None:
        self.nodes = nodes
        self.operators = tuple(
            Operator(
                index, f"layer{index}", node.kind, node.inputs, (index + 1,),
                0 if node.weights is None else node.weights.size,
            )
            for index, node in enumerate(nodes)
        )  # fmt: skip
        self.float_file, self.int8_file = b"float", self.reverted((), float_weights=False)
        seen = np.stack([np.stack(self._run(x[None], None)) for x in samples], axis=1)
        self._steps = [_step(values) for values in seen]
        self.files_made = 0

    def step(self, activation: int) -> tuple[float, int] | None:
        return self._steps[activation]

    def told_apart(self, activation: int) -> tuple[float, float]:
        return -np.inf, np.inf

    def weights(self, operator: Operator) -> tuple[Array, Array] | None:
        node = self.nodes[operator.index]
        return None if node.weights is None else (node.weights, _in_int8(node))

    def reverted(self, chosen: Collection[int], *, float_weights: bool) -> bytes:
        self.files_made = getattr(self, "files_made", 0) + 1
        held = {"float": sorted(chosen), "weights": float_weights}
        more = 3 * sum(self.operators[index].weight_bytes for index in chosen) if float_weights else 0
        return json.dumps(held).encode().ljust(BASE_BYTES + more)

    def traced(self, which: Which, samples: Sequence[Array]) -> Iterator[Mapping[int, Array]]:
        for x in samples[0]:
            if which == "float":
                yield dict(enumerate(self._run(x[None], None)))
            else:
                yield {n: _rounded(v, self._steps[n]) for n, v in enumerate(self._run(x[None], frozenset()))}

    def outputs(self, file: bytes, samples: Sequence[Array]) -> list[Array]:
        if file == self.float_file:
            rows = [self._run(x[None], None)[-1] for x in samples[0]]
        else:
            held = json.loads(file)
            chosen, weights = frozenset(held["float"]), held["weights"]
            rows = [_rounded(self._run(x[None], chosen, weights)[-1], self._steps[-1]) for x in samples[0]]
        return [np.concatenate(rows).astype(np.float64)]

    def _run(self, x: Array, chosen: frozenset[int] | None, float_weights: bool = True) -> list[Array]:
        """Return every activation before it is rounded; None: all in float, and the input, too."""
        values = [x]
        for index, node in enumerate(self.nodes):
            own = chosen is None or index in chosen
            inputs = [
                values[n] if chosen is None or (own and n - 1 in chosen) else _rounded(values[n], self._steps[n])
                for n in node.inputs
            ]
            weights = node.weights
            if weights is not None and not (own and float_weights):
                weights = _in_int8(node)
            values.append(node.compute(inputs, weights).astype(np.float32))
        return values


def _step(values: Array) -> tuple[float, int]:
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = (high - low) / 255 or 1.0
    return scale, round(-128 - low / scale)


def _rounded(values: Array, step: tuple[float, int]) -> Array:
    scale, zero = step
    return ((np.clip(np.rint(values / scale) + zero, -128, 127) - zero) * scale).astype(np.float32)


def _in_int8(node: Node) -> Array:
    assert node.weights is not None
    axis = None if node.per_tensor else 1
    scale = np.maximum(np.abs(node.weights).max(axis=axis, keepdims=True), 1e-12) / 127
    return np.rint(node.weights / scale) * scale


def plain_chain(rng: np.random.Generator, length: int = 50) -> list[Node]:
    """Dense layers, every tenth node an ADD with what lies three before it, every tenth a RESHAPE."""
    nodes: list[Node] = []
    for index in range(length):
        if index % 10 == 6:
            nodes.append(Node("ADD", (index, index - 3), lambda i, _: (i[0] + i[1]) / np.float32(np.sqrt(2))))
        elif index % 10 == 8:
            nodes.append(Node("RESHAPE", (index,), lambda i, _: i[0]))
        else:
            mixing = np.linalg.qr(rng.normal(size=(CHANNELS, CHANNELS)))[0] * 1.02
            nodes.append(Node("FULLY_CONNECTED", (index,), dense, mixing.astype(np.float32)))
    return nodes


def samples(rng: np.random.Generator, count: int) -> Array:
    return rng.normal(size=(count, PLACES, CHANNELS)).astype(np.float32)


def with_outliers(nodes: list[Node], at: int) -> None:
    """Let one value of a layer's output be large and of no use: the next layer takes no notice."""
    weights = nodes[at + 1].weights
    assert weights is not None
    weights[:, 5] = 0

    def spiked(inputs: Sequence[Array], own: Array | None) -> Array:
        values = dense(inputs, own)
        values[:, 0, 5] = 150
        return values

    nodes[at] = Node("FULLY_CONNECTED", nodes[at].inputs, spiked, nodes[at].weights)


def with_uneven_channels(nodes: list[Node], at: int) -> None:
    """Scale channels apart, and back again one node later."""
    factors = np.geomspace(0.01, 3, CHANNELS, dtype=np.float32)[:, None]
    nodes[at] = Node("DEPTHWISE_CONV_2D", (at,), scaled, factors)
    nodes[at + 1] = Node("DEPTHWISE_CONV_2D", (at + 1,), scaled, 1 / factors)


def with_unlike_weights(nodes: list[Node], at: int) -> None:
    """Give a layer one scale for all its weights, one of which is large and multiplied with little."""
    before, own = nodes[at - 1].weights, nodes[at].weights
    assert before is not None and own is not None
    before[2] /= 40
    own[7, 2] *= 40
    own[7, 2] = np.copysign(30, own[7, 2])
    nodes[at] = Node("FULLY_CONNECTED", nodes[at].inputs, dense, own, per_tensor=True)


def with_exponential(nodes: list[Node], at: int) -> None:
    """Compute softplus from EXP and LOG."""
    nodes[at] = Node("EXP", (at,), lambda i, _: np.exp(4 * i[0]))
    nodes[at + 1] = Node("LOG", (at + 1,), lambda i, _: np.log1p(i[0]) / 4)


def with_cancellation(nodes: list[Node], at: int) -> None:
    """Add a large number, and subtract it again one node later: little is left, and all of the noise."""
    plain = nodes[at]
    nodes[at] = Node(plain.kind, plain.inputs, lambda i, w: dense(i, w) + np.float32(90), plain.weights)
    nodes[at + 1] = Node("SUB", (at + 1,), lambda i, _: i[0] - np.float32(90))
