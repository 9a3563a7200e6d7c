"""A float .tflite file and the int8 file made of it: `edgekit.export.mixed.quantized` for TFLite."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from edgekit.errors import ConversionError
from edgekit.export.calibration import UNBOUNDED, Ends
from edgekit.export.mixed.quantized import Operator, Which
from edgekit.export.tflite.dataflow import Dataflow, Floats
from edgekit.export.tflite.revertible import revertible
from edgekit.export.tflite.reverting import reverted
from edgekit.export.tflite.saturation import told_apart
from edgekit.export.tflite.twins import twins
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.tflite.flatbuffer import Damaged
from edgekit.formats.tflite.pack import READING
from edgekit.measuring.loaded import Loaded, load_tflite
from edgekit.tasks.samples import Array

_CHANNELS = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0, "CONV_3D": 4, "DEPTHWISE_CONV_2D": 3}
"""The axis of a layer's weights that its channels are on; elsewhere it is the last."""


class TfliteQuantized:
    """A float .tflite file and the int8 file that was made of it; see `edgekit.export.mixed.quantized.Quantized`.

    `traced` and `outputs` run the files in this process: `edgekit.measuring` says who may do that. Without them only
    the flatbuffers are read and written.

    Args:
        float_file: with a batch of one, as the quantizer got it; or one that computes the same with the same weights.
        int8_file: of TensorFlow's quantizer or of litert-quantizer, packed or not.

    Raises:
        ConversionError: a file is damaged.

    Attributes:
        float_file, int8_file: as they were given.
        operators: those that can be reverted, in the order in which they run.
    """

    def __init__(self, float_file: bytes, int8_file: bytes) -> None:
        self.float_file, self.int8_file = float_file, int8_file
        try:
            self._small, self._plain = Dataflow(int8_file), Dataflow(float_file)
            self._twins = twins(self._small, self._plain)
            self._told_apart = told_apart(self._plain.model)
            self.operators = tuple(self._operator(index) for index in revertible(self._small))
        except (*READING, Damaged) as error:
            raise _damaged(error) from error

    def _operator(self, index: int) -> Operator:
        flow = self._small
        made = [i for i in flow.outputs[index] if flow.real(i)] or list(flow.outputs[index])
        return Operator(
            index,
            self._name(made[0]),
            flow.kinds[index],
            tuple(flow.computed(i) for i in flow.inputs[index] if flow.activation(i) and flow.real(i)),
            tuple(i for i in flow.outputs[index] if flow.real(i)),
            sum(len(flow.model.buffers[flow.tensors[i].buffer].data) for _, i in self._int8_constants(index)),
        )

    def _name(self, activation: int) -> str:
        """Return the name of an activation; packed files number theirs, which the float file may have a name for."""
        own = self._small.tensors[activation].name or b""
        twin = self._twins.activations.get(activation)
        name = own if twin is None or not own.isdigit() else self._plain.tensors[twin].name or own
        return name.decode("utf-8", "replace")

    def _int8_constants(self, index: int) -> list[tuple[int, int]]:
        """Return place and number of an operator's int8 constants."""
        flow = self._small
        return [
            (place, i)
            for place, i in enumerate(flow.inputs[index])
            if i >= 0 and flow.dtype(i) == "INT8" and flow.constant(i)
        ]

    def reverted(self, chosen: Collection[int], *, float_weights: bool) -> bytes:
        """Return the int8 file with some operators in float, packed; see `edgekit.export.tflite.reverting`.

        Args:
            chosen: indices of `operators`.
            float_weights: whether their weights, biases and other constants are those of the float file. Else they
                are those of the int8 file, and all but small ones stay int8 in it.

        Raises:
            ValueError: an operator is not among `operators`.
            ConversionError: the file is damaged.
        """
        known = {operator.index for operator in self.operators}
        if unknown := sorted(set(chosen) - known):
            raise ValueError(f"operator {unknown[0]} cannot be reverted")
        try:
            return reverted(self.int8_file, chosen, self._twins, float_weights=float_weights)
        except (*READING, Damaged) as error:
            raise _damaged(error) from error

    def traced(self, which: Which, samples: Sequence[Array]) -> Iterator[Mapping[int, Floats]]:
        """Yield for one sample after the other every activation by its number in the int8 file, in real units.

        Every activation is an output of the file while it runs, so that each has a buffer of its own. Quantized inputs
        are rounded, those of the float file are not.

        Args:
            which: of the two files runs. An activation that the float file does not have is left out.
            samples: one array an input, (n, ...), in the order of the int8 file, in real units.

        Raises:
            RuntimeError, ValueError: the runtime refuses the file or the samples.
        """
        if which == "int8":
            flow, same = self._small, {i: i for i in range(len(self._small.tensors)) if self._small.activation(i)}
        else:
            flow, same = self._plain, self._twins.activations
        same = {number: i for number, i in same.items() if flow.real(i) and not flow.tensors[i].isVariable}
        shown = sorted({i for i in same.values() if i in flow.made_by})
        loaded = _showing(self.float_file if which == "float" else self.int8_file, shown)
        ordered = self._ordered(samples) if which == "float" else samples
        for fed, computed in loaded.stored_rows(ordered):
            stored = dict(zip((*flow.ends[0], *shown), (*fed, *computed), strict=True))
            values = {i: _real(stored[i], flow.step(i)) for i in set(same.values())}
            yield {number: values[i] for number, i in same.items()}

    def _ordered(self, samples: Sequence[Array]) -> list[Array]:
        """Return samples in the order of the float file's inputs."""
        return [samples[self._twins.inputs.index(place)] for place in range(len(samples))]

    def outputs(self, file: bytes, samples: Sequence[Array]) -> list[Array]:
        """Return the outputs of a file made of these, float64 (n, values) each, in real units.

        Those of the float file come in the order of the int8 file. Arguments and errors are those of `traced`.
        """
        loaded = load_tflite(file, os.cpu_count() or 1)
        if file != self.float_file:
            return loaded.real_outputs(samples)
        found = loaded.real_outputs(self._ordered(samples))
        return [found[place] for place in self._twins.outputs]

    def weights(self, operator: Operator) -> tuple[Floats, Floats] | None:
        """Return the largest of an operator's int8 constants, and the float file's: (channels, values of a channel).

        Returns:
            The float one and the int8 one in real units; None where there is none, or the float file's is not known.
        """
        flow = self._small
        found = sorted(self._int8_constants(operator.index), key=lambda one: -np.prod(flow.shape(one[1])))
        twin = self._twins.constants.get((operator.index, found[0][0])) if found else None
        if twin is None:
            return None
        plain, small = self._plain.values(twin), flow.values(found[0][1])
        if plain is None or small is None:
            return None
        axis = min(_CHANNELS.get(operator.kind, plain.ndim - 1), max(plain.ndim - 1, 0))
        return _by_channel(plain, axis), _by_channel(small, axis)

    def step(self, activation: int) -> tuple[float, int] | None:
        """Return scale and zero point of an activation in the int8 file; None where it is not quantized."""
        return self._small.step(activation)

    def told_apart(self, activation: int) -> Ends:
        """Return the ends of what the readers of an activation tell apart."""
        return self._told_apart.get(self._twins.activations.get(activation, -1), UNBOUNDED)


def _showing(file: bytes, tensors: Sequence[int]) -> Loaded:
    """Return a file, loaded, whose outputs are these tensors."""
    flow = Dataflow(file)
    flow.graph.outputs = np.array(tensors, np.int32)
    flow.model.signatureDefs = []
    return load_tflite(rebuilt(flow.model), os.cpu_count() or 1)


def _real(stored: Array, step: tuple[float, int] | None) -> Floats:
    if step is None:
        return stored.astype(np.float32, copy=False)
    scale, zero_point = step
    return (stored.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def _by_channel(values: Floats, axis: int) -> Floats:
    return np.moveaxis(np.atleast_1d(values), axis, 0).reshape(values.shape[axis] if values.ndim else 1, -1)


def _damaged(error: Exception) -> ConversionError:
    return ConversionError(
        f"mixed precision: a .tflite file is cut off or damaged: {str(error)[:200]}",
        "convert the model again",
        code="file-damaged",
    )
