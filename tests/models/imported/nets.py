"""ONNX graphs made by code, an output for every form of an operator; each graph is rebuilt and proved once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.models.imported import folding, proof
from edgekit.models.imported.fusing import fused
from edgekit.models.imported.graph import Graph
from edgekit.models.imported.lowering.lower import Lowered, lowered
from edgekit.models.imported.operators import unpacked
from edgekit.models.imported.reading.onnx import graph_of
from edgekit.models.keras.proof import Proof
from tests.support.tiny_onnx import save, value


@dataclass
class Net:
    """A graph under construction; what is not read becomes an output.

    Attributes:
        opset: of its operators.
    """

    opset: int = 17
    nodes: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(7)

    def input(self, name: str, *shape: int | str, kind: str = "FLOAT") -> str:
        """Add an input."""
        self.inputs.append(value(name, shape, kind))
        return name

    def const(self, values: Any, dtype: str | None = None) -> str:
        """Add a constant."""
        from onnx import numpy_helper

        array = np.asarray(values, dtype or (np.int64 if np.asarray(values).dtype.kind == "i" else np.float32))
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def random(self, *shape: int, low: float = -1.0) -> str:
        """Add a constant of random values."""
        return self.const(self.rng.uniform(low, 1.0, shape).astype(np.float32))

    def op(self, kind: str, *inputs: str, count: int = 1, out: bool = False, **attributes: Any) -> Any:
        """Add an operator and return its output, or its outputs; `out` makes them outputs of the graph."""
        from onnx import helper

        names = [f"{kind}_{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=f"node_{names[0]}", **attributes))
        if out:
            self.outputs += names
        return names[0] if count == 1 else names

    def out(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator whose output is one of the graph."""
        made: str = self.op(kind, *inputs, out=True, **attributes)
        return made

    def image(self, channels: int = 4, size: tuple[int, int] = (6, 8)) -> str:
        """Add an image input and a convolution behind it, so that channels are last in what follows."""
        x = self.input("image", 1, 3, *size)
        made: str = self.op("Conv", x, self.random(channels, 3, 1, 1), self.random(channels))
        return made

    @property
    def kinds(self) -> set[str]:
        """Operators in it."""
        return {node.op_type for node in self.nodes}

    def save(self, path: Path, *shape: int | str) -> Path:
        """Write it; with the shape of its outputs, if it is given."""
        from onnx import helper

        outputs = [value(n, shape) if shape else helper.make_empty_tensor_value_info(n) for n in self.outputs]
        return save(path, self.nodes, self.inputs, outputs, self.constants, opset=self.opset, check=False)


def graph_in(path: Path) -> Graph:
    """Return the intermediate graph of a file, read in this process."""
    return fused(graph_of(unpacked(*folding.read(path=str(path))), path.name))


def rebuilt(path: Path, *, first: bool = False) -> tuple[Lowered, Graph]:
    """Return the model of a file; `first`: channels that come first in it stay there."""
    graph = graph_in(path)
    return lowered(graph, path.name, path.stem, first=first), graph


def proved(path: Path, made: Lowered, graph: Graph) -> Proof:
    """Compare a model with its file, in this process."""

    def run(inputs: Sequence[Any], names: Sequence[str]) -> list[Any]:
        return proof.run_values(*inputs, path=str(path), names=names)[1]

    return proof.prove(made, graph, run, path.name)
