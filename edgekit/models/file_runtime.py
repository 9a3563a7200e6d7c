"""A `.tflite` or `.onnx` file run in this process, one sample at a time."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from edgekit.backend import quiet
from edgekit.columns import Array
from edgekit.devices.device import open_device
from edgekit.devices.jobs import RUNTIMES, Job, run_job
from edgekit.errors import InputError, MissingExtraError, RunnerError

TIMEOUT = 600.0
Run = Callable[[list[Array]], list[Array]]
"""From one sample an input, (1, ...) each, to the outputs, with the batch of one in front."""


def try_out(path: Path, format_: str, shapes: Sequence[Sequence[int]]) -> None:
    """Run a file in a process of its own, before it is run in this one: a damaged file may end the process.

    Args:
        path: the file.
        format_: `tflite` or `onnx`.
        shapes: of its inputs, with a batch of one.

    Raises:
        InputError: its runtime refuses it, or dies of it.
    """
    with open_device() as device:
        try:
            run_job(device, Job("memory", RUNTIMES[format_], path, shapes=shapes), timeout=TIMEOUT)
        except RunnerError as error:
            raise InputError(f"{path}: cannot be run: {error.message}", error.hint) from error


def tflite_runtime(path: Path) -> Run:
    """Load a `.tflite` file; a dynamic batch becomes one.

    Raises:
        InputError: the interpreter refuses it.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        with quiet():
            interpreter = Interpreter(model_path=str(path), num_threads=1)
            for details in interpreter.get_input_details():
                interpreter.resize_tensor_input(details["index"], [1, *details["shape"][1:]])
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise refused(path, error) from error
    ins, outs = interpreter.get_input_details(), interpreter.get_output_details()

    def run(sample: list[Array]) -> list[Array]:
        interpreter.reset_all_variables()  # LSTMs keep their state
        for details, array in zip(ins, sample, strict=True):
            interpreter.set_tensor(details["index"], array)
        interpreter.invoke()
        return [_batched(interpreter.get_tensor(details["index"])) for details in outs]

    return run


def onnx_runtime(path: Path) -> Run:
    """Load an `.onnx` file on the CPU.

    Raises:
        InputError: onnxruntime refuses it.
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("running an ONNX file", "onnx", str(error)) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no base of their own
        raise refused(path, error) from error
    names = [argument.name for argument in session.get_inputs()]

    def run(sample: list[Array]) -> list[Array]:
        try:
            return [_batched(output) for output in session.run(None, dict(zip(names, sample, strict=True)))]
        except Exception as error:  # see above
            raise refused(path, error) from error

    return run


def refused(path: Path, error: Exception) -> InputError:
    """Return the error for a file that its runtime does not run."""
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return InputError(
        f"{path}: its runtime cannot run it: {reason}",
        f"see what it needs: edgekit inspect {shlex.quote(str(path))}",
    )


def _batched(output: Array) -> Array:
    """Return an output with an axis for the batch, also where the model answers with a bare number."""
    return output if output.ndim else output.reshape(1)
