"""What `edgekit.export.mixed.onnx` asks, answered in its child process: one function a question.

The two files are read, and matched, once; the answers to later questions build on that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np

from edgekit.export.mixed.quantized import Which
from edgekit.export.onnx.counterparts import Counterparts, counterparts
from edgekit.export.onnx.qdq import Group, Qdq
from edgekit.export.onnx.reverting import reverted
from edgekit.export.onnx.static import prepared, upgraded
from edgekit.export.onnx.tools import explained, silenced
from edgekit.export.onnx.tracing import with_outputs
from edgekit.formats.fixed_batch import fixed_onnx
from edgekit.formats.info import TensorInfo
from edgekit.formats.onnx.graph import DTYPES
from edgekit.formats.onnx.reader import read_onnx, whole
from edgekit.formats.types import OnnxModel
from edgekit.measuring.loaded import Run, load_onnx
from edgekit.measuring.ports import specs, to_stored
from edgekit.processes.wire import Value
from edgekit.tasks.samples import Array
from edgekit.tasks.scoring import real
from edgekit.tasks.tensors import TensorSpec

Named = Mapping[str, TensorSpec]
_FLOAT = "float32"


class Pair:
    """A float file and the int8 file that was made of it, read and matched.

    Args:
        float_path: the float file.
        int8_path: the int8 file.
        scratch: a folder for temporary files.
    """

    def __init__(self, float_path: Path, int8_path: Path, scratch: Path) -> None:
        info = read_onnx(int8_path)
        self.inputs, self.outputs = _by_name(info.inputs), _by_name(info.outputs)
        self.int8_model = whole(int8_path)
        self.qdq = Qdq(self.int8_model.graph)
        self.float_model = fixed_onnx(float_path)
        self.twin_model, self.twin = self._matched(scratch)
        self.groups = {group.main: group for group in self.qdq.groups}

    def _matched(self, scratch: Path) -> tuple[OnnxModel, Counterparts]:
        """Return the form of the float graph in which most of the int8 graph is found, and what was found.

        onnxruntime's quantizer works on a graph that was prepared for it, tf2onnx on one as it writes it.
        """
        import onnx

        ready = prepared(upgraded(self.float_model)[0], scratch)
        plain = onnx.shape_inference.infer_shapes(self.float_model)
        found = [(model, counterparts(self.qdq, model.graph)) for model in (ready, plain)]
        return max(found, key=lambda pair: len(pair[1].nodes))

    def session(self, which: Which) -> tuple[Run, list[str], dict[int, str]]:
        """Return what runs a file with its activations as outputs, its inputs' names, and of each number the name."""
        if which == "float":
            names = _float_names(self.twin_model, self.twin.values)
            return *with_outputs(self.twin_model, list(names.values())), names
        names = {}
        for name, number in self.qdq.numbers.items():
            if name in self.qdq.stored or (name in self.outputs and self.outputs[name].dtype == _FLOAT):
                names.setdefault(number, name)
        return *with_outputs(self.int8_model, list(names.values())), names

    def fed(self, names: Sequence[str], sample: Sequence[Array]) -> dict[str, Array]:
        """Return a sample by the names of a file's inputs: they are the int8 file's, or in its order."""
        own = list(self.inputs)
        order = names if set(names) == set(own) else own
        known = dict(zip(own, sample, strict=True))
        return {name: known[mine] for name, mine in zip(names, order, strict=True)}


def _by_name(tensors: Sequence[TensorInfo]) -> dict[str, TensorSpec]:
    return {spec.name: spec for spec in specs(tensors)}


def _float_names(model: OnnxModel, values: Mapping[int, str]) -> dict[int, str]:
    """Return those of the values that are float32."""
    kinds = {
        v.name: v.type.tensor_type.elem_type for v in (*model.graph.value_info, *model.graph.input, *model.graph.output)
    }
    return {number: name for number, name in values.items() if DTYPES.get(kinds.get(name, 0)) == _FLOAT}


@contextmanager
def _within(scratch: str) -> Iterator[None]:
    """Let onnxruntime put its files where they are swept."""
    before, tempfile.tempdir = tempfile.tempdir, scratch
    try:
        with silenced():
            yield
    finally:
        tempfile.tempdir = before


@lru_cache(1)
def _pair(float_path: str, int8_path: str, digests: str) -> Pair:
    with explained("mixed precision"):
        return Pair(Path(float_path), Path(int8_path), Path(tempfile.gettempdir()))


@lru_cache(2)
def _session(which: Which, *pair: str) -> tuple[Run, list[str], dict[int, str]]:
    return _pair(*pair).session(which)


@lru_cache(1)
def _file(file: bytes) -> tuple[Run, OnnxModel]:
    import onnx

    return load_onnx(file), onnx.ModelProto.FromString(file)


# ---------------------------------------------------------------------------------------------- questions


def describe(*, pair: list[str], scratch: str) -> tuple[Value, list[Array]]:
    """Return the operators, the scales of activations, and the bytes of the float file."""
    with _within(scratch):
        known = _pair(*pair)
        operators = [_described(known.qdq, group) for group in known.qdq.groups]
        numbers = sorted({number for number in known.qdq.numbers.values() if known.qdq.step_of(number)})
        steps = [(n, how.scale, how.zero_point) for n in numbers if (how := known.qdq.step_of(n)) is not None]
        data = known.float_model.SerializeToString()
    return {"operators": operators, "steps": steps}, [np.frombuffer(data, np.uint8)]


def _described(qdq: Qdq, group: Group) -> dict[str, Value]:
    held = {qdq.nodes[i].input[place]: qdq.dequantized(qdq.nodes[i].input[place]) for i, place in group.weights}
    outputs = [n for n in qdq.roots if qdq.numbers.get(n) in group.outputs]
    first = next((n for n in outputs if qdq.numbers[n] == group.outputs[0]), "") if group.outputs else ""
    return {
        "index": group.main,
        "name": first,
        "kind": str(qdq.nodes[group.main].op_type),
        "inputs": list(group.inputs),
        "outputs": list(group.outputs),
        "weight_bytes": sum(found[0].nbytes for found in held.values() if found is not None),
    }


def revert(*, pair: list[str], scratch: str, chosen: list[int], float_weights: bool) -> tuple[None, list[Array]]:
    """Return the bytes of the int8 file with some operators in float."""
    import onnx

    with _within(scratch), explained("mixed precision"):
        known = _pair(*pair)
        groups = [known.groups[index] for index in sorted(chosen)]
        made = reverted(known.int8_model, known.qdq, groups, known.twin, float_weights=float_weights)
        onnx.checker.check_model(made, full_check=True)
    return None, [np.frombuffer(made.SerializeToString(), np.uint8)]


def trace(*sample: Array, pair: list[str], scratch: str, which: Which) -> tuple[list[int], list[Array]]:
    """Return the numbers of the activations of one sample, and their values in real units."""
    with _within(scratch):
        known = _pair(*pair)
        run, inputs, names = _session(which, *pair)
        fed = known.fed(inputs, sample)
        if which == "float":
            found = run([np.asarray(fed[name], np.float32) for name in inputs])
            return list(names), [np.asarray(array, np.float32) for array in found]
        found = run([to_stored(fed[name], known.inputs[name]) for name in inputs])
        return list(names), [_real(known.qdq, name, a) for name, a in zip(names.values(), found, strict=True)]


def _real(qdq: Qdq, name: str, array: Array) -> Array:
    how = qdq.stored.get(name)
    if how is None:
        return np.asarray(array, np.float32)
    return np.asarray((array.astype(np.float32) - np.float32(how.zero_point)) * np.float32(how.scale))


def outputs(file: Array, *samples: Array, pair: list[str], scratch: str) -> tuple[None, list[Array]]:
    """Return the outputs of a file for samples, in real units, in the order of the int8 file."""
    with _within(scratch):
        known = _pair(*pair)
        run, model = _file(file.tobytes())
        kinds = {v.name: DTYPES[v.type.tensor_type.elem_type] for v in model.graph.input}
        given = [v.name for v in model.graph.output]
        own = list(known.outputs)
        order = [given.index(name) for name in own] if set(given) == set(own) else list(range(len(given)))
        rows: list[list[Array]] = [[] for _ in own]
        for i in range(len(samples[0])):
            fed = known.fed(list(kinds), [column[i : i + 1] for column in samples])
            found = run([_stored(known, array, name, kinds[name]) for name, array in fed.items()])
            for row, place, name in zip(rows, order, own, strict=True):
                row.append(_real_output(found[place], known.outputs[name]).ravel())
    return None, [np.stack(row) for row in rows]


def _stored(known: Pair, array: Array, name: str, kind: str) -> Array:
    """Return an input as a file takes it: a file made of the int8 one has its scales, the float one has none."""
    spec = known.inputs.get(name)
    return to_stored(array, spec) if spec is not None and spec.dtype == kind else array.astype(kind)


def _real_output(array: Array, spec: TensorSpec) -> Array:
    return real(array, spec.quantization() if array.dtype.name == spec.dtype else None).astype(np.float64)


def weights(*, pair: list[str], scratch: str, index: int) -> tuple[bool, list[Array]]:
    """Return an operator's weights in the float and the int8 file, (channels, values) each; nothing if unknown."""
    with _within(scratch):
        known = _pair(*pair)
        place = known.qdq.channel_weights(known.groups[index])
        if place is None:
            return False, []
        node, at, axis = place
        exact = known.twin.weights(known.qdq, node, at)
        found = known.qdq.dequantized(known.qdq.nodes[node].input[at])
    if exact is None or found is None:
        return False, []
    stored, scale, point = found
    rounded = (stored.astype(np.float32) - point.astype(np.float32)) * scale
    return True, [_by_channel(exact, axis), _by_channel(rounded, axis)]


def _by_channel(values: Array, axis: int) -> Array:
    return np.ascontiguousarray(np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1), np.float32)
