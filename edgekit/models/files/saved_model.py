"""SavedModel folders: as a Keras 2 model where Keras described it, else as a function that can only be run."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from edgekit.errors import InputError
from edgekit.files.whole import sha256
from edgekit.frameworks.tensorflow import quiet, tensorflow, tf_keras
from edgekit.frameworks.types import KerasConfig, KerasModel, KerasObject, Message, Tensor
from edgekit.models.bridge.graph import reason
from edgekit.models.files.building import made_of, remade
from edgekit.models.files.gate.folder import Leaves, check_folder
from edgekit.models.files.gate.graph_operations import (
    CONSTANT_FACTOR,
    CONSTANT_FLOOR,
    TENSOR_BYTES,
    constant_bytes,
    largest_tensor,
    recursive_functions,
    unsafe_operations,
)
from edgekit.models.files.keras_file import KerasFile
from edgekit.models.files.plain import PlainModel, plain
from edgekit.models.files.widened import half_types, in_float32

GRAPH, METADATA, WEIGHTS = "saved_model.pb", "keras_metadata.pb", Path("variables", "variables")
SIGNATURE = "serving_default"
SAVE_AGAIN = "copy the whole folder, or save the model again"


@dataclass(frozen=True)
class SavedModel:
    """A SavedModel that was looked at, not loaded.

    Attributes:
        path: the folder.
        meta_graph: its MetaGraphDef.
        tensorflow_version: that wrote it.
        keras: what Keras 2 wrote of the model's layers; None in other SavedModels, and for subclassed models.
    """

    path: Path
    meta_graph: Message
    tensorflow_version: str
    keras: KerasFile | None

    @cached_property
    def half(self) -> tuple[str, ...]:
        """The 16-bit types that it computes in, such as `float16`."""
        return tuple(sorted(half_types(self.meta_graph)))


def is_saved_model(path: Path) -> bool:
    """Return whether a path is a folder with a SavedModel in it."""
    return path.is_dir() and (path / GRAPH).exists()


def read_saved_model(path: Path) -> SavedModel:
    """Return what a SavedModel is.

    Raises:
        InputError: it is damaged, or of TensorFlow 1.
    """
    try:
        check_folder(path)
    except Leaves as error:
        raise InputError(f"{path}: {error}, so it is not loaded", SAVE_AGAIN, code="file-suspicious") from error
    tensorflow()
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        whole = saved_model_pb2.SavedModel.FromString((path / GRAPH).read_bytes())
    except Exception as error:  # protobuf's own, or the disk's
        raise InputError(f"{path}: its `{GRAPH}` is damaged: {error}", SAVE_AGAIN, code="file-damaged") from error
    if not whole.meta_graphs:
        raise InputError(f"{path}: its `{GRAPH}` has no graph", SAVE_AGAIN, code="file-damaged")
    meta_graph = whole.meta_graphs[0]
    version = meta_graph.meta_info_def.tensorflow_version or "unknown"
    if not meta_graph.object_graph_def.nodes:
        raise InputError(
            f"{path}: is a SavedModel of TensorFlow 1",
            "load it with TensorFlow 2 where it was made, and save it again with `tf.saved_model.save`",
            code="saved-model-unsupported",
        )
    for asset in meta_graph.asset_file_def:
        place = PurePosixPath(asset.filename)
        if place.is_absolute() or ".." in place.parts:
            raise InputError(
                f"{path}: refers to the file `{asset.filename}` outside the folder, so it is not loaded",
                SAVE_AGAIN,
                code="file-suspicious",
            )
    config, keras_version = _keras_config(path)
    keras = KerasFile(path, "savedmodel", 2, keras_version, config) if config else None
    return SavedModel(path, meta_graph, version, keras)


def digest(path: Path) -> str:
    """Return a SHA-256 over the names and contents of all files in a folder."""
    total = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        total.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\n".encode())
    return total.hexdigest()


def load_keras(file: KerasFile, config: KerasConfig, written: KerasConfig | None = None) -> KerasModel:
    """Build the tf_keras model that a SavedModel describes, and read its weights; nothing of the graph is run.

    Args:
        file: what Keras wrote beside the graph.
        config: its configuration, as it passed the gate.
        written: the same with the types that the weights were written in, where these are others: a checkpoint is read
            into variables of its own types only.

    Raises:
        InputError: Keras cannot build it, or a weight is missing.
    """
    stored = sum(part.stat().st_size for part in (file.path / WEIGHTS.parent).iterdir() if part.is_file())
    try:
        with quiet():
            model = made_of(written or config, stored, file.path)
            status = model.load_weights(str(file.path / WEIGHTS))
            status.expect_partial()
            status.assert_existing_objects_matched()
            model = remade(model) if written else model
    except InputError:
        raise
    except Exception as error:  # Keras and TensorFlow raise what they like
        raise InputError(
            f"{file.path}: Keras cannot load it: {reason(error)}", SAVE_AGAIN, code="keras-cannot-load"
        ) from error
    return model


def load_plain(saved: SavedModel, *, allow_unsafe: bool) -> PlainModel:
    """Load a SavedModel as a function; its inputs and outputs are ordered by name, for it knows no other order.

    Raises:
        InputError: it would reach outside the model, has no signature to choose, or takes no numbers.
    """
    path = saved.path
    recursive = recursive_functions(saved.meta_graph)
    if recursive:
        raise InputError(
            f"{path}: its function `{recursive[0]}` calls itself without end", SAVE_AGAIN, code="file-suspicious"
        )
    constants, size = constant_bytes(saved.meta_graph), (path / GRAPH).stat().st_size
    if constants > max(CONSTANT_FLOOR, CONSTANT_FACTOR * size):
        raise InputError(
            f"{path}: its constants take {constants >> 20:,} MiB in memory, and its `{GRAPH}` has {size:,} bytes",
            SAVE_AGAIN,
            code="file-suspicious",
        )
    unsafe = [] if allow_unsafe else unsafe_operations(saved.meta_graph)
    if unsafe:
        raise InputError(
            f"{path}: has operations that reach files, devices or Python, or are unknown: {', '.join(unsafe)}",
            "save only the part that computes; if you trust the model's origin, add `--allow-unsafe`",
            code="model-unsafe",
        )
    loaded = _loaded(saved)
    signatures = dict(loaded.signatures)
    function = signatures.get(SIGNATURE) or (next(iter(signatures.values())) if len(signatures) == 1 else None)
    if function is None:
        listed = f"has the signatures {', '.join(sorted(signatures))}" if signatures else "has no signature"
        raise InputError(
            f"{path}: {listed}, and none is called `{SIGNATURE}`",
            f"save it with `tf.saved_model.save(model, folder, signatures={{'{SIGNATURE}': function}})`",
            code="saved-model-unsupported",
        )
    name, size = largest_tensor(function.graph)
    if size > TENSOR_BYTES:
        raise InputError(
            f"{path}: its operation `{name}` makes a tensor of {size >> 20:,} MiB", SAVE_AGAIN, code="model-too-large"
        )
    given = function.structured_input_signature[1]
    specs = {name: given[name] for name in sorted(given, key=_counted)}
    outputs = sorted(function.structured_outputs, key=_counted)

    def call(inputs: list[Tensor]) -> list[Tensor]:
        by_name = function(**dict(zip(specs, inputs, strict=True)))
        return [by_name[name] for name in outputs]

    if not specs:
        raise InputError(
            f"{path}: its signature takes no inputs",
            "save it with a signature that takes tensors",
            code="saved-model-unsupported",
        )
    return plain(path.name, list(specs.values()), list(specs), outputs, list(function.variables), call, loaded)


def _loaded(saved: SavedModel) -> KerasObject:
    """Return what TensorFlow makes of a SavedModel; what computes in 16 bits computes in float32."""
    try:
        with quiet(), in_float32(saved.path, saved.meta_graph) if saved.half else nullcontext(saved.path) as path:
            return tensorflow().saved_model.load(str(path))
    except Exception as error:  # TensorFlow raises what it likes
        if saved.half:
            raise InputError(
                f"{saved.path}: computes in {' and '.join(saved.half)}, and cannot be converted to float32: "
                f"{reason(error)}",
                "save it where it was trained, with the dtype policy `float32`",
                code="saved-model-unsupported",
            ) from error
        raise InputError(
            f"{saved.path}: TensorFlow cannot load it: {reason(error)}", SAVE_AGAIN, code="keras-cannot-load"
        ) from error


def _counted(name: str) -> str:
    """Return a key that sorts `output_10` behind `output_2`."""
    return re.sub(r"\d+", lambda number: number[0].zfill(9), name)


def _keras_config(path: Path) -> tuple[KerasConfig, str]:
    """Return the configuration of the model that Keras 2 noted beside the graph, empty if none, and its version."""
    if not (path / METADATA).exists():
        return {}, "unknown"
    tf_keras()
    from tf_keras.protobuf import saved_metadata_pb2

    try:
        nodes = saved_metadata_pb2.SavedMetadata.FromString((path / METADATA).read_bytes()).nodes
        root = next((json.loads(node.metadata) for node in nodes if node.node_path == "root"), None)
    except Exception as error:  # protobuf's own, JSON's, or the disk's
        raise InputError(f"{path}: its `{METADATA}` is damaged: {error}", SAVE_AGAIN, code="file-damaged") from error
    config = root.get("model_config") if isinstance(root, dict) else None
    if not isinstance(root, dict) or not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        return {}, "unknown"
    return (config if "config" in config else {}), str(root.get("keras_version") or "unknown")
