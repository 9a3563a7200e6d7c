"""From a Keras file of either generation to a tf_keras model, the only kind the compression tools take."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.backend import keras3, tf_keras
from edgekit.errors import InputError
from edgekit.files import sha256
from edgekit.models.bridge import bridge
from edgekit.models.bridge_graph import reason
from edgekit.models.keras_file import KerasFile, custom_objects, read_keras_file, unsafe_layers
from edgekit.progress import Progress

FUNCTION_ROOMS = ("activations", "initializers", "regularizers", "constraints", "losses", "metrics")
GRAPH_MODELS = ("Sequential", "Functional", "Model")
TFMOT = ("tensorflow_model_optimization", "PruneLowMagnitude", "ClusterWeights", "QuantizeWrapper", "QuantizeLayer")
REWRITE = "rewrite it with Sequential or the functional API, copy the weights with set_weights, and save that"


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for inference and for compression.

    Attributes:
        model: a built tf_keras Sequential or functional model, not compiled.
        source: the first lineage step, JSON values: `step` ("load"), `file`, `sha256`, `generation`, `keras_version`,
            `bridge` (`max_abs_diff`, `tolerance`, `samples`; None for Keras 2 files) and `notes` (sentences).
    """

    model: Any
    source: dict[str, Any]


def load_model(path: Path, *, allow_unsafe: bool = False, progress: Progress) -> LoadedModel:
    """Load a Keras 2 or Keras 3 model file as a tf_keras model.

    Args:
        path: a `.keras` or `.h5` file.
        allow_unsafe: load files that carry Python code (Lambda layers) or name modules to import.
        progress: told what the bridge leaves out, and what Keras warns of.

    Raises:
        InputError: the file is no usable model, or would run code.
        ConversionError: a Keras 3 model cannot be expressed in Keras 2.
    """
    file = read_keras_file(path)
    _refuse_code(file, allow_unsafe)
    digest = sha256(path)
    with _told_warnings(progress):
        model = _load(file, allow_unsafe)
    if not model.built or not model.inputs:
        raise InputError(f"{path}: the model has no input shape", "add an Input layer, and save it again")
    if not model.layers or not model.weights:
        raise InputError(f"{path}: the model has no {'weights' if model.layers else 'layers'}: nothing to compress")
    proof, notes = None, []
    if file.generation == 3:
        progress.say(f"{path.name} is a Keras {file.keras_version} model; rebuilding it in Keras 2")
        with _told_warnings(progress):
            bridged = bridge(model, progress)
        model, proof, notes = bridged.model, asdict(bridged.proof), bridged.notes
    return LoadedModel(
        model,
        {
            "step": "load",
            "file": path.name,
            "sha256": digest,
            "generation": file.generation,
            "keras_version": file.keras_version,
            "bridge": proof,
            "notes": notes,
        },
    )


def _refuse_code(file: KerasFile, allow_unsafe: bool) -> None:
    """Refuse what would run code on loading, and what Keras could not find, before Keras sees the file."""
    unsafe = unsafe_layers(file.config)
    if unsafe and not allow_unsafe:
        raise InputError(
            f"{file.path}: holds Python code that would run on this machine, in: {', '.join(unsafe)}",
            "if you trust its origin, add --allow-unsafe; better, replace Lambda layers by Keras layers",
        )
    keras = keras3() if file.generation == 3 else tf_keras()

    def known(name: str) -> bool:
        own = any(hasattr(getattr(keras, room), name) for room in FUNCTION_ROOMS)
        return own or keras.saving.get_registered_object(name) is not None

    custom = [name for name in custom_objects(file.config, known) if not (allow_unsafe and " (" in name)]
    if any(name.startswith(TFMOT) or f"({TFMOT[0]}" in name for name in custom):
        raise _wrapped(file)
    kind = str(file.config["class_name"])
    if kind not in GRAPH_MODELS and not known(kind):
        raise InputError(f"{file.path}: is a subclassed model ({kind}), whose code is not in the file", REWRITE)
    if custom:
        raise InputError(
            f"{file.path}: uses classes or functions that are not part of Keras: {', '.join(custom)}",
            "replace them by what Keras has; from Python, register them with register_keras_serializable first",
        )


def _load(file: KerasFile, allow_unsafe: bool) -> Any:
    keras = keras3() if file.generation == 3 else tf_keras()
    try:
        model = keras.saving.load_model(str(file.path), compile=False, safe_mode=not allow_unsafe)
    except MemoryError:
        raise
    except Exception as error:  # Keras raises what it likes
        raise _explained(file, error) from error
    if not (isinstance(model, keras.Sequential) or hasattr(model, "_nodes_by_depth")):
        raise InputError(f"{file.path}: is a subclassed model ({type(model).__name__})", REWRITE)
    return model


def _explained(file: KerasFile, error: Exception) -> InputError:
    unknown = re.search(r"(?:Unknown|Could not locate) [\w ]+?:? *'([^']+)'", str(error))
    name = unknown[1] if unknown else ""
    if name.startswith(TFMOT):
        return _wrapped(file)
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    if (
        file.generation == 3
        and file.container == "hdf5"
        and ("positional arguments" in str(error) or (snake and hasattr(keras3().ops, snake)))
    ):
        return InputError(
            f"{file.path}: the model has operations such as x + y or keras.ops.relu(x), and Keras 3 cannot read such "
            "models back from .h5",
            "save it again where it was trained, with model.save('model.keras')",
        )
    if name:
        return InputError(
            f"{file.path}: uses `{name}`, which Keras {file.generation} does not know",
            "replace it by what Keras has; from Python, register it with register_keras_serializable first",
        )
    return InputError(
        f"{file.path}: Keras cannot load it: {reason(error)}",
        f"check that Keras {file.keras_version} itself can load it, and save it again",
    )


def _wrapped(file: KerasFile) -> InputError:
    return InputError(
        f"{file.path}: is still wrapped for pruning, clustering or quantization-aware training",
        "strip it first (tfmot.sparsity.keras.strip_pruning and the like), or give the model from before",
    )


@contextmanager
def _told_warnings(progress: Progress) -> Iterator[None]:
    """Pass Python warnings of Keras on to the user, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(item.message).splitlines()[0] for item in caught if item.category is UserWarning):
        progress.warn(text)
