"""The proof that a rebuilt model computes what its file does: the same random inputs through both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edgekit.errors import ConversionError
from edgekit.errors.printable import visible
from edgekit.formats.fixed_batch import fixed_onnx
from edgekit.frameworks.types import Tensor
from edgekit.models.imported.graph import Graph, Lookup
from edgekit.models.imported.lowering.lower import Lowered
from edgekit.models.imported.stepwise import ROUNDED, Difference, Run, as_in_file, first_difference
from edgekit.models.keras.proof import Proof, difference, largest
from edgekit.tasks.samples import Array

SEED = 20261130
SAMPLES = 3
"""Of each of two kinds: uniform in [0, 1) and standard normal; integers for integer inputs."""
TOLERANCE = 1e-5
"""Times the largest absolute output, or times `FLOOR` if that is smaller."""
FLOOR = 1e-2
"""Outputs below are equal within any tolerance, so that every operator is looked at."""


def prove(lowered: Lowered, graph: Graph, run: Run, file: str, real: Sequence[Array] | None = None) -> Proof:
    """Compare a rebuilt model with its file.

    Args:
        lowered: the rebuilt model.
        graph: of the file.
        run: the file.
        file: its name, for messages.
        real: inputs, (n, axes behind the batch) as the file has them; by default seeded random ones.

    Raises:
        ConversionError: outputs differ, naming the first operator that does; or they are not finite.
        InputError: the file cannot be run.
    """
    worst, samples, share = Proof(0.0, TOLERANCE * FLOOR, 0), 0, 0.0
    for inputs in _batches(graph) if real is None else [real]:
        expected = run(inputs, graph.outputs)
        outputs = lowered.model(_stored(lowered, inputs), training=False)
        made = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        samples += len(inputs[0])
        for port, old, tensor in zip(lowered.outputs, expected, made, strict=True):
            new = as_in_file(np.asarray(tensor), port.order, port.shape)
            if not np.isfinite(old).any():
                raise ConversionError(
                    f"{file}: output `{visible(port.name[:120])}` is not finite for all inputs tried, so nothing can "
                    "be proved",
                    "check its weights",
                    code="import-not-compared",
                )
            off, allowed = difference(old, new), TOLERANCE * max(FLOOR, largest(old))
            if off > allowed or largest(old) < FLOOR:
                allowed = ROUNDED * max(FLOOR, largest(old))
                culprit = first_difference(lowered, graph, run, inputs)
                if culprit or off > allowed:
                    raise _differs(file, port.name, off, culprit)
            share = max(share, off / (largest(old) or 1.0))
            if off / allowed >= worst.max_abs_diff / worst.tolerance:
                worst = Proof(off, allowed, 0)
    return Proof(worst.max_abs_diff, worst.tolerance, samples, share)


def as_in_model(array: Array, order: Sequence[int]) -> Array:
    """Return inputs of the file, (n, axes behind the batch), as the model takes them."""
    return array.transpose(0, *order)


def _stored(lowered: Lowered, inputs: Sequence[Array]) -> list[Array]:
    ends = zip(lowered.inputs, lowered.model.inputs, inputs, strict=True)
    return [as_in_model(x, port.order).astype(tensor.dtype.name) for port, tensor, x in ends]


def _differs(file: str, output: str, off: float, culprit: Difference | None) -> ConversionError:
    """Return the error that names the first operator that differs."""
    where = "no operator differs by itself"
    if culprit is not None:
        node = culprit.step.of
        where = f"`{visible(node.kind)}` (node `{visible(node.name[:120])}`) is the first, by {culprit.off:.3g}"
    return ConversionError(
        f"{file}: the rebuilt model computes something else: output `{visible(output[:120])}` differs by {off:.3g}; "
        f"of the operators {where}",
        "recipes without stages still quantize the file as it is; please report the model",
        code="import-differs",
    )


def _batches(graph: Graph) -> Iterator[list[Array]]:
    """Yield two batches of inputs: uniform in [0, 1), and standard normal."""
    rng = np.random.default_rng(SEED)
    tables = [len(step.operation.table) for step in graph.steps if isinstance(step.operation, Lookup)]
    for normal in (False, True):
        yield [_sample(graph, name, normal, min(tables, default=10), rng) for name in graph.inputs]


def _sample(graph: Graph, name: str, normal: bool, classes: int, rng: np.random.Generator) -> Array:
    shape, dtype = (SAMPLES, *graph.shapes[name][1:]), graph.dtypes[name]
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if "int" in dtype:
        return rng.integers(0, min(classes, 128), shape).astype(dtype)
    made: Tensor = rng.standard_normal(shape) if normal else rng.random(shape)
    return np.asarray(made, np.float32)


def run_values(*inputs: Array, path: str, names: Sequence[str]) -> tuple[None, list[Array]]:
    """Run an ONNX file sample by sample, in a child, and return values of its graph by name, (n, ...) each."""
    import onnx
    import onnxruntime

    model = fixed_onnx(Path(path))
    declared = {value.name for value in model.graph.output}
    known = {value.name: value for value in model.graph.value_info}
    for name in dict.fromkeys(names):
        if name not in declared:
            model.graph.output.append(known.get(name) or onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    own = [value.name for value in session.get_inputs()]
    kinds = {
        value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        for value in model.graph.input
    }
    rows = []
    for i in range(len(inputs[0])):
        feed = {name: x[i : i + 1].astype(kinds[name], copy=False) for name, x in zip(own, inputs, strict=True)}
        rows.append(session.run(list(names), feed))
    return None, [np.stack(column) for column in zip(*rows, strict=True)]
