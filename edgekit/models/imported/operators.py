"""The operators of a file as plain data: what a child process hands over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgekit.errors import ConversionError
from edgekit.errors.printable import visible
from edgekit.schema.types import JsonObject
from edgekit.tasks.samples import Array

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
Shape = tuple[int, ...]


_HINTS = {"graph-in-training-mode": "export the model in evaluation mode: `model.eval()` in front of the export"}
"""By code what to do where it is not to quantize the file as it is."""


class Unsupported(Exception):
    """An operator cannot be rebuilt; the message completes "operator `X`: ..."."""


@dataclass(frozen=True)
class Operator:
    """One operator of a file.

    Attributes:
        kind: its name in the file's format, such as `Conv`.
        name: of the node, or of its first output.
        inputs: names of values and constants; empty where one is left out.
        outputs: names of values; empty where one is left out.
        attributes: numbers, texts and lists of them.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def integer(self, name: str, default: int = 0) -> int:
        """Return a whole number."""
        found = self.attributes.get(name, default)
        return int(found) if isinstance(found, (int, float)) else default

    def real(self, name: str, default: float = 0.0) -> float:
        """Return a number."""
        found = self.attributes.get(name, default)
        return float(found) if isinstance(found, (int, float)) else default

    def text(self, name: str, default: str = "") -> str:
        """Return a text."""
        found = self.attributes.get(name, default)
        return found if isinstance(found, str) else default

    def integers(self, name: str) -> Shape | None:
        """Return a list of whole numbers, or None where there is none."""
        found = self.attributes.get(name)
        return tuple(int(n) for n in found) if isinstance(found, tuple) else None

    def refusal(self, file: str, why: str, code: str = "operator-not-rebuilt") -> ConversionError:
        """Return the error that names the operator and says why it cannot be rebuilt."""
        return ConversionError(
            f"{file}: operator `{visible(self.kind)}` (node `{visible(self.name[:120])}`) cannot be rebuilt as layers: "
            f"{why}",
            _HINTS.get(code, "recipes without stages still quantize the file as it is: --recipe int8"),
            code=code,
        )


@dataclass(frozen=True)
class Operators:
    """The graph of a file for one sample, everything that does not depend on the inputs folded into constants.

    Attributes:
        inputs: names, in the order of the file.
        outputs: likewise.
        nodes: in an order in which they can be computed.
        constants: by name.
        shapes: of all values, by name; fixed sizes, a batch of 1.
        dtypes: likewise, NumPy's names.
        opset: version of the operators' definitions.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Operator, ...]
    constants: Mapping[str, Array]
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, str]
    opset: int

    def needed(self) -> Operators:
        """Return it without operators and constants that no output depends on."""
        wanted, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if wanted.intersection(node.outputs):
                kept.append(node)
                wanted.update(node.inputs)
        constants = {name: values for name, values in self.constants.items() if name in wanted}
        return replace(self, nodes=tuple(reversed(kept)), constants=constants)

    def carried(self) -> tuple[JsonObject, list[Array]]:
        """Return it as JSON and arrays."""
        nodes = [
            [n.kind, n.name, list(n.inputs), list(n.outputs), {k: _plain(v) for k, v in n.attributes.items()}]
            for n in self.nodes
        ]
        head: JsonObject = {
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "nodes": nodes,
            "constants": list(self.constants),
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "dtypes": dict(self.dtypes),
            "opset": self.opset,
        }
        return head, [np.ascontiguousarray(values).reshape(np.shape(values)) for values in self.constants.values()]


def unpacked(head: Any, arrays: Sequence[Array]) -> Operators:
    """Return what `carried` packed."""
    nodes = tuple(
        Operator(kind, name, tuple(inputs), tuple(outputs), {k: _hashable(v) for k, v in attributes.items()})
        for kind, name, inputs, outputs, attributes in head["nodes"]
    )
    return Operators(
        tuple(head["inputs"]),
        tuple(head["outputs"]),
        nodes,
        dict(zip(head["constants"], arrays, strict=True)),
        {name: tuple(shape) for name, shape in head["shapes"].items()},
        dict(head["dtypes"]),
        int(head["opset"]),
    )


def _plain(value: Attribute) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _hashable(value: Any) -> Attribute:
    return tuple(value) if isinstance(value, list) else value
