"""A model that can be run and exported, but not trained: a SavedModel's function, or a Keras model as a whole.

`PlainModel` has what the exporters and the checks need of a tf_keras model, so that post-training schemes work where
layers cannot be looked into.
"""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np

from edgekit.errors import EdgekitError, InputError
from edgekit.formats.steps import Step
from edgekit.frameworks.tensorflow import keras3, quiet, tensorflow
from edgekit.frameworks.types import Function, KerasModel, SymbolicTensor, Tensor, TensorFunction, Tensors, Variable
from edgekit.models.bridge.graph import reason
from edgekit.models.files.leading import leading
from edgekit.models.files.structure import names_of
from edgekit.processes.child import memory_for, too_much
from edgekit.processes.watchdog import watched
from edgekit.tasks.samples import Array, ModelInputs, Outputs

BATCH = 32
FIRST_SECONDS, BATCH_SECONDS = 120.0, 1800.0
"""How long a model may compute one sample of zeros, and a batch: a loop in a stranger's graph may have no end."""


@dataclass(frozen=True)
class PlainModel:
    """A function of tensors with variables.

    Attributes:
        name: of the model.
        inputs: tf.TensorSpec of every input, the batch first: None, or 1.
        outputs: the same of every output.
        input_names, output_names: in the same order.
        variables: tf.Variable objects that the function reads.
        call: maps the inputs, a list, to a list of outputs; usable inside a tf.function.
        kept: a trackable object that owns what the function needs besides variables, such as tables; None if nothing.
    """

    name: str
    inputs: list[SymbolicTensor]
    outputs: list[SymbolicTensor]
    input_names: list[str]
    output_names: list[str]
    variables: list[Variable]
    call: TensorFunction
    kept: object = None
    _compiled: list[Function] = field(default_factory=list, repr=False)
    _steps: list[list[list[Step]]] = field(default_factory=list, repr=False)

    @property
    def weights(self) -> list[Variable]:
        """The same as `variables`: there is no telling them apart."""
        return self.variables

    def leading(self) -> list[list[Step]]:
        """Return the first operations behind every input."""
        if not self._steps:
            self._steps.append(leading(self.call, self.inputs))
        return self._steps[0]

    def count_params(self) -> int:
        """Return how many numbers the floating-point variables hold."""
        return sum(prod(variable.shape) for variable in self.variables if variable.dtype.is_floating)

    def __call__(self, inputs: Tensors, training: bool = False) -> Tensors:
        """Run the model on tensors: one, or a list; a single output is returned as it is."""
        if training:
            raise InputError(
                f"{self.name}: not trainable", "use a recipe without training stages", code="source-not-trainable"
            )
        outputs = self.call(list(inputs) if isinstance(inputs, (list, tuple)) else [inputs])
        return outputs[0] if len(outputs) == 1 else outputs

    def predict(self, x: ModelInputs, verbose: int = 0, batch_size: int = BATCH) -> Outputs:
        """Run the model on samples.

        Args:
            x: an array (n, ...), or a list of one for every input; converted to the types the model takes.
            verbose: not looked at; tf_keras has it.
            batch_size: samples at a time, if the model takes several.

        Returns:
            float32 (n, ...), or a list of such.
        """
        tf = tensorflow()
        given = list(x) if isinstance(x, (list, tuple)) else [x]
        step = batch_size if self.inputs[0].shape[0] is None else 1
        if not self._compiled:
            self._compiled.append(tf.function(self.call, reduce_retracing=True))
        parts: list[list[Array]] = [[] for _ in self.outputs]
        for start in range(0, len(given[0]), step):
            batch = [
                tf.cast(tf.convert_to_tensor(part[start : start + step]), spec.dtype)
                for part, spec in zip(given, self.inputs, strict=True)
            ]
            with limited(self.name, BATCH_SECONDS):
                outputs = self._compiled[0](batch)
            for collected, output in zip(parts, outputs, strict=True):
                collected.append(output.numpy().astype(np.float32))
        whole = [np.concatenate(collected) for collected in parts]
        return whole[0] if len(whole) == 1 else whole


def plain_of_keras(model: KerasModel, name: str) -> PlainModel:
    """Wrap a built Keras 2 or Keras 3 model.

    Raises:
        InputError: its inputs are not known, or no tensors of numbers.
    """
    tf, keras = tensorflow(), keras3()
    structure, symbols = _inputs_of(model, name)
    specs = [tf.TensorSpec(tuple(s.shape), str(tf.as_dtype(s.dtype).name), name=s.name) for s in symbols]

    def call(inputs: list[Tensor]) -> list[Tensor]:
        return list(tf.nest.flatten(model(keras.tree.pack_sequence_as(structure, inputs), training=False)))

    variables = [variable.value if isinstance(variable, keras.Variable) else variable for variable in model.variables]
    output_names = list(getattr(model, "output_names", None) or [])
    outputs = getattr(model, "_outputs_struct", None)
    output_names = output_names if outputs is None else names_of(outputs, output_names)
    return plain(name, specs, names_of(structure, [spec.name for spec in specs]), output_names, variables, call)


def _inputs_of(model: KerasModel, name: str) -> tuple[Tensors, list[SymbolicTensor]]:
    """Return what a model is called with, and the same as a flat list of things with a shape, a dtype and a name."""
    tf = tensorflow()
    structure = getattr(model, "_inputs_struct", None)
    if structure is None and getattr(model, "inputs", None):
        structure = model.inputs if len(model.inputs) > 1 else model.inputs[0]
    if structure is None:  # a subclassed model, which knows the shape it was built for
        config = model.get_build_config() or {}
        shape = config.get("input_shape") or next(iter((config.get("shapes_dict") or {}).values()), None)
        if not shape or not all(size is None or isinstance(size, int) for size in shape):
            raise InputError(
                f"{name}: the model has no input shape",
                "call it on one sample, then save it again",
                code="input-unsupported",
            )
        structure = tf.TensorSpec((None, *shape[1:]), tf.float32, name="input")
    flat = tf.nest.flatten(structure)
    return structure, flat


def plain(
    name: str,
    inputs: Sequence[SymbolicTensor],
    input_names: Sequence[str],
    output_names: Sequence[str],
    variables: list[Variable],
    call: TensorFunction,
    kept: object = None,
) -> PlainModel:
    """Make a `PlainModel`; its outputs are looked at by running it on zeros, if its inputs have sizes.

    Args:
        name: for messages.
        inputs: tf.TensorSpec of every input.
        input_names: in the same order.
        output_names: in the order of the outputs; others are made up if there are too few.
        variables: see `PlainModel`, as for the next two.
        call: of a list of inputs.
        kept: what else the function needs.

    Raises:
        InputError: an input that is no batch of numbers, or the function fails.
    """
    for spec, own in zip(inputs, input_names, strict=True):
        _check_input(name, own, spec)
    outputs = [] if any(_is_open(spec) for spec in inputs) else _outputs(name, inputs, call)
    names = list(output_names)
    if outputs and len(names) != len(outputs):
        names = [f"output_{i}" for i in range(len(outputs))]
    return PlainModel(name, list(inputs), outputs, list(input_names), names, variables, call, kept)


def _check_input(name: str, own: str, spec: SymbolicTensor) -> None:
    if not (spec.dtype.is_floating or spec.dtype.is_integer):
        raise InputError(
            f"{name}: input `{own}` takes `{spec.dtype.name}`, expected numbers",
            "save the part of the model that takes numbers; `--scale`, `--mean` and `--std` prepare samples",
            code="input-unsupported",
        )
    if spec.shape.rank is None or (spec.shape.rank and spec.shape[0] not in (None, 1)):
        raise InputError(
            f"{name}: input `{own}` has shape {spec.shape}, expected a batch first that is unknown or 1",
            "save the model with a fixed input shape",
            code="input-unsupported",
        )


def _is_open(spec: SymbolicTensor) -> bool:
    """Return whether an input has no size yet: axes behind the batch are unknown, or it is a bare number."""
    return spec.shape.rank == 0 or None in tuple(spec.shape)[1:]


@contextmanager
def limited(name: str, seconds: float) -> Iterator[None]:
    """Stop what TensorFlow computes in the block when it takes too long, or too much memory.

    Raises:
        InputError: it did.
        RunnerError: it took too much memory.
    """
    from tensorflow.python.eager import cancellation

    manager = cancellation.CancellationManager()
    memory = memory_for()
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _data_bytes() + memory
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    late = threading.Event()  # the manager itself is cancelled by any error, too
    try:
        with (
            watched(os.getpid(), seconds, manager.start_cancel) as late,
            cancellation.CancellationManagerContext(manager),
        ):
            yield
    except Exception as error:
        if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
            raise too_much(f"{name}: running it on one sample", memory) from error
        if late.is_set():
            raise InputError(
                f"{name}: still running after {seconds:g} s: its graph may contain an endless loop",
                "save the model again without the loop",
                code="child-timeout",
            ) from error
        raise
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int:
    """Return how much memory of this process counts for RLIMIT_DATA."""
    pages = Path("/proc/self/statm").read_text().split()[5]
    return int(pages) * resource.getpagesize()


def _outputs(name: str, inputs: Sequence[SymbolicTensor], call: TensorFunction) -> list[SymbolicTensor]:
    """Return tf.TensorSpec of the outputs of one sample of zeros, with an unknown batch."""
    tf = tensorflow()
    try:
        with quiet(), limited(name, FIRST_SECONDS):
            outputs = call([tf.zeros((1, *spec.shape[1:]), spec.dtype) for spec in inputs])
    except EdgekitError:
        raise
    except Exception as error:  # whatever the function is made of
        raise InputError(
            f"{name}: fails on a sample of zeros: {reason(error)}",
            "run it on a sample in TensorFlow, then save it again",
            code="model-fails",
        ) from error
    if not outputs:
        raise InputError(f"{name}: has no outputs", "save it again with outputs", code="nothing-to-compress")
    batch = inputs[0].shape[0]
    return [tf.TensorSpec((batch, *output.shape[1:]), output.dtype) for output in outputs]
