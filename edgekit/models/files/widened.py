"""A SavedModel that computes in 16 bits, written again in float32, so that it can be exported and quantized.

Whatever a SavedModel says of types (nodes, functions, signatures, variables) is a `DataType` in its protocol buffer:
each `DT_HALF` and `DT_BFLOAT16` becomes `DT_FLOAT`. Constants and the values of variables are converted, which is
exact. Casts between the two are left as casts from float32 to float32.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edgekit.files.temporary import temporary_folder
from edgekit.frameworks.tensorflow import quiet, tensorflow
from edgekit.frameworks.types import Message

GRAPH, VARIABLES = "saved_model.pb", Path("variables", "variables")
_TYPE, _TENSOR = "tensorflow.DataType", "tensorflow.TensorProto"


def half_types(meta_graph: Message) -> set[str]:
    """Return which 16-bit types a MetaGraphDef computes in, as `float16` and `bfloat16`."""
    types, found = _half(), set[str]()
    for part in (inner for section in _sections(meta_graph) for inner in _messages(section)):
        for field, value in part.ListFields():
            if field.enum_type is not None and field.enum_type.full_name == _TYPE:
                values = [value] if isinstance(value, int) else value
                found |= {types[number] for number in values if number in types}
    return found


@contextmanager
def in_float32(folder: Path, meta_graph: Message) -> Iterator[Path]:
    """Lend a copy of a SavedModel that computes in float32.

    Args:
        folder: of the SavedModel, which passed the gate.
        meta_graph: its MetaGraphDef; left as it is.

    Raises:
        Exception: its variables cannot be read; TensorFlow raises what it likes.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    whole = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    whole.meta_graphs.add().CopyFrom(meta_graph)
    for section in _sections(whole.meta_graphs[0]):
        _widen(section)
    with temporary_folder("float32") as copy:
        (copy / GRAPH).write_bytes(whole.SerializeToString())
        if (folder / "assets").is_dir():
            shutil.copytree(folder / "assets", copy / "assets")
        if (folder / VARIABLES.parent).is_dir():
            (copy / VARIABLES.parent).mkdir()
            _write_variables(folder / VARIABLES, copy / VARIABLES)
        yield copy


def _sections(meta_graph: Message) -> list[Message]:
    """Return what says how a MetaGraphDef computes; besides it lists operators with all types that these could have."""
    return [meta_graph.graph_def, meta_graph.object_graph_def, *meta_graph.signature_def.values()]


def _half() -> dict[int, str]:
    from tensorflow.core.framework import types_pb2

    plain = {types_pb2.DT_HALF: "float16", types_pb2.DT_BFLOAT16: "bfloat16"}
    references = {types_pb2.DT_HALF_REF: "float16", types_pb2.DT_BFLOAT16_REF: "bfloat16"}
    return {**plain, **references}


def _messages(message: Message) -> Iterator[Message]:
    """Yield a protocol buffer and all that are in it, from the inside out."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        entry = field.message_type.GetOptions().map_entry
        inner = field.message_type.fields_by_name["value"].message_type if entry else field.message_type
        if inner is None:
            continue
        for part in value.values() if entry else [value] if hasattr(value, "ListFields") else value:
            yield from _messages(part)
    yield message


def _widen(message: Message) -> None:
    from tensorflow.core.framework import types_pb2

    types, float32, float32_ref = _half(), types_pb2.DT_FLOAT, types_pb2.DT_FLOAT_REF
    for part in _messages(message):
        if part.DESCRIPTOR.full_name == _TENSOR and part.dtype in types:
            values = tensorflow().make_ndarray(part).astype(np.float32)
            part.CopyFrom(tensorflow().make_tensor_proto(values))
            continue
        for field, value in part.ListFields():
            if field.enum_type is None or field.enum_type.full_name != _TYPE:
                continue
            if isinstance(value, int):
                if value in types:
                    setattr(part, field.name, float32 if value < 100 else float32_ref)
            else:
                value[:] = [(float32 if n < 100 else float32_ref) if n in types else n for n in value]


def _write_variables(source: Path, target: Path) -> None:
    """Copy a checkpoint, values of 16 bits as float32."""
    tf = tensorflow()
    with quiet():
        reader = tf.train.load_checkpoint(str(source))
        names = sorted(reader.get_variable_to_shape_map())
        values = [tf.constant(reader.get_tensor(name)) for name in names]
        values = [tf.cast(v, tf.float32) if v.dtype in (tf.float16, tf.bfloat16) else v for v in values]
        tf.raw_ops.SaveV2(prefix=str(target), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
