"""A Keras 3 model as a list of calls, in the order in which they can be computed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from edgekit.backend import keras3, tensorflow
from edgekit.errors import ConversionError


@dataclass(frozen=True)
class Graph:
    """What a Sequential or functional Keras 3 model computes.

    Attributes:
        inputs, outputs: symbolic tensors in the structure (tensor, list, dict) the model is called with.
        nodes: the calls, inputs first; without those that only compute masks, which both Keras versions carry along
            by themselves.
    """

    inputs: Any
    outputs: Any
    nodes: list[Any]

    @property
    def flat_inputs(self) -> list[Any]:
        """The symbolic inputs, in the order of `tf.nest`."""
        return list(tensorflow().nest.flatten(self.inputs))


def is_model(operation: Any) -> bool:
    """Return whether an operation in a graph is itself a model."""
    return isinstance(operation, keras3().Model)


def graph_of(model: Any) -> Graph:
    """Read the graph of a Keras 3 model.

    Raises:
        ConversionError: it has none, because it is subclassed or was never built.
    """
    functional = model._functional if isinstance(model, keras3().Sequential) else model
    if functional is None:
        raise ConversionError(
            f"model {model.name} was never built, so it has no input shape", "add a keras.Input first"
        )
    if not hasattr(functional, "_nodes_by_depth"):
        raise ConversionError(
            f"model {model.name} ({type(model).__name__}) is subclassed; what it computes is not in its graph",
            "rewrite it with keras.Sequential or the functional API, and copy the weights with set_weights",
        )
    by_depth = functional._nodes_by_depth
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]
    wanted, needed = {id(tensor) for tensor in functional.outputs}, []
    for node in reversed(nodes):
        if any(id(tensor) in wanted for tensor in node.outputs):
            needed.append(node)
            wanted.update(id(tensor) for tensor in call_tensors(node))
    return Graph(functional._inputs_struct, functional._outputs_struct, needed[::-1])


def call_tensors(node: Any) -> list[Any]:
    """Return the symbolic tensors a call gets, without implicit masks."""
    flat = tensorflow().nest.flatten([list(node.arguments.args), call_kwargs(node)])
    return [item for item in flat if isinstance(item, keras3().KerasTensor)]


def call_kwargs(node: Any) -> dict[str, Any]:
    """Return the keyword arguments of a call, without implicit masks and without those that are None."""
    return {
        key: value for key, value in node.arguments.kwargs.items() if value is not None and not _is_mask(key, value)
    }


def _is_mask(key: str, value: Any) -> bool:
    """Whether an argument is a mask that Keras 3 derived from Embedding or Masking, not one the user computed."""
    keras = keras3()
    if key != "mask" and (not key.endswith("_mask") or key == "attention_mask"):
        return False
    tensors = [item for item in tensorflow().nest.flatten(value) if isinstance(item, keras.KerasTensor)]
    return not any(isinstance(tensor._keras_history.operation, keras.layers.Layer) for tensor in tensors)


def reason(error: Exception) -> str:
    """Return what an exception of Keras or TensorFlow says, on one line, without the colours and the framing."""
    text = str(error).rsplit("Exception encountered: ", 1)[-1]
    text = re.sub(
        r"\x1b\[\d+m|Exception encountered when calling [^\n]*|Arguments received by .*", "", text, flags=re.S
    )
    return " ".join(text.split())[:300] or type(error).__name__
