"""A float `.onnx` file and the int8 file made of it: the questions of `edgekit.export.mixed.quantized`.

The files may be a stranger's. Everything is computed in one child process, which reads both files once and lives as
long as the object that asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from edgekit.errors import ConversionError, RunnerError
from edgekit.export.calibration import UNBOUNDED, Ends
from edgekit.export.mixed.quantized import Operator, Which
from edgekit.files.temporary import temporary_folder
from edgekit.formats.companions import gate
from edgekit.processes.child import Child, memory_for
from edgekit.processes.wire import Value
from edgekit.tasks.samples import Array

SECONDS = 1800.0
"""For the answer to one question."""
_CHILD = "edgekit.export.mixed.onnx_child"


class OnnxQuantized:
    """A `Quantized` of two ONNX files.

    Args:
        float_file: float, of the very model that was quantized: if that was rewritten before, then of the rewritten
            one. External data may stand beside it. Not changed while this object lives.
        int8_file: in QDQ form, made of it by tf2onnx or by onnxruntime; likewise.

    Raises:
        ConversionError: onnx or onnxruntime cannot make sense of one of them, or dies of it.
        InputError: one of them is damaged, or names external data that is missing or may not be read.
        MissingExtraError: onnx or onnxruntime is not installed.
    """

    def __init__(self, float_file: Path, int8_file: Path) -> None:
        self._child = Child()
        self._paths = float_file, int8_file
        companions = [path for file in self._paths for path in gate(file, "onnx").companions.values()]
        self._memory = memory_for(*self._paths, *companions)
        self._digests = " ".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in self._paths)
        self._int8 = int8_file.read_bytes()
        answer, (data,) = self._ask("describe")
        self._float = data.tobytes()
        self._operators = tuple(_operator(entry) for entry in answer["operators"])
        self._steps = {int(number): (float(scale), int(point)) for number, scale, point in answer["steps"]}

    def __enter__(self) -> OnnxQuantized:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the child."""
        self.close()

    def close(self) -> None:
        """End the child."""
        self._child.close()

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Those that can be reverted, in the order in which they run."""
        return self._operators

    @property
    def float_file(self) -> bytes:
        """The float file, its batch fixed to one, with all its weights in it."""
        return self._float

    @property
    def int8_file(self) -> bytes:
        """The int8 file."""
        return self._int8

    def reverted(self, chosen: Collection[int], *, float_weights: bool) -> bytes:
        """Return the int8 file with some operators in float.

        Args:
            chosen: indices of `operators`.
            float_weights: whether their weights are those of the float file, where these are known; else they stay
                int8, and only activations are float.

        Raises:
            ValueError: an operator is not among `operators`.
            ConversionError: onnx does not take the result.
        """
        if unknown := sorted(set(chosen) - {operator.index for operator in self._operators}):
            raise ValueError(f"operator {unknown[0]} cannot be reverted")
        if not chosen:
            return self._int8
        _, (data,) = self._ask("revert", chosen=sorted(chosen), float_weights=float_weights)
        return data.tobytes()

    def traced(self, which: Which, samples: Sequence[Array]) -> Iterator[Mapping[int, Array]]:
        """Yield for one sample after the other every activation by its number, float32, in real units.

        Of the int8 file these are the integers that its operators read, as real values. The float file is run as the
        quantizer prepares it, so that its values are those that were quantized.

        Args:
            which: of the two files runs. An activation that the float file does not have is left out.
            samples: one array an input, (n, ...), in the order of the int8 file, in real units.

        Raises:
            RuntimeError: onnxruntime refuses the file or the samples.
        """
        for index in range(min(map(len, samples), default=0)):
            sample = [np.asarray(column[index : index + 1], np.float32) for column in samples]
            numbers, arrays = self._ask("trace", *sample, which=which)
            yield dict(zip(map(int, numbers), arrays, strict=True))

    def outputs(self, file: bytes, samples: Sequence[Array]) -> list[Array]:
        """Return the outputs of a file made of these, float64 (n, values) each, in real units; arguments as above.

        Raises:
            RuntimeError: onnxruntime refuses the file or the samples.
        """
        columns = [np.asarray(column, np.float32) for column in samples]
        return self._ask("outputs", np.frombuffer(file, np.uint8), *columns)[1]

    def weights(self, operator: Operator) -> tuple[Array, Array] | None:
        """Return an operator's weights in the float and in the int8 file, the latter in real units.

        Both are float32 (channels, values of a channel); None where it has none, or the float file has others there
        than those that were rounded.
        """
        known, arrays = self._ask("weights", index=operator.index)
        return (arrays[0], arrays[1]) if known else None

    def step(self, activation: int) -> tuple[float, int] | None:
        """Return scale and zero point of an activation in the int8 file; None where it is not quantized."""
        return self._steps.get(activation)

    def told_apart(self, activation: int) -> Ends:
        """Return the ends of what the readers of an activation tell apart: ranges of ONNX files have all values."""
        return UNBOUNDED

    def _ask(self, question: str, *arrays: Array, **arguments: Value) -> tuple[Value, list[Array]]:
        memory = self._memory + 4 * sum(array.nbytes for array in arrays)
        with temporary_folder("mixed") as scratch:
            try:
                return self._child.call(
                    f"{_CHILD}:{question}",
                    *arrays,
                    what=f"ONNX mixed precision of {self._paths[1].name}",
                    seconds=SECONDS,
                    memory=memory,
                    pair=[*map(str, self._paths), self._digests],
                    scratch=str(scratch),
                    **arguments,
                )
            except RunnerError as error:
                if error.code == "child-failed":
                    raise RuntimeError(error.message) from error
                raise ConversionError(error.message, error.hint, code=error.code) from error


def _operator(entry: Mapping[str, Value]) -> Operator:
    return Operator(
        index=int(entry["index"]),
        name=str(entry["name"]),
        kind=str(entry["kind"]),
        inputs=tuple(map(int, entry["inputs"])),
        outputs=tuple(map(int, entry["outputs"])),
        weight_bytes=int(entry["weight_bytes"]),
    )
