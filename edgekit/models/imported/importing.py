"""An ONNX or TFLite file as a tf_keras model that is proven to compute the same."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.devices.refusal import INSPECT, essence
from edgekit.errors import InputError, RunnerError
from edgekit.formats.companions import computing_only, runnable
from edgekit.formats.info import FileInfo
from edgekit.frameworks.types import KerasModel
from edgekit.models.imported import folding, proof, tflite_operators
from edgekit.models.imported.fusing import fused
from edgekit.models.imported.lowering.layout import Port
from edgekit.models.imported.lowering.lower import lowered
from edgekit.models.imported.operators import unpacked
from edgekit.models.imported.proof import prove
from edgekit.models.imported.reading.onnx import graph_of as graph_of_onnx
from edgekit.models.imported.reading.tflite import graph_of as graph_of_tflite
from edgekit.models.keras.proof import Proof
from edgekit.processes.child import memory_for, worker
from edgekit.processes.wire import Value
from edgekit.tasks.samples import Array

_SECONDS = 600.0


@dataclass(frozen=True)
class Imported:
    """A rebuilt model.

    Attributes:
        format: of its file.
        model: of tf_keras, channels last inside.
        inputs: which axis of the file every axis of the model is.
        outputs: likewise.
        proof: how equal it is to its file on random inputs.
        prove_on: compares it with its file on other inputs, (n, axes behind the batch) as the file has them; raises
            `ConversionError` if outputs differ.
    """

    format: str
    model: KerasModel
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    proof: Proof
    prove_on: Callable[[Sequence[Array]], Proof]

    @property
    def notes(self) -> list[str]:
        """What a user should know: how it was made, and which axes were moved."""
        name = {"onnx": "ONNX"}.get(self.format, "TFLite")
        how = f"Rebuilt from {name} as layers; outputs equal within {self.proof.max_abs_diff:.2g}"
        notes = [f"{how} on {self.proof.samples} random samples"]
        for side, ports in (("Input", self.inputs), ("Output", self.outputs)):
            notes += [
                f"{side} {port.name} has its channels last, {_sizes(port.shape, port.order)}; the {name} file had "
                f"{_text(port.shape)}"
                for port in ports
                if port.moved
            ]
            notes += [
                f"{side} {port.name} has its channels first, {_text(port.shape)}, and is transposed inside the files"
                for port in ports
                if port.first
            ]
        return notes


def import_file(path: Path, info: FileInfo, *, first: bool = False) -> Imported:
    """Rebuild a float `.onnx` or `.tflite` file whose inputs have fixed sizes, but for the batch.

    Args:
        path: of the file.
        info: what is in it.
        first: whether inputs and outputs whose channels come first in the file keep them there.

    Raises:
        ConversionError: an operator cannot be rebuilt, or the rebuilt model computes something else; the operator is
            named.
        InputError: the file is damaged, or cannot be run.
    """
    passed = runnable(path, info.format)
    computing_only(path, passed)
    memory = memory_for(path, *passed.companions.values())

    def call(function: str, *arrays: Array, what: str, **arguments: Value) -> tuple[Value, list[Array]]:
        try:
            return worker().call(
                function,
                *arrays,
                what=f"{path}: {what}",
                seconds=_SECONDS,
                memory=memory,
                path=str(path),
                **arguments,
            )
        except RunnerError as error:
            if error.code == "child-failed" and function == run_there:  # as its runtime refused it
                hint, told = f"{INSPECT} {shlex.quote(str(path))}", essence(error.message.removeprefix(f"{path}: "))
                raise InputError(f"{path}: cannot be run: {told}", hint, code="file-not-runnable") from error
            raise InputError(error.message, error.hint, code=error.code) from error

    run_there, more = f"{proof.__name__}:run_values", dict[str, Value]()
    inputs, outputs = [tensor.name for tensor in info.inputs], [tensor.name for tensor in info.outputs]
    if info.format == "onnx":
        graph = graph_of_onnx(unpacked(*call(f"{folding.__name__}:read", what="reading its graph")), path.name)
    else:
        run_there, more = f"{tflite_operators.__name__}:run_values", {"ends": [*inputs, "", *outputs]}
        there = f"{tflite_operators.__name__}:read"
        graph = graph_of_tflite(
            unpacked(*call(there, what="reading its graph", inputs=inputs, outputs=outputs)), path.name
        )

    def run(arrays: Sequence[Array], names: Sequence[str]) -> list[Array]:
        return call(run_there, *arrays, what="running it", names=list(names), **more)[1]

    graph = fused(graph)
    made = lowered(graph, path.name, path.stem, first=first)
    found = prove(made, graph, run, path.name)
    return Imported(
        info.format,
        made.model,
        made.inputs,
        made.outputs,
        found,
        lambda inputs: prove(made, graph, run, path.name, inputs),
    )


def _sizes(shape: Sequence[int], order: Sequence[int]) -> str:
    return _text([1, *(shape[axis] for axis in order)])


def _text(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes))
