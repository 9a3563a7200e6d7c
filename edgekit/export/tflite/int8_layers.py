"""Layers of an int8 .tflite file, whose weights and bias may be stored in another form: with fewer bits or scales."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.formats.fixed_batch import builtin_code
from edgekit.formats.types import TfliteModel, TfliteObject, TfliteSchema


@dataclass(frozen=True)
class Form:
    """The weights and bias of a layer in one of its forms: what the tensors and buffers hold."""

    type: int
    weights: npt.NDArray[np.uint8]
    scale: npt.NDArray[np.float32]
    bias: npt.NDArray[np.uint8] | None
    bias_scale: npt.NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer in both forms.

    Attributes:
        model: the `ModelT` that holds it.
        weights, bias: its tensors; None without a bias.
        now, other: the form that it came with, and the other one.
        noise: mean squared change of its weights by the other form, against their mean square, where that is known.
    """

    model: TfliteModel
    weights: TfliteObject
    bias: TfliteObject
    now: Form
    other: Form
    noise: float = 0.0

    def use(self, other: bool) -> None:
        """Write one of the forms into the model."""
        form = self.other if other else self.now
        self.weights.type = form.type
        for tensor, data, scale in (
            (self.weights, form.weights, form.scale),
            (self.bias, form.bias, form.bias_scale),
        ):
            if data is not None and scale is not None:
                self.model.buffers[tensor.buffer].data, tensor.quantization.scale = data, scale
                tensor.quantization.zeroPoint = np.zeros(len(scale), np.int64)


def int8_layers(model: TfliteModel, codes: Collection[int]) -> Iterator[tuple[TfliteObject, TfliteObject, Form]]:
    """Yield weights, bias (or None) and their form: int8 and int32 constants of a layer's own, in the main graph.

    Args:
        model: a `ModelT`.
        codes: the operators that count as layers.
    """
    from ai_edge_litert.schema_py_generated import TensorType

    graph = model.subgraphs[0]
    uses = Counter(i for g in model.subgraphs for operator in g.operators for i in _inputs(operator))
    holders = Counter(tensor.buffer for g in model.subgraphs for tensor in g.tensors)
    for operator in graph.operators:
        if builtin_code(model.operatorCodes[operator.opcodeIndex]) not in codes:
            continue
        places = [*_inputs(operator), -1][:3]
        if any(uses[i] > 1 for i in places[1:] if i >= 0):
            continue
        source, weights, bias = (graph.tensors[i] if i >= 0 else None for i in places)
        if any(holders[tensor.buffer] > 1 for tensor in (weights, bias) if tensor is not None):
            continue
        form = _form(model, source, weights, bias, TensorType)
        if form is not None:
            yield weights, bias, form


def _inputs(operator: TfliteObject) -> list[int]:
    return [] if operator.inputs is None else [int(i) for i in operator.inputs]


def _form(
    model: TfliteModel, source: TfliteObject, weights: TfliteObject, bias: TfliteObject, types: TfliteSchema
) -> Form | None:
    how, data = weights.quantization, model.buffers[weights.buffer].data
    if source.type != types.INT8 or weights.type != types.INT8 or data is None or weights.sparsity is not None:
        return None
    if how is None or how.scale is None or np.any(how.zeroPoint):
        return None
    if bias is None:
        return Form(types.INT8, data, how.scale, None, None)
    held, its = model.buffers[bias.buffer].data, bias.quantization
    if bias.type != types.INT32 or held is None or its is None or its.scale is None or len(its.scale) != len(how.scale):
        return None
    return Form(types.INT8, data, how.scale, held, its.scale)
