"""A file loaded into this process, which it takes along if it crashes: `edgekit.measuring` says who may do that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.errors import MissingExtraError
from edgekit.formats.onnx.reader import whole
from edgekit.frameworks.tensorflow import quiet
from edgekit.measuring.ports import to_stored
from edgekit.tasks.samples import Array
from edgekit.tasks.scoring import real
from edgekit.tasks.tensors import TensorSpec

Run = Callable[[Sequence[Array]], list[Array]]
"""From one sample an input, (1, ...) each in its dtype, to the outputs as the runtime gives them."""
REFUSALS = (RuntimeError, ValueError)
"""What the functions here raise for files and samples that their runtime refuses."""


@dataclass(frozen=True)
class Loaded:
    """A `.tflite` file, ready to run; `inputs` and `outputs` as the interpreter describes them."""

    run: Run
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def real_outputs(self, samples: Sequence[Array]) -> list[Array]:
        """Return the outputs for samples, in real units: float64 (n, values) each.

        Args:
            samples: one array an input, (n, ...), in the order of the file, in real units.

        Raises:
            RuntimeError, ValueError: the interpreter refuses them.
        """
        rows: list[list[Array]] = [[] for _ in self.outputs]
        for _, outputs in self.stored_rows(samples):
            for row, output, spec in zip(rows, outputs, self.outputs, strict=True):
                row.append(real(output, spec.quantization()).ravel())
        return [np.stack(row) for row in rows]

    def stored_rows(self, samples: Sequence[Array]) -> Iterator[tuple[list[Array], list[Array]]]:
        """Yield for one sample after the other the inputs and the outputs as the file has them; arguments as above."""
        for index in range(len(samples[0])):
            sample = [column[index : index + 1] for column in samples]
            stored = [to_stored(x, spec).reshape(spec.shape) for x, spec in zip(sample, self.inputs, strict=True)]
            yield stored, self.run(stored)


def load_tflite(model: Path | bytes, threads: int = 1) -> Loaded:
    """Load a `.tflite` file, from its path or from memory; a dynamic batch becomes one.

    Args:
        model: the file.
        threads: that the interpreter may use.

    Raises:
        RuntimeError, ValueError: the interpreter refuses it.
    """
    from ai_edge_litert.interpreter import Interpreter

    given = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
    with quiet():
        interpreter = Interpreter(**given, num_threads=threads)
        for details in interpreter.get_input_details():
            if len(details["shape"]) and details["shape"][0] != 1:
                interpreter.resize_tensor_input(details["index"], [1, *details["shape"][1:]])
        interpreter.allocate_tensors()
    ins, outs = interpreter.get_input_details(), interpreter.get_output_details()

    def run(sample: Sequence[Array]) -> list[Array]:
        interpreter.reset_all_variables()  # LSTMs keep their state
        for details, array in zip(ins, sample, strict=True):
            interpreter.set_tensor(details["index"], array)
        interpreter.invoke()
        return [interpreter.get_tensor(details["index"]) for details in outs]

    inputs, outputs = (
        tuple(
            TensorSpec(d["name"], tuple(map(int, d["shape"])), np.dtype(d["dtype"]).name, *_scale(d["quantization"]))
            for d in side
        )
        for side in (ins, outs)
    )
    return Loaded(run, inputs, outputs)


def _scale(quantization: tuple[float, int]) -> tuple[float, int] | tuple[None, None]:
    scale, zero_point = quantization
    return (float(scale), int(zero_point)) if scale else (None, None)


def load_onnx(file: Path | bytes, *, exact: bool = False) -> Run:
    """Load an `.onnx` file on the CPU: its bytes, so that onnxruntime looks for no other files.

    Args:
        file: a path, whose external data is read; or bytes with all data in them.
        exact: compute a QDQ graph in float32, as it is written, and not by int8 kernels.

    Raises:
        RuntimeError: onnxruntime refuses it.
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("running an ONNX file", "onnx", str(error)) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if exact:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    data = file if isinstance(file, bytes) else whole(file).SerializeToString()
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no base of their own
        raise RuntimeError(str(error)) from error
    names = [argument.name for argument in session.get_inputs()]

    def run(sample: Sequence[Array]) -> list[Array]:
        try:
            return [np.asarray(output) for output in session.run(None, dict(zip(names, sample, strict=True)))]
        except Exception as error:  # see above
            raise RuntimeError(str(error)) from error

    return run
