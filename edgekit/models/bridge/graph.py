"""A Keras 3 model as a list of calls, in the order in which they can be computed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgekit.errors import ConversionError
from edgekit.frameworks.tensorflow import keras3, tensorflow
from edgekit.frameworks.types import KerasModel, KerasNode, Keywords, Operation, SymbolicTensor, Tensor, Tensors


@dataclass(frozen=True)
class Graph:
    """What a Sequential or functional Keras 3 model computes.

    Attributes:
        inputs, outputs: symbolic tensors in the structure (tensor, list, dict) the model is called with.
        nodes: the calls, inputs first; without those that only compute masks, which both Keras versions carry along
            by themselves.
    """

    inputs: Tensors
    outputs: Tensors
    nodes: list[KerasNode]

    @property
    def flat_inputs(self) -> list[SymbolicTensor]:
        """The symbolic inputs, in the order of `tf.nest`."""
        return list(tensorflow().nest.flatten(self.inputs))


def is_model(operation: Operation) -> bool:
    """Return whether an operation in a graph is itself a model."""
    return isinstance(operation, keras3().Model)


def graph_of(model: KerasModel) -> Graph:
    """Read the graph of a Keras 3 model.

    Raises:
        ConversionError: it has none, because it is subclassed or was never built.
    """
    functional = model._functional if isinstance(model, keras3().Sequential) else model
    if functional is None:
        raise ConversionError(
            f"model `{model.name}` was never built, so it has no input shape",
            "add a keras.Input first",
            code="model-without-graph",
        )
    if not hasattr(functional, "_nodes_by_depth"):
        raise ConversionError(
            f"model `{model.name}` ({type(model).__name__}) is subclassed; what it computes is not in its graph",
            "rewrite it with keras.Sequential or the functional API, and copy the weights with set_weights",
            code="model-without-graph",
        )
    by_depth = functional._nodes_by_depth
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]
    wanted, needed = {id(tensor) for tensor in functional.outputs}, []
    for node in reversed(nodes):
        if any(id(tensor) in wanted for tensor in node.outputs):
            needed.append(node)
            wanted.update(id(tensor) for tensor in call_tensors(node))
    return Graph(functional._inputs_struct, functional._outputs_struct, needed[::-1])


def call_tensors(node: KerasNode) -> list[SymbolicTensor]:
    """Return the symbolic tensors a call gets, without implicit masks."""
    flat = tensorflow().nest.flatten([list(node.arguments.args), call_kwargs(node)])
    return [item for item in flat if _is_tensor(item)]


def call_kwargs(node: KerasNode) -> Keywords:
    """Return the keyword arguments of a call, without implicit masks and without those that are None."""
    kwargs = {key: value for key, value in node.arguments.kwargs.items() if value is not None}
    own = [tensor for tensor in tensorflow().nest.flatten([list(node.arguments.args), kwargs]) if _is_tensor(tensor)]
    implicit = [mask for tensor in own if (mask := getattr(tensor, "_keras_mask", None)) is not None]
    return {key: value for key, value in kwargs.items() if not _is_mask(key, value, implicit)}


def _is_mask(key: str, value: Tensors, implicit: list[SymbolicTensor]) -> bool:
    """Whether an argument is a mask that Keras 3 derived from Embedding or Masking, not one the user computed."""
    if key != "mask" and (not key.endswith("_mask") or key == "attention_mask"):
        return False
    masks = [item for item in tensorflow().nest.flatten(value) if item is not None]
    return all(_is_tensor(mask) and any(_same(mask, other) for other in implicit) for mask in masks)


def _same(a: Tensor, b: Tensor) -> bool:
    """Whether two symbolic tensors are computed alike; a loaded model computes implicit masks a second time."""
    if not (_is_tensor(a) and _is_tensor(b)):
        return repr(a) == repr(b)
    if a is b:
        return True
    first, second = a._keras_history, b._keras_history
    if type(first.operation) is not type(second.operation) or isinstance(first.operation, keras3().layers.Layer):
        return False
    parts = [
        tensorflow().nest.flatten([list(node.arguments.args), node.arguments.kwargs])
        for node in (h.operation._inbound_nodes[h.node_index] for h in (first, second))
    ]
    alike = len(parts[0]) == len(parts[1]) and first.tensor_index == second.tensor_index
    return alike and all(_same(x, y) for x, y in zip(*parts, strict=True))


def _is_tensor(item: object) -> bool:
    return isinstance(item, keras3().KerasTensor)


def reason(error: Exception) -> str:
    """Return what an exception of Keras or TensorFlow says, on one line, without the colours and the framing."""
    text = str(error).rsplit("Exception encountered: ", 1)[-1]
    text = re.sub(
        r"\x1b\[\d+m|Exception encountered when calling [^\n]*|Arguments received by .*", "", text, flags=re.S
    )
    return " ".join(text.split())[:300] or type(error).__name__
