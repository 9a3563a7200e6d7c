"""A Keras 3 model as a Keras 2 (`tf_keras`) model: layer by layer, weights copied, outputs proved equal.

TensorFlow Model Optimization works on Keras 2 models only, and Keras 2 cannot read Keras 3 files.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from edgekit.errors import ConversionError
from edgekit.frameworks.tensorflow import keras3, tensorflow, tf_keras
from edgekit.frameworks.types import KerasLayer, KerasModel, KerasNode, SymbolicTensor, Tensors
from edgekit.models.bridge.graph import Graph, call_kwargs, graph_of, is_model, reason
from edgekit.models.bridge.layers import NOT_FLOAT32, Translated, Unsupported, is_left_out, translate
from edgekit.models.bridge.op_shapes import Apply
from edgekit.models.bridge.ops import translate_op
from edgekit.models.bridge.proof import Pair, prove
from edgekit.models.keras.proof import Proof
from edgekit.progress import Progress

NEXT_STEP = (
    "use layers that exist in Keras 2, or build and save the model with tf_keras (TF_USE_LEGACY_KERAS=1); "
    "post-training schemes need no Keras 2 form: write model.export('FOLDER') in Keras 3, and give edgekit the folder"
)

LEFT_OUT = Translated(None, copy_weights=False)
"""A layer, or a nested model of such layers, that does nothing at inference."""


@dataclass(frozen=True)
class Bridged:
    """A model rebuilt in the other generation of Keras.

    Attributes:
        model: a functional model with the same names and weights, not compiled.
        proof: how equal its outputs are.
        notes: what was left out or changed on the way, sentences.
    """

    model: KerasModel
    proof: Proof
    notes: list[str]


def bridge(source: KerasModel, progress: Progress) -> Bridged:
    """Rebuild a Keras 3 model in Keras 2 and prove that it computes the same.

    Args:
        source: a Sequential or functional Keras 3 model. Half-precision policies in it are set to float32.
        progress: gets what was left out.

    Raises:
        ConversionError: layers without a Keras 2 form, all of them named; or outputs that differ, with the first layer
            that differs.
    """
    work = _Work()
    work.to_float32(source)
    work.translate_model(source, "")
    if work.problems:
        listed = "; ".join(f"{', '.join(names)}: {why}" for why, names in work.problems.items())
        raise ConversionError(
            f"model `{source.name}` cannot be expressed in Keras 2: {listed}", NEXT_STEP, code="keras-form-missing"
        )
    target = work.wire(source)
    for note in work.notes:
        progress.notify(note)
    proof = prove(source, target, work.pairs)
    return Bridged(target, proof, work.notes)


def copy_weights(source: KerasLayer, target: KerasLayer) -> None:
    """Copy the variables of one Keras 3 layer into its Keras 2 counterpart; both list them in the same order."""
    values = source.get_weights()
    if type(source).__name__ != type(target).__name__:  # a layer of another class, and so of another shape
        values = [value.reshape(weight.shape) for value, weight in zip(values, target.weights, strict=True)]
    target.set_weights(values)


@dataclass
class _Work:
    """One run of the bridge; the keys of all dicts are `id()`s of Keras 3 objects that `source` keeps alive."""

    problems: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    graphs: dict[int, Graph] = field(default_factory=dict)
    layers: dict[int, Translated] = field(default_factory=dict)
    operations: dict[int, Apply] = field(default_factory=dict)
    models: dict[int, KerasModel] = field(default_factory=dict)
    pairs: dict[int, list[Pair]] = field(default_factory=dict)

    def to_float32(self, source: KerasModel) -> None:
        """Let every layer compute in float32, so that both sides can be compared, and quantized later."""
        changed = set()
        for layer in source._flatten_layers():
            policy = layer.dtype_policy
            if policy.compute_dtype in NOT_FLOAT32 and getattr(policy, "quantization_mode", None) is None:
                changed.add(policy.name)
                layer.dtype_policy = "float32"
        if changed:
            self.note(f"Layers with the dtype policy {', '.join(sorted(changed))} compute in float32 now")

    def translate_model(self, model: KerasModel, path: str) -> None:
        """Make all layers of a model, and collect what cannot be made."""
        if id(model) in self.graphs:
            return
        graph = self.graphs[id(model)] = graph_of(model)
        for tensor in graph.flat_inputs:
            if getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False) or tensor.dtype == "string":
                self.problem("sparse, ragged and string inputs have no int8 form", f"{path}{tensor.name} (Input)")
        for node in graph.nodes:
            operation = node.operation
            if id(operation) in self.layers or id(node) in self.operations:
                continue
            try:
                self.translate_node(node, path)
            except (Unsupported, ConversionError) as why:
                self.problem(str(why), f"{path}{operation.name} ({type(operation).__name__})")

    def translate_node(self, node: KerasNode, path: str) -> None:
        """Make the layer of one call."""
        operation = node.operation
        name = self.valid(operation.name)
        default = inspect.signature(operation.call).parameters.get("training")
        if node.arguments.kwargs.get("training") is True and default is not None and default.default is not True:
            raise Unsupported("it is called with training=True, so it would act at random, or on batches, at inference")
        if is_model(operation):
            self.translate_model(operation, f"{path}{operation.name}/")
            inside = [self.layers.get(id(n.operation)) for n in self.graphs[id(operation)].nodes]
            if all(layer == LEFT_OUT for layer in inside):
                self.layers[id(operation)] = LEFT_OUT
        elif not isinstance(operation, keras3().layers.Layer):
            self.operations[id(node)] = translate_op(node, name)
        elif is_left_out(operation):
            self.note(f"{path}{operation.name} ({type(operation).__name__}) is left out: it acts in training only")
            cast = str(node.outputs[0].dtype) != str(node.input_tensors[0].dtype)
            rescale = Translated(tf_keras().layers.Rescaling(1.0, name=name), copy_weights=False) if cast else LEFT_OUT
            self.layers[id(operation)] = rescale
        else:
            self.layers[id(operation)] = translate(operation, name, self.nested(f"{path}{operation.name}/"))

    def nested(self, path: str) -> Callable[[KerasLayer, str], KerasLayer]:
        """Return a function that makes what is inside a wrapper layer."""

        def make(source: KerasLayer, name: str) -> KerasLayer:
            if is_model(source):
                before = sum(map(len, self.problems.values()))
                self.translate_model(source, path)
                if sum(map(len, self.problems.values())) > before:
                    raise Unsupported("see the parts inside it")
                return self.wire(source)
            try:
                inner = translate(source, self.valid(name), self.nested(path))
            except Unsupported as why:
                raise Unsupported(f"{source.name} ({type(source).__name__}) inside it: {why}") from None
            if inner.then is not None:
                raise Unsupported(f"the activation of {source.name} inside it does not exist in Keras 2")
            return inner.layer

        return make

    def wire(self, model: KerasModel) -> KerasModel:
        """Connect the layers of a model and copy their weights."""
        if id(model) in self.models:
            return self.models[id(model)]
        graph, layers = self.graphs[id(model)], tf_keras().layers
        tensors: dict[int, SymbolicTensor] = {}
        for tensor in graph.flat_inputs:
            name = self.valid(tensor._keras_history.operation.name)
            tensors[id(tensor)] = layers.Input(batch_shape=tuple(tensor.shape), dtype=str(tensor.dtype), name=name)
        pairs: list[Pair] = []
        for node in graph.nodes:
            operation = node.operation
            try:
                outputs = tensorflow().nest.flatten(self.call(node, tensors))
            except (ValueError, TypeError, NotImplementedError) as error:
                raise ConversionError(
                    f"`{operation.name}` ({type(operation).__name__}) cannot be called in Keras 2: {reason(error)}",
                    NEXT_STEP,
                    code="keras-form-missing",
                ) from error
            tensors.update(zip(map(id, node.outputs), outputs, strict=True))
            pairs += [Pair(operation, old, new) for old, new in zip(node.outputs, outputs, strict=True)]
        self.copy(graph)
        find = tensorflow().nest.map_structure
        inputs, outputs = (find(lambda t: tensors[id(t)], part) for part in (graph.inputs, graph.outputs))
        try:
            target = self.models[id(model)] = tf_keras().Model(inputs, outputs, name=self.valid(model.name))
        except ValueError as error:
            raise ConversionError(
                f"model `{model.name}` cannot be built in Keras 2: {reason(error)}",
                NEXT_STEP,
                code="keras-form-missing",
            ) from error
        self.pairs[id(model)] = pairs
        return target

    def call(self, node: KerasNode, tensors: dict[int, SymbolicTensor]) -> Tensors:
        """Repeat one call on Keras 2 tensors."""
        operation = node.operation
        if id(node) in self.operations:
            return self.operations[id(node)]([tensors[id(t)] for t in node.input_tensors])
        args, _ = node.arguments.fill_in(tensors)
        kwargs = tensorflow().nest.map_structure(
            lambda item: tensors[id(item)] if isinstance(item, keras3().KerasTensor) else item, call_kwargs(node)
        )
        if not args:  # the first argument has other names in Keras 2
            args = (kwargs.pop(next(iter(kwargs))),)
        if id(operation) not in self.layers:
            return self.wire(operation)(*args, **kwargs)
        translated = self.layers[id(operation)]
        if translated.layer is not None:
            accepted = inspect.signature(translated.layer.call).parameters
            kwargs = {key: value for key, value in kwargs.items() if key in accepted or value is not False}
        return translated(*args, **kwargs)

    def copy(self, graph: Graph) -> None:
        """Copy the weights of the layers that are called in a graph; nested models have copied theirs."""
        for operation in {id(node.operation): node.operation for node in graph.nodes}.values():
            translated = self.layers.get(id(operation))
            if translated is None or not translated.copy_weights or is_model(getattr(operation, "layer", None)):
                continue
            try:
                copy_weights(operation, translated.layer)
            except ValueError as error:
                raise ConversionError(
                    f"the weights of `{operation.name}` ({type(operation).__name__}) do not fit its Keras 2 form: "
                    f"{reason(error)}",
                    NEXT_STEP,
                    code="keras-form-missing",
                ) from error

    def valid(self, name: str) -> str:
        """Return a name that TensorFlow accepts."""
        good = re.sub(r"[^A-Za-z0-9_.>-]", "_", name)
        good = good if re.match(r"[A-Za-z0-9.]", good) else f"x{good}"
        if good != name:
            self.note(f"{name!r} is called {good!r} now: TensorFlow does not accept the name")
        return good

    def problem(self, why: str, name: str) -> None:
        """Remember what stands in the way, once for a layer that is called several times."""
        names = self.problems.setdefault(why, [])
        if name not in names:
            names.append(name)

    def note(self, sentence: str) -> None:
        """Remember what was left out or changed, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)
