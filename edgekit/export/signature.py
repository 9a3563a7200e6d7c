"""The model as a function of one sample, saved for the exporters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekit.errors import ConversionError
from edgekit.formats.identifiers import identifiers
from edgekit.frameworks.tensorflow import quiet, tensorflow, tf_keras
from edgekit.frameworks.types import Function, KerasModel, Tensor


class Signature:
    """A tf_keras or plain model as a `tf.function` with named inputs and outputs and a batch of exactly one.

    The fixed batch keeps shape arithmetic out of the files: every dimension is a constant, which is what
    microcontrollers and NPU compilers need.

    Attributes:
        inputs: tf.TensorSpec of every input, in the model's order.
        output_names: in the model's order.
        function: maps the inputs to a dict of outputs.
        keeps_loops: whether the converter leaves loops in it; None until that was tried.
    """

    def __init__(self, model: KerasModel) -> None:
        tf = tensorflow()
        names = identifiers(model.input_names)
        self.inputs = []
        for name, tensor in zip(names, model.inputs, strict=True):
            shape = (1, *tensor.shape[1:])
            if None in shape:
                raise ConversionError(
                    f"input `{name}` has shape {tuple(tensor.shape)}: expected a size for every axis but the batch",
                    "build the model with a fixed input shape",
                    code="input-size-unknown",
                )
            self.inputs.append(tf.TensorSpec(shape, tensor.dtype, name=name))
        self.output_names = identifiers(model.output_names)
        self.keeps_loops: bool | None = None
        self._model = model
        self.function: Function = tf.function(self._call, input_signature=self.inputs)

    def _call(self, *inputs: Tensor) -> dict[str, Tensor]:
        with _grouped_convolutions_in_the_graph():
            outputs = self._model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
        return dict(zip(self.output_names, tensorflow().nest.flatten(outputs), strict=True))

    def has_loops(self) -> bool:
        """Return whether the graph holds loops, as recurrent layers make them."""
        graph = self.function.get_concrete_function(*self.inputs).graph.as_graph_def()
        nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
        return any(node.op in ("While", "StatelessWhile") for node in nodes)

    def save(self, folder: Path) -> None:
        """Write a SavedModel with the signature `serving_default`."""
        tf = tensorflow()
        module = tf.Module()
        module.variables_of_model = self._model.variables
        module.kept = getattr(self._model, "kept", None)
        concrete = self.function.get_concrete_function(*self.inputs)
        with quiet():
            tf.saved_model.save(module, str(folder), signatures={"serving_default": concrete})


@contextmanager
def _grouped_convolutions_in_the_graph() -> Iterator[None]:
    """Trace grouped convolutions as they are: Keras 2 wraps them in a function for XLA, which tf2onnx cannot read."""
    wrapped = "_jit_compiled_convolution_op"
    owner = next(base for base in tf_keras().layers.Conv2D.__mro__ if wrapped in vars(base))
    before = vars(owner)[wrapped]
    setattr(owner, wrapped, lambda layer, inputs, kernel: layer.convolution_op(inputs, kernel))
    try:
        yield
    finally:
        setattr(owner, wrapped, before)
