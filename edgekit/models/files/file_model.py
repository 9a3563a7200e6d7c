"""A float `.tflite` or `.onnx` file as a model, with what the pipeline needs of models."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.errors import InputError
from edgekit.formats.companions import computing_only, runnable
from edgekit.formats.info import FileInfo, TensorInfo
from edgekit.formats.leading import leading
from edgekit.formats.reading import inspect_file
from edgekit.formats.source import MAX_END_BYTES
from edgekit.formats.steps import Step
from edgekit.measuring.child_runner import FileRunner, try_out
from edgekit.measuring.ports import SCALES, specs, unscaled
from edgekit.tasks.samples import Array, Outputs

SUFFIXES = (".tflite", ".lite", ".onnx")
_QUANTIZED_OPERATORS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinear", "QGemm", "QAttention")
_NUMBERS = (
    "float16",
    "float32",
    "float64",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "bool",
)


@dataclass(frozen=True)
class FileTensor:
    """An input or output.

    Attributes:
        name: as in the file.
        shape: sizes behind the batch, which is None and may not be an axis of the file's; None for what only running
            tells.
        dtype: NumPy's name.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class FileModel:
    """A float file, run sample by sample in a process of its own.

    Args:
        path: the `.tflite` or `.onnx` file.
        kept: what owns the file, where that is a temporary one.
        info: what `inspect_file` returns for it, where that is known already.

    Attributes:
        path: the file.
        kept: see above.
        format: `tflite` or `onnx`.
        name: the file's name without its suffix.
        inputs, outputs: in the order of the file.
        input_names, output_names: their names.
        macs: multiplications of one sample; None where unknown.

    Raises:
        InputError: the file is damaged or quantized already, has operators that edgekit does not run, or its inputs or
            outputs are no tensors of a fixed size.
        MissingExtraError: its runtime is not installed.
    """

    def __init__(self, path: Path, kept: object = None, info: FileInfo | None = None) -> None:
        info = info or inspect_file(path)
        self.kept = kept
        self.path, self.format, self.name = path, info.format, path.stem
        passed = runnable(path, info.format)
        self._companions = passed.companions
        _refuse_quantized(info)
        if lacking := unscaled("input", specs(info.inputs)) or unscaled("output", specs(info.outputs)):
            raise InputError(f"{path}: {lacking}", SCALES, code="scale-unknown")
        computing_only(path, passed)
        self.inputs = [_input(path, tensor) for tensor in info.inputs]
        self._declared = info.outputs
        self.outputs = [_output(path, tensor) for tensor in info.outputs]
        if not self.inputs or not self.outputs:
            raise InputError(
                f"{path}: the model has no {'outputs' if self.inputs else 'inputs'}: nothing to compress",
                "export the model again",
                code="nothing-to-compress",
            )
        self.input_names = [tensor.name for tensor in self.inputs]
        self.output_names = [tensor.name for tensor in self.outputs]
        self._parameters, self.macs = info.parameters, info.macs
        self._runner = FileRunner(path, self.format, self.output_names)
        self._steps: list[list[Step]] | None = None

    def leading(self) -> list[list[Step]]:
        """Return the first operations behind every input."""
        if self._steps is None:
            self._steps = leading(self.path)
        return self._steps

    def count_params(self) -> int:
        """Return the number of parameters."""
        return self._parameters

    def try_out(self) -> None:
        """Run the file on made-up inputs, in a process of its own.

        Raises:
            InputError: its runtime refuses it, or dies of it.
        """
        shapes = [[1, *(size or 1 for size in tensor.shape[1:])] for tensor in self.inputs]
        try_out(self.path, self.format, shapes, self._companions)
        if any(tensor.shape[:1] == (-1,) for tensor in self._declared):
            outputs = self._runner.run([np.zeros(s, t.dtype) for s, t in zip(shapes, self.inputs, strict=True)])
            self.outputs = [
                _with_batch(tensor, tuple(None if size == -1 else size for size in declared.shape), array.ndim)
                for tensor, declared, array in zip(self.outputs, self._declared, outputs, strict=True)
            ]

    def predict(self, x: Array | Sequence[Array], verbose: int = 0) -> Outputs:
        """Return the outputs for a batch.

        Args:
            x: one array (n, ...), or a list of them, one per input.
            verbose: not used; it is here because Keras models have it.

        Returns:
            One array (n, ...), or a list of them where the model has several outputs.

        Raises:
            InputError: the arrays do not fit the inputs, or the runtime cannot run the file.
        """
        arrays = (
            [np.asarray(x)] if len(self.inputs) == 1 and not isinstance(x, (list, tuple)) else list(map(np.asarray, x))
        )
        self._check(arrays)
        cast = [a.astype(tensor.dtype, copy=False) for a, tensor in zip(arrays, self.inputs, strict=True)]
        outputs = self._runner.run(cast)
        return outputs[0] if len(outputs) == 1 else outputs

    def _check(self, arrays: Sequence[Array]) -> None:
        if len(arrays) != len(self.inputs):
            raise InputError(
                f"{self.path}: expected {len(self.inputs)} arrays, one an input, not {len(arrays)}",
                f"its inputs are: {', '.join(self.input_names)}",
                code="samples-do-not-fit",
            )
        for array, tensor in zip(arrays, self.inputs, strict=True):
            if array.shape[1:] != tensor.shape[1:] or not len(array) or len(array) != len(arrays[0]):
                raise InputError(
                    f"{self.path}: input `{tensor.name}` takes samples of shape {tensor.shape[1:]}, not an array of "
                    f"shape {array.shape}",
                    "give every input the same number of samples, in its shape",
                    code="samples-do-not-fit",
                )


def _input(path: Path, tensor: TensorInfo) -> FileTensor:
    if tensor.dtype not in _NUMBERS:
        raise InputError(
            f"{path}: input `{tensor.name}` takes `{tensor.dtype}`, expected numbers",
            "export the part of the model behind it, with numbers as inputs",
            code="input-unsupported",
        )
    if not tensor.shape or tensor.shape[0] not in (-1, 1) or -1 in tensor.shape[1:]:
        sizes = "×".join("?" if size == -1 else str(size) for size in tensor.shape) or "no axis"
        raise InputError(
            f"{path}: input `{tensor.name}` has the shape {sizes}, expected a batch of 1 or a dynamic one, and fixed "
            "sizes behind it",
            "export the model again with such a shape",
            code="input-unsupported",
        )
    _check_size(path, "input", tensor)
    return FileTensor(tensor.name, (None, *tensor.shape[1:]), tensor.dtype)


def _check_size(path: Path, side: str, tensor: TensorInfo) -> None:
    """Check that one sample is not larger than any small device's memory: then the shape is damage."""
    if math.prod(max(size, 1) for size in tensor.shape) * np.dtype(tensor.dtype).itemsize > MAX_END_BYTES:
        sizes = "×".join("?" if size == -1 else str(size) for size in tensor.shape)
        raise InputError(
            f"{path}: {side} `{tensor.name}` of {sizes} {tensor.dtype} would take more than {MAX_END_BYTES >> 30} GiB",
            "check that the file is not damaged, and export it again",
            code="model-too-large",
        )


def _output(path: Path, tensor: TensorInfo) -> FileTensor:
    if tensor.dtype not in _NUMBERS:
        raise InputError(
            f"{path}: output `{tensor.name}` is `{tensor.dtype}`, expected a tensor of numbers",
            "export the model without its last operator (for scikit-learn: with `zipmap=False`)",
            code="output-unsupported",
        )
    _check_size(path, "output", tensor)
    sizes = tuple(None if size == -1 else size for size in tensor.shape)
    batched = sizes[:1] in ((None,), (1,))
    return FileTensor(tensor.name, (None, *sizes[1:]) if batched else (None, *sizes), tensor.dtype)


def _with_batch(tensor: FileTensor, sizes: tuple[int | None, ...], axes: int) -> FileTensor:
    """Return an output whose open first axis is the batch, or its own, where one sample gives as many axes."""
    return FileTensor(tensor.name, (None, *sizes) if axes == len(sizes) + 1 else tensor.shape, tensor.dtype)


def _refuse_quantized(info: FileInfo) -> None:
    kind = quantized_as(info)
    if kind:
        raise InputError(
            f"{info.path}: is already {kind}, expected a float model",
            f"give the float model; measure this file with `edgekit bench {shlex.quote(str(info.path))}`",
            code="already-quantized",
        )


def quantized_as(info: FileInfo) -> str:
    """Return what a file is quantized to, such as `int8`; an empty string for a float file, also one in float16."""
    scaled = [t.dtype for t in (*info.inputs, *info.outputs, *info.weights) if t.quantization is not None]
    weights = {w.dtype for w in info.weights}
    named = any(name.removeprefix("CUSTOM:com.microsoft.").startswith(_QUANTIZED_OPERATORS) for name in info.operators)
    named = named or any(name.endswith("Integer") for name in info.operators)
    for kind, dtypes in (
        ("int4", ("int4", "uint4", "int2", "uint2")),
        ("int16x8", ("int16", "uint16")),
        ("int8", ("int8", "uint8")),
    ):
        if set(dtypes) & (weights | set(scaled)):
            return kind
    if named or scaled or "QUANTIZE" in info.operators:
        return "int8"
    return "bfloat16" if "bfloat16" in weights else ""
