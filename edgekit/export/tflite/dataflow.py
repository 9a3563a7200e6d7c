"""The main graph of a .tflite file as values: activations and constants, and what their integers stand for."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from edgekit.formats.fixed_batch import builtin_code
from edgekit.formats.tflite.flatbuffer import Damaged, Walker
from edgekit.formats.tflite.graph import parse
from edgekit.formats.types import TfliteModel
from edgekit.formats.values import decode, stored_bytes

_CASTS = ("QUANTIZE", "DEQUANTIZE")
_QUANTIZED = ("INT8", "UINT8", "INT16", "INT4")
_FLOATS = ("FLOAT32", "FLOAT16")

Floats = npt.NDArray[np.float32]


class Dataflow:
    """The main graph of a file.

    QUANTIZE and DEQUANTIZE do not count as computing: the tensor before them is their result's `root`.

    Args:
        flatbuffer: a .tflite file.

    Raises:
        Damaged: indices, offsets or sizes do not fit together.
        Errors of `edgekit.formats.tflite.pack.READING`: tables make no sense.

    Attributes:
        model: the whole file as a `ModelT`, for this object alone.
        kinds: of every operator, such as `CONV_2D`.
        inputs, outputs: tensors of every operator; -1 where an input is left out.
        ends: tensors that are fed, and tensors that are the result.
        made_by: the operator that computes each tensor.
    """

    def __init__(self, flatbuffer: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        parse(flatbuffer, Walker(len(flatbuffer)))
        self.model: TfliteModel = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
        self.schema = schema
        self.graph = self.model.subgraphs[0]
        self.tensors = self.graph.tensors
        names = {number: name for name, number in vars(schema.BuiltinOperator).items() if name[0] != "_"}
        codes = self.model.operatorCodes
        operators = self.graph.operators or []
        self.kinds = [names.get(builtin_code(codes[op.opcodeIndex]), "UNKNOWN") for op in operators]
        self.inputs = [_indices(op.inputs) for op in operators]
        self.outputs = [_indices(op.outputs) for op in operators]
        self.ends = _indices(self.graph.inputs), _indices(self.graph.outputs)
        self.made_by = self._in_order()
        self._dtypes: dict[int, str] = {
            number: name for name, number in vars(schema.TensorType).items() if name[0] != "_"
        }

    def _in_order(self) -> dict[int, int]:
        """Return the operator that computes each tensor; no operator may read what is computed by a later one."""
        made_by: dict[int, int] = {}
        later = {tensor for made in self.outputs for tensor in made}
        for index, (reads, made) in enumerate(zip(self.inputs, self.outputs, strict=True)):
            if later & {*reads}:
                raise Damaged(f"operator {index} reads what is computed behind it")
            later -= {*made}
            made_by.update(dict.fromkeys(made, index))
        return made_by

    def dtype(self, tensor: int) -> str:
        """Return the schema's name of a type, such as `INT8`."""
        return self._dtypes.get(int(self.tensors[tensor].type), "UNKNOWN")

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Return the sizes of one run."""
        shape = self.tensors[tensor].shape
        return () if shape is None else tuple(map(int, shape))

    def scaled(self, tensor: int) -> bool:
        """Return whether a tensor's integers stand for real values, by scales that the file states."""
        how = self.tensors[tensor].quantization
        return how is not None and how.scale is not None and len(how.scale) > 0 and how.details is None

    def quantized(self, tensor: int) -> bool:
        """Return whether a tensor holds real values in 16 bits or fewer."""
        return self.dtype(tensor) in _QUANTIZED and self.scaled(tensor)

    def real(self, tensor: int) -> bool:
        """Return whether a tensor holds real values that can be told, in float32 or quantized."""
        return self.dtype(tensor) == "FLOAT32" or self.quantized(tensor)

    def constant(self, tensor: int) -> bool:
        """Return whether the file holds a tensor's values; they may stand behind DEQUANTIZE."""
        return tensor >= 0 and self.model.buffers[self.tensors[self.root(tensor)].buffer].data is not None

    def activation(self, tensor: int) -> bool:
        """Return whether a tensor is fed or computed, and not from constants alone by DEQUANTIZE."""
        return (tensor in self.made_by or tensor in self.ends[0]) and not self.constant(tensor)

    def in_float(self, tensor: int) -> bool:
        """Return whether a tensor is an activation in float32."""
        return self.activation(tensor) and self.dtype(tensor) == "FLOAT32"

    def casts(self, operator: int) -> bool:
        """Return whether an operator only changes how an activation's values are stored."""
        return self.kinds[operator] in _CASTS and any(map(self.activation, self.inputs[operator][:1]))

    def root(self, tensor: int) -> int:
        """Return the tensor whose values these are, before QUANTIZE and DEQUANTIZE."""
        while (index := self.made_by.get(tensor, -1)) >= 0 and self.kinds[index] in _CASTS:
            if self.inputs[index][:1] in ((), (-1,)):
                break
            tensor = self.inputs[index][0]
        return tensor

    def computed(self, tensor: int) -> int:
        """Return the quantized tensor that a QUANTIZE only gave another scale; without one the tensor itself."""
        while (index := self.made_by.get(tensor, -1)) >= 0 and self.casts(index):
            before = self.inputs[index][0]
            if not self.quantized(tensor) or not self.quantized(before):
                break
            tensor = before
        return tensor

    def step(self, tensor: int) -> tuple[float, int] | None:
        """Return scale and zero point; None where a tensor has none, or several."""
        how = self.tensors[tensor].quantization
        if not self.scaled(tensor) or len(how.scale) != 1:
            return None
        return float(how.scale[0]), int(self._zero_points(tensor)[0])

    def readable(self, tensor: int) -> bool:
        """Return whether a constant is dense and its real values can be told."""
        table, dtype = self.tensors[tensor], self.dtype(tensor)
        data = self.model.buffers[table.buffer].data
        if (
            data is None
            or table.sparsity is not None
            or stored_bytes(dtype.lower(), self._elements(tensor)) != len(data)
        ):
            return False
        if not self.scaled(tensor):
            return dtype in _FLOATS
        scales, axis = len(table.quantization.scale), int(table.quantization.quantizedDimension)
        return dtype not in _FLOATS and (scales == 1 or self.shape(tensor)[axis : axis + 1] == (scales,))

    def values(self, tensor: int) -> Floats | None:
        """Return the real values of a constant, in its shape; None where it is not `readable`."""
        if not self.readable(tensor):
            return None
        table, shape = self.tensors[tensor], self.shape(tensor)
        raw = np.asarray(self.model.buffers[table.buffer].data, np.uint8).tobytes()
        stored = decode(raw, self.dtype(tensor).lower(), self._elements(tensor)).reshape(shape)
        if not self.scaled(tensor):
            return stored.astype(np.float32)
        scale, zero = np.asarray(table.quantization.scale, np.float64), self._zero_points(tensor)
        if len(scale) == 1:
            return np.asarray((stored - zero[0]) * scale[0], np.float32)
        along = [-1 if i == table.quantization.quantizedDimension else 1 for i in range(len(shape))]
        return np.asarray((stored - zero.reshape(along)) * scale.reshape(along), np.float32)

    def _elements(self, tensor: int) -> int:
        return math.prod(self.shape(tensor))

    def _zero_points(self, tensor: int) -> npt.NDArray[np.int64]:
        how = self.tensors[tensor].quantization
        stated = how.zeroPoint if how.zeroPoint is not None and len(how.zeroPoint) else [0]
        return np.broadcast_to(np.asarray(stated, np.int64), (len(how.scale),))


def _indices(vector: npt.NDArray[np.int32] | None) -> tuple[int, ...]:
    return () if vector is None else tuple(int(i) for i in vector)
