"""litert-quantizer (once ai-edge-quantizer) on a float flatbuffer, in a process of its own.

It quantizes operator by operator, where TensorFlow's quantizer takes the whole file as its own converter writes it:
what one leaves float, or dies of, the other may take. Ranges are those that edgekit measures, in place of its own,
which are moving averages.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from itertools import count

import numpy as np
import numpy.typing as npt

from edgekit.errors import ConversionError, RunnerError
from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.tflite.bias import Noted, nearer
from edgekit.export.tflite.division import divided_in_float
from edgekit.export.tflite.ranges import in_dtypes, with_ranges
from edgekit.formats.tflite.builder import rebuilt
from edgekit.processes.child import PER_BYTE, Child, memory_for
from edgekit.tasks.samples import Array

Arrays = Sequence[Array]

NAME = "litert-quantizer"
SECONDS = 1800.0
"""In which a file is quantized."""
_RECIPES = {"int8": "static_wi8_ai8", "int16x8": "static_wi8_ai16"}


def installed() -> bool:
    """Return whether the package is there."""
    return find_spec("litert_quantizer") is not None


def quantize(data: bytes, scheme: str, calibration: Arrays, ranging: Ranging = MINMAX) -> Noted:
    """Return a float file in `int8` or `int16x8`, inputs and outputs included.

    Args:
        data: the float file, its batch fixed to one.
        scheme: which.
        calibration: one array of samples an input, (n, ...), in the order of the file.
        ranging: how the ranges of activations are chosen.

    Raises:
        ConversionError: the file cannot be expressed in the scheme.
    """
    memory = memory_for() + PER_BYTE * len(data) + 2 * sum(a.nbytes for a in calibration)
    with Child() as child:
        try:
            note, [found] = child.call(
                f"{__name__}:work",
                np.frombuffer(data, np.uint8),
                *calibration,
                what=f"TFLite {scheme}: {NAME}",
                seconds=SECONDS,
                memory=memory,
                scheme=scheme,
                method=ranging.method,
                percentile=ranging.percentile,
            )
        except RunnerError as error:
            raise ConversionError(error.message, code=error.code) from error
    return Noted(found.tobytes(), str(note))


def work(
    data: npt.NDArray[np.uint8], *calibration: Array, scheme: str, method: str, percentile: float
) -> tuple[str, list[Array]]:
    """Do what `quantize` asks for, in its child; return the note beside the file."""
    from litert_quantizer import quantizer, recipe

    named = _as_it_takes(data.tobytes())
    samples = in_dtypes(named, calibration)
    ranges = _ranges(with_ranges(named, samples, Ranging(method, percentile), scheme))
    worker = quantizer.Quantizer(bytearray(named), getattr(recipe, _RECIPES[scheme])())
    made = worker.quantize(ranges, enable_progress_bar=False, enable_progress_report=False).quantized_model
    if scheme != "int8":
        return "", [np.frombuffer(bytes(made), np.uint8)]
    divided = divided_in_float(bytes(made))
    found = nearer(divided.data, named, samples)
    return ", ".join(filter(None, [divided.note, found.note])), [np.frombuffer(found.data, np.uint8)]


def _as_it_takes(data: bytes) -> bytes:
    """Return the file with a name of its own for every tensor, by which ranges are found, and with a signature."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    seen: set[bytes] = set()
    for graph in model.subgraphs:
        for index, tensor in enumerate(graph.tensors):
            name = own = tensor.name or b"tensor"
            numbers = count(index + len(seen))
            while name in seen:
                name = b"%s_%d" % (own, next(numbers))
            tensor.name = name
            seen.add(name)
    if not model.signatureDefs:
        graph = model.subgraphs[0]
        inputs, outputs = (
            [schema.TensorMapT(name=graph.tensors[i].name, tensorIndex=int(i)) for i in ends]
            for ends in (graph.inputs, graph.outputs)
        )
        model.signatureDefs = [
            schema.SignatureDefT(inputs=inputs, outputs=outputs, signatureKey=b"serving_default", subgraphIndex=0)
        ]
    return rebuilt(model)


def _ranges(data: bytes) -> dict[str, dict[str, npt.NDArray[np.float32]]]:
    """Return the ranges in a file as the quantizer takes them: by the tensors' names."""
    from ai_edge_litert import schema_py_generated as schema

    found = {}
    for tensor in schema.ModelT.InitFromPackedBuf(data, 0).subgraphs[0].tensors:
        how = tensor.quantization
        if how is not None and how.min is not None and how.max is not None and len(how.min) == len(how.max) == 1:
            shape = [1] * (0 if tensor.shape is None else len(tensor.shape))
            found[tensor.name.decode("utf-8", "replace")] = {
                "min": np.asarray(how.min, np.float32).reshape(shape),
                "max": np.asarray(how.max, np.float32).reshape(shape),
            }
    return found
