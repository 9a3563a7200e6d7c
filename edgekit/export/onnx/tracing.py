"""The tensors inside of an ONNX graph while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.formats.types import OnnxModel
from edgekit.measuring.loaded import Run, load_onnx
from edgekit.tasks.samples import Array


def with_outputs(model: OnnxModel, names: Sequence[str]) -> tuple[Run, list[str]]:
    """Return what runs a model with these values as its outputs, and the names of its inputs.

    Args:
        model: an onnx.ModelProto; not changed. Only what these values need of it is run.
        names: of values that its main graph computes, or is fed.
    """
    import onnx

    copy = onnx.ModelProto.FromString(model.SerializeToString())
    known = {v.name: v for v in onnx.shape_inference.infer_shapes(model).graph.value_info}
    known |= {v.name: v for v in (*model.graph.input, *model.graph.output)}
    del copy.graph.output[:]
    made = {name for node in copy.graph.node for name in node.output}
    copy.graph.output.extend(known[name] for name in names if name in made)
    run, given = load_onnx(copy.SerializeToString()), [v.name for v in copy.graph.input]
    there = [name for name in names if name in made]

    def complete(sample: Sequence[Array]) -> list[Array]:
        found = dict(zip(there, run(sample) if there else [], strict=True)) | dict(zip(given, sample, strict=True))
        return [found[name] for name in names]

    return complete, given
