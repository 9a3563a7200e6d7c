"""The first operations of a TensorFlow function, behind each of its inputs: of SavedModels and what has no layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.formats.steps import Step, arithmetic, follow, normalising, reverses
from edgekit.frameworks.tensorflow import quiet, tensorflow
from edgekit.frameworks.types import Operation, SymbolicTensor, Tensor, TensorFunction
from edgekit.tasks.samples import Array

_ARITHMETIC = {
    **{"Add": "add", "AddV2": "add", "BiasAdd": "add", "Sub": "subtract", "Mul": "multiply"},
    **{"RealDiv": "divide", "Div": "divide"},
}
_NEUTRAL = (
    *("Cast", "Identity", "Reshape", "Transpose", "Pad", "PadV2", "MirrorPad", "Squeeze", "ExpandDims", "AvgPool"),
    *("MaxPool", "ResizeBilinear", "ResizeNearestNeighbor", "EnsureShape", "StopGradient", "Slice"),
)
_WEIGHTS = ("Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2", "Conv2DBackpropInput")
_SOURCES = ("Const", "Shape")


def leading(call: TensorFunction, inputs: Sequence[SymbolicTensor]) -> list[list[Step]]:
    """Return the first operations behind every input; empty lists where the graph cannot be had.

    Args:
        call: maps a list of tensors to a list of tensors.
        inputs: tf.TensorSpec of every input.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    tf = tensorflow()
    try:
        with quiet():
            concrete = tf.function(call, autograph=False).get_concrete_function(list(inputs))
            frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    except Exception:  # a graph that cannot be frozen tells nothing, and is not needed
        return [[] for _ in inputs]

    def users(tensor: Tensor) -> list[Operation]:
        return [operation for operation in tensor.consumers() if operation.type not in _SOURCES]

    def step(operation: Operation, tensor: Tensor) -> tuple[Step, Tensor]:
        return _step(operation, tensor), operation.outputs[0] if operation.outputs else None

    return [follow(tensor, users, step) for tensor in frozen.inputs[: len(inputs)]]


def _step(operation: Operation, tensor: Tensor) -> Step:
    name, operands = operation.type, list(operation.inputs)
    others = [_constant(other) for other in operands if other is not tensor]
    if name in _ARITHMETIC and len(others) == 1 and others[0] is not None and others[0].dtype.kind == "f":
        return arithmetic(name, _ARITHMETIC[name], others[0], swapped=operands[0] is not tensor)
    if name.startswith("FusedBatchNorm") and len(operands) == 5:
        return normalising(name, _constant(operands[3]), _constant(operands[4]))
    if name == "ReverseV2" and others and others[0] is not None:
        rank = len(tensor.shape)
        return Step("reverse" if rank - 1 in np.ravel(others[0]) % rank else "neutral", name)
    if name == "StridedSlice" and len(others) == 3 and others[2] is not None:
        return Step("reverse" if np.ravel(others[2])[-1] < 0 else "neutral", name)
    if name == "GatherV2" and len(operands) == 3:
        if operands[1] is tensor:
            return Step("tokens", name, vocabulary=operands[0].shape[0])
        return Step("reverse" if others[0] is not None and reverses(others[0]) else "other", name)
    if name in _WEIGHTS and others and others[0] is not None:
        return Step("weights", name)
    return Step("neutral" if name in _NEUTRAL else "other", name)


def _constant(tensor: Tensor) -> Array | None:
    """Return the value of a constant, also behind operations that hand it on."""
    for _ in range(4):
        if tensor.op.type not in ("Identity", "Cast", "ReadVariableOp", "Reshape"):
            break
        tensor = tensor.op.inputs[0]
    return np.asarray(tensorflow().get_static_value(tensor)) if tensor.op.type == "Const" else None
