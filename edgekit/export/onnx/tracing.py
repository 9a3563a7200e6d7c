"""The tensors inside of an ONNX graph while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edgekit.export.onnx.ports import Scale
from edgekit.formats.onnx.graph import DTYPES
from edgekit.formats.types import OnnxModel
from edgekit.measuring.loaded import Run, load_onnx
from edgekit.measuring.ports import to_stored
from edgekit.tasks.samples import Array
from edgekit.tasks.tensors import TensorSpec

Rows = Sequence[Mapping[str, Array]]
"""Samples, one after the other: inputs by name, with a batch of one, in real units."""
Scales = Mapping[str, Scale]
"""Of integer inputs and outputs, by name."""


def one_by_one(samples: Mapping[str, Array]) -> list[dict[str, Array]]:
    """Return samples, (n, ...) by the name of the input, one after the other, with a batch of one."""
    count = min(map(len, samples.values()), default=0)
    return [{name: array[index : index + 1] for name, array in samples.items()} for index in range(count)]


def traced(
    model: OnnxModel, wanted: Sequence[str], rows: Rows, scales: Scales, *, exact: bool = False
) -> Iterator[list[Array]]:
    """Yield values of a model for one sample after the other, as they are stored.

    Args:
        model: float, or int8 in QDQ form.
        wanted: names of the values.
        rows: the samples.
        scales: of its integer inputs.
        exact: compute what the graph says, in float32, and not by int8 kernels.

    Raises:
        RuntimeError, ValueError: onnxruntime refuses the model or the samples.
    """
    run, names = with_outputs(model, wanted, exact=exact)
    kinds = {value.name: DTYPES[value.type.tensor_type.elem_type] for value in model.graph.input}
    ports = [TensorSpec(name, (), kinds[name], *scales.get(name, (None, None))) for name in names]
    for row in rows:
        yield run([to_stored(np.asarray(row[port.name]), port) for port in ports])


def with_outputs(model: OnnxModel, names: Sequence[str], *, exact: bool = False) -> tuple[Run, list[str]]:
    """Return what runs a model with these values as its outputs, and the names of its inputs.

    Args:
        model: an onnx.ModelProto; not changed. Only what these values need of it is run.
        names: of values that its main graph computes, or is fed.
        exact: as of `traced`.

    Raises:
        RuntimeError: onnxruntime refuses the model.
        ValueError: the type of a value cannot be told from the graph.
    """
    import onnx

    copy = onnx.ModelProto.FromString(model.SerializeToString())
    known = {v.name: v for v in onnx.shape_inference.infer_shapes(model).graph.value_info}
    known |= {v.name: v for v in (*model.graph.input, *model.graph.output)}
    del copy.graph.output[:]
    made = {name for node in copy.graph.node for name in node.output}
    if unknown := next((name for name in names if name in made and name not in known), None):
        raise ValueError(f"the type of `{unknown}` is not known")
    copy.graph.output.extend(known[name] for name in names if name in made)
    run, given = load_onnx(copy.SerializeToString(), exact=exact), [v.name for v in copy.graph.input]
    there = [name for name in names if name in made]

    def complete(sample: Sequence[Array]) -> list[Array]:
        found = dict(zip(there, run(sample) if there else [], strict=True)) | dict(zip(given, sample, strict=True))
        return [found[name] for name in names]

    return complete, given
