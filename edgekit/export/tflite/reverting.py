"""int8 .tflite files in which chosen operators compute in float32.

A chosen operator reads its int8 activations behind DEQUANTIZE, one a tensor. Where an int8 operator or an output of the
graph reads what it computes, QUANTIZE stands behind it, with the scale and zero point that the tensor had. Between two
operators in float a tensor is neither rounded nor clipped: a QUANTIZE that only changes scales there is left out, and
operators that only move values, such as RESHAPE, compute in float with them.

int8 weights stay as they are, behind a DEQUANTIZE of the constant. ai-edge-litert folds it: XNNPACK on loading the
file, the kernels without it in the first inference. So it takes no time, but the memory of the float weights, and as
much again while XNNPACK packs them. TensorFlow Lite Micro computes it wrongly where weights have a scale a channel
(`edgekit.formats.tflite.microcontrollers`): there the weights must be float32.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import copy

import numpy as np

from edgekit.export.tflite.dataflow import Dataflow, Floats
from edgekit.export.tflite.revertible import revertible, with_moved
from edgekit.export.tflite.tables import (
    drop_unused,
    drop_unused_tensors,
    exact_operator_code,
    operator_code,
    require_runtime,
)
from edgekit.export.tflite.twins import Twins
from edgekit.formats.fixed_batch import builtin_code
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.tflite.pack import pack
from edgekit.formats.types import TfliteObject

SMALL = 32
"""A constant with fewer values takes fewer bytes as float32 than with an operator that makes float32 of it."""
_PER_CHANNEL = 5, (2, 7, 0)
"""The first version of DEQUANTIZE that takes a scale a channel, and of TensorFlow Lite that has it."""


def reverted(flatbuffer: bytes, chosen: Collection[int], twins: Twins | None = None, *, float_weights: bool) -> bytes:
    """Return an int8 file with some operators in float32, packed; without any, its bytes as they are.

    Args:
        flatbuffer: a .tflite file with int8 activations.
        chosen: of what `revertible` returns.
        twins: what of it is what of the float file.
        float_weights: whether these operators get the constants of the float file, where its are known.

    Raises:
        ValueError: an operator cannot be reverted.
        Damaged, or errors of `edgekit.formats.tflite.pack.READING`: the file makes no sense.
    """
    return pack(unpacked(flatbuffer, chosen, twins, float_weights=float_weights)) if chosen else flatbuffer


def unpacked(flatbuffer: bytes, chosen: Collection[int], twins: Twins | None = None, *, float_weights: bool) -> bytes:
    """Return the same, as `reverted`, but not packed: its tensors keep the names that the converter gave them."""
    flow = Dataflow(flatbuffer)
    if impossible := sorted(set(chosen) - set(revertible(flow))):
        raise ValueError(f"operator {impossible[0]} cannot be reverted")
    _Surgery(flow, with_moved(flow, chosen), twins, float_weights).perform()
    drop_unused_tensors(flow.model)
    drop_unused(flow.model)
    return rebuilt(flow.model)


class _Surgery:
    """Writes the operators of a graph anew, one after the other.

    Attributes of an instance:
        _lost: quantized tensors whose values now are computed in float, and the float tensor that holds them.
        _opened: quantized tensors that stay, and the float tensor behind their DEQUANTIZE.
        _before: what a QUANTIZE that stays reads, by the tensor that it makes.
        _instead: float tensors that were behind a DEQUANTIZE of a lost tensor, and what holds the values now.
        _constants: float tensors made of constants, by the number of that in the int8 or in the float file.
    """

    def __init__(self, flow: Dataflow, chosen: Collection[int], twins: Twins | None, float_weights: bool) -> None:
        self._flow, self._chosen, self._twins, self._float_weights = flow, chosen, twins, float_weights
        self._done: list[TfliteObject] = []
        self._lost: dict[int, int] = {}
        self._opened: dict[int, int] = {}
        self._before: dict[int, int] = {}
        self._instead: dict[int, int] = {}
        self._constants: dict[tuple[int | None, int | None], int] = {}
        self._names = {tensor.name for tensor in flow.tensors}

    def perform(self) -> None:
        """Change the model."""
        flow, graph = self._flow, self._flow.graph
        for index, operator in enumerate(list(graph.operators)):
            if flow.casts(index):
                self._cast(operator, flow.inputs[index][0], flow.outputs[index][0])
            elif index in self._chosen:
                self._in_float(operator, index)
            else:
                self._as_it_is(operator, flow.inputs[index])
        graph.outputs = np.array([self._here(i) for i in flow.ends[1]], np.int32)
        for signature in flow.model.signatureDefs or []:
            for entry in (signature.outputs or []) if signature.subgraphIndex == 0 else []:
                entry.tensorIndex = self._here(int(entry.tensorIndex))
        graph.operators = self._live()

    def _cast(self, operator: TfliteObject, source: int, target: int) -> None:
        """Write a QUANTIZE or DEQUANTIZE that was there, or do without it."""
        values = self._lost.get(source, self._instead.get(source))
        if self._flow.dtype(target) == "FLOAT32":
            values = self._opened.get(source) if values is None else values
            if values is not None:
                self._instead[target] = values
            else:
                self._opened[source] = target
                self._done.append(operator)
        elif values is not None:
            self._quantized(values, target)
        else:
            self._before[target] = source
            self._done.append(operator)

    def _as_it_is(self, operator: TfliteObject, inputs: Collection[int]) -> None:
        operator.inputs = np.array([self._here(i) for i in inputs], np.int32)
        self._done.append(operator)

    def _in_float(self, operator: TfliteObject, index: int) -> None:
        flow = self._flow
        inputs = []
        for place, tensor in enumerate(flow.inputs[index]):
            if tensor >= 0 and flow.scaled(tensor) and flow.model.buffers[flow.tensors[tensor].buffer].data is not None:
                inputs.append(self._constant(index, place, tensor))
            else:
                inputs.append(self._opening(tensor) if tensor >= 0 and flow.quantized(tensor) else self._here(tensor))
        made = {i: self._float_tensor(i) for i in flow.outputs[index] if flow.quantized(i)}
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([made.get(i, i) for i in flow.outputs[index]], np.int32)
        options = operator.builtinOptions
        if hasattr(options, "asymmetricQuantizeInputs"):  # of int8 weights with float activations
            options.asymmetricQuantizeInputs = False
        if hasattr(options, "quantizedBiasType"):
            options.quantizedBiasType = flow.schema.TensorType.FLOAT32
        self._use_float_version(operator, index)
        self._done.append(operator)
        for quantized, values in made.items():
            self._quantized(values, quantized)

    def _use_float_version(self, operator: TfliteObject, index: int) -> None:
        """Give an operator the version that the float file has it in."""
        twins = self._twins
        if twins is not None and index in twins.operators:
            model, plain = self._flow.model, twins.plain
            code = plain.model.operatorCodes[plain.graph.operators[twins.operators[index]].opcodeIndex]
            operator.opcodeIndex = exact_operator_code(model, self._flow.schema, builtin_code(code), code.version)

    def _here(self, tensor: int) -> int:
        """Return what holds a tensor's values now, in the same type."""
        return self._instead.get(tensor, tensor)

    def _opening(self, tensor: int) -> int:
        """Return the float tensor that holds the values of a quantized activation, behind a DEQUANTIZE if it must."""
        while tensor not in self._lost and tensor in self._before:
            tensor = self._before[tensor]
        if self._flow.dtype(tensor) == "FLOAT32":
            return self._here(tensor)
        if tensor in self._lost:
            return self._lost[tensor]
        if tensor not in self._opened:
            self._opened[tensor] = self._dequantized(tensor)
        return self._opened[tensor]

    def _quantized(self, values: int, target: int) -> None:
        """Compute a quantized tensor of a float one; what reads it in float reads that one."""
        self._lost[target] = values
        self._add("QUANTIZE", 1, values, target)

    def _dequantized(self, source: int) -> int:
        """Return a new tensor behind a DEQUANTIZE."""
        target = self._float_tensor(source)
        per_channel = len(self._flow.tensors[source].quantization.scale) > 1
        self._add("DEQUANTIZE", _PER_CHANNEL[0] if per_channel else 2, source, target)
        if per_channel:
            require_runtime(self._flow.model, _PER_CHANNEL[1])
        return target

    def _add(self, kind: str, version: int, source: int, target: int) -> None:
        schema = self._flow.schema
        code = operator_code(self._flow.model, schema, getattr(schema.BuiltinOperator, kind), version)
        self._done.append(schema.OperatorT(opcodeIndex=code, inputs=[source], outputs=[target]))

    def _constant(self, index: int, place: int, tensor: int) -> int:
        """Return the float tensor that takes the place of a constant."""
        twin = self._twins.constants.get((index, place)) if self._twins is not None and self._float_weights else None
        key = (tensor, None) if twin is None else (None, twin)
        if key not in self._constants:
            self._constants[key] = self._new_constant(tensor, twin)
        return self._constants[key]

    def _new_constant(self, tensor: int, twin: int | None) -> int:
        flow = self._flow
        values: Floats | None = None if twin is None or self._twins is None else self._twins.plain.values(twin)
        if values is None:
            if flow.dtype(tensor) == "INT8" and np.prod(flow.shape(tensor)) >= SMALL:
                return self._dequantized(tensor)
            values = flow.values(tensor)
        assert values is not None  # `revertible` saw that it is readable
        made = self._float_tensor(tensor)
        flow.model.buffers.append(flow.schema.BufferT(data=np.frombuffer(values.astype("<f4").tobytes(), np.uint8)))
        flow.tensors[made].buffer = len(flow.model.buffers) - 1
        return made

    def _float_tensor(self, like: int) -> int:
        """Return a new float tensor, named after another."""
        flow = self._flow
        made = copy(flow.tensors[like])
        made.type, made.quantization, made.buffer = flow.schema.TensorType.FLOAT32, None, 0
        made.name = base = (made.name or b"tensor") + b"_float"
        number = 1
        while made.name in self._names:
            number += 1
            made.name = b"%s_%d" % (base, number)
        self._names.add(made.name)
        flow.tensors.append(made)
        return len(flow.tensors) - 1

    def _live(self) -> list[TfliteObject]:
        """Return the operators but for each QUANTIZE and DEQUANTIZE whose result nothing reads."""
        flow = self._flow
        kinds = {getattr(flow.schema.BuiltinOperator, kind) for kind in ("QUANTIZE", "DEQUANTIZE")}
        read = {int(i) for i in flow.graph.outputs}
        kept = []
        for operator in reversed(self._done):
            code = builtin_code(flow.model.operatorCodes[operator.opcodeIndex])
            if code not in kinds or read & {int(i) for i in operator.outputs}:
                kept.append(operator)
                read |= {int(i) for i in operator.inputs}
        return kept[::-1]
