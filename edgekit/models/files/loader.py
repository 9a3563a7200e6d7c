"""From a model of any generation to a tf_keras model, the only kind that can be trained; else to a plain one."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.errors import ConversionError, InputError
from edgekit.files.temporary import temporary_folder
from edgekit.files.whole import sha256
from edgekit.frameworks.tensorflow import has_keras3, keras3, tf_keras
from edgekit.frameworks.types import KerasConfig, KerasModel
from edgekit.models.bridge.forward import bridge
from edgekit.models.bridge.graph import reason
from edgekit.models.files.building import build, check_size, remade
from edgekit.models.files.bytecode import foreign_python
from edgekit.models.files.custom import register, register_packaged
from edgekit.models.files.gate.configuration import Malformed, admit, class_names
from edgekit.models.files.gate.functions import canonical_name
from edgekit.models.files.gate.precision import in_float32
from edgekit.models.files.keras_file import SUFFIXES, KerasFile, read_keras_file
from edgekit.models.files.origin import Origin
from edgekit.models.files.own_loss import compiled_loss
from edgekit.models.files.plain import PlainModel, plain_of_keras
from edgekit.models.files.saved_model import digest, is_saved_model, load_keras, load_plain, read_saved_model
from edgekit.models.files.structure import flattened
from edgekit.models.files.wrappers import unwrapped, wrapper_scope
from edgekit.progress import Progress

GRAPH_MODELS = ("Sequential", "Functional", "Model")
TFMOT = ("tensorflow_model_optimization", "Quantize", "Default8Bit", "DefaultNBit", "ClusterPreserve", "PrunePreserve")
REWRITE = "give its class with `--custom module:NAME`, or rewrite it with Sequential or the functional API"
REPLACE = "give them with `--custom module:NAME`, or replace them by what Keras has"
SAVE_AGAIN = "save it again where it was trained"
NO_DESCRIPTION = "a SavedModel without Keras's description gets post-training schemes only"


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for inference and for compression.

    Attributes:
        model: a built tf_keras Sequential or functional model, not compiled; a `PlainModel` if it is not trainable.
        origin: where it comes from.
        untrainable: why the model is not trainable, a sentence; empty if it is.
    """

    model: KerasModel
    origin: Origin
    untrainable: str = ""

    @property
    def trainable(self) -> bool:
        """Whether training stages can run on it; post-training schemes always can."""
        return not self.untrainable


def load_model(
    path: Path, *, allow_unsafe: bool = False, custom: Sequence[str] = (), progress: Progress
) -> LoadedModel:
    """Load a Keras 2 or Keras 3 model as a tf_keras model, and what cannot be one as a `PlainModel`.

    Args:
        path: a `.keras` or `.h5` file, or the folder of a SavedModel.
        allow_unsafe: load files that carry Python code (Lambda layers), name modules to import, or whose graph reaches
            outside the model.
        custom: the user's own classes and functions, see `edgekit.models.files.custom.register`.
        progress: notified of what the bridge leaves out, what Keras warns of, and why a model is not trainable.

    Raises:
        InputError: the file is no usable model, or would run code.
    """
    register(custom)
    if is_saved_model(path):
        return _load_folder(path, allow_unsafe, progress)
    file = read_keras_file(path)
    config, half = in_float32(_admitted(file, allow_unsafe))
    loss = compiled_loss(file.config)
    origin = Origin(path.name, sha256(path), file.generation, file.keras_version, loss)
    with _reported_warnings(progress), wrapper_scope(config) as ready:
        model = _load(file, ready, allow_unsafe)
        model = remade(model) if half and allow_unsafe else model
    origin = origin.noted(*_float32_note("Layers with the dtype policy", half, progress))
    if not _is_graph(model):
        why = f"a subclassed model ({type(model).__name__}) gets post-training schemes only"
        return _plain(plain_of_keras(model, path.name), origin, why, progress)
    if not model.built or not model.inputs:
        raise InputError(
            f"{path}: the model has no input shape", "add an Input layer and save it again", code="input-unsupported"
        )
    if not model.layers or not model.weights:
        raise InputError(
            f"{path}: the model has no {'weights' if model.layers else 'layers'}: nothing to compress",
            SAVE_AGAIN,
            code="nothing-to-compress",
        )
    check_size(model, path)
    if file.generation == 2:
        return _ready(model, origin, progress)
    progress.notify(f"{path.name} is a Keras {file.keras_version} model; rebuilding it in Keras 2")
    try:
        with _reported_warnings(progress):
            bridged = bridge(model, progress)
    except ConversionError as error:
        return _plain(plain_of_keras(model, path.name), origin, error.message, progress)
    return _ready(bridged.model, replace(origin, bridge=bridged.proof).noted(*bridged.notes), progress)


def _ready(model: KerasModel, origin: Origin, progress: Progress) -> LoadedModel:
    """Return a tf_keras model as the rest of edgekit wants it: without wrappers, its inputs and outputs in a list."""
    model, stripped = unwrapped(model)
    model, named = flattened(model)
    for note in (*stripped, *named):
        progress.notify(note)
    return LoadedModel(model, origin.noted(*stripped, *named))


def _float32_note(what: str, half: Sequence[str], progress: Progress) -> list[str]:
    notes = [f"{what} {', '.join(half)} compute in float32 now"] if half else []
    for note in notes:
        progress.notify(note)
    return notes


def _load_folder(path: Path, allow_unsafe: bool, progress: Progress) -> LoadedModel:
    """Load a SavedModel: as Keras described it, else as a function."""
    saved = read_saved_model(path)
    origin = Origin(path.name, digest(path), None, "none")
    why = NO_DESCRIPTION
    if saved.keras is not None:
        try:
            written = _admitted(saved.keras, allow_unsafe)
            config, half = in_float32(written)
            with _reported_warnings(progress), wrapper_scope(config) as ready:
                model = load_keras(saved.keras, ready, written if half else None)
            described = replace(origin, generation=2, keras_version=saved.keras.keras_version)
            described = described.noted(*_float32_note("Layers with the dtype policy", half, progress))
            return _ready(model, described, progress)
        except InputError as error:
            why = f"{NO_DESCRIPTION}; what Keras wrote cannot be used: {error.message}"
    model = load_plain(saved, allow_unsafe=allow_unsafe)
    return _plain(model, origin.noted(*_float32_note("Operations in", saved.half, progress)), why, progress)


def _plain(model: PlainModel, origin: Origin, why: str, progress: Progress) -> LoadedModel:
    progress.notify(f"post-training schemes only: {why}")
    return LoadedModel(model, origin.noted(why), why)


def _admitted(file: KerasFile, allow_unsafe: bool) -> KerasConfig:
    """Return the configuration as Keras may have it; refuse what a file may not name, before Keras sees any of it.

    Raises:
        InputError: the file carries code, names what is not listed or not known, or describes no model.
    """
    keras = keras3() if file.generation == 3 else tf_keras()
    register_packaged(class_names(file.config))

    def registered(name: str) -> bool:
        return keras.saving.get_registered_object(name) is not None

    try:
        admitted = admit(
            file.config,
            file.generation,
            registered,
            exists=lambda name: hasattr(keras.layers, name),
            canonical=canonical_name,
        )
    except Malformed as error:
        raise InputError(
            f"{file.path}: does not describe a model: {error}", SAVE_AGAIN, code="model-malformed"
        ) from error
    custom = [name for name in admitted.custom if not (allow_unsafe and " (" in name)]
    if any(name.startswith(TFMOT) or f"({TFMOT[0]}" in name for name in custom):
        raise _wrapped(file)
    if admitted.code and not allow_unsafe:
        raise InputError(
            f"{file.path}: contains Python code that would run on this machine, in: {', '.join(admitted.code)}",
            "replace Lambda layers by Keras layers; if you trust the file's origin, add `--allow-unsafe`",
            code="model-unsafe",
        )
    if admitted.refused and not allow_unsafe:
        raise InputError(
            f"{file.path}: names what is not known to compute on tensors and nothing else: "
            f"{', '.join(admitted.refused)}",
            "if you trust the file's origin, add `--allow-unsafe`: what it names then runs on this machine",
            code="model-unsafe",
        )
    kind = str(file.config["class_name"])
    if kind not in GRAPH_MODELS and not registered(kind) and not registered(str(file.config.get("registered_name"))):
        raise InputError(
            f"{file.path}: is a subclassed model (`{kind}`), whose code is not in the file",
            REWRITE,
            code="custom-missing",
        )
    if custom:
        raise InputError(
            f"{file.path}: uses classes or functions that are not part of Keras: {', '.join(custom)}",
            f"{REPLACE}; from Python, register_keras_serializable does it, too",
            code="custom-missing",
        )
    if admitted.graph:
        raise InputError(
            f"{file.path}: does not describe a model: {admitted.graph}", SAVE_AGAIN, code="model-malformed"
        )
    return admitted.config


def _load(file: KerasFile, config: KerasConfig, allow_unsafe: bool) -> KerasModel:
    """Load what passed the gate; with `allow_unsafe` Keras reads the file itself, whatever is in it."""
    try:
        if not allow_unsafe:
            return build(file, config)
        foreign = foreign_python(file.config)
        if foreign:
            raise InputError(
                f"{file.path}: the code of its Lambda layers is of Python {foreign}; this Python "
                f"{sys.version_info.major}.{sys.version_info.minor} cannot run it",
                f"replace Lambda layers by Keras layers, run edgekit with Python {foreign}, or save the model again "
                "with this Python where its code is",
                code="lambda-of-other-python",
            )
        keras = keras3() if file.generation == 3 else tf_keras()
        with _named_as_keras_wants(file) as path:
            return keras.saving.load_model(str(path), compile=False, safe_mode=False)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            f"{file.path}: loading it takes more memory than this machine has",
            "use a machine with more memory",
            code="model-larger-than-memory",
        ) from error
    except Exception as error:  # Keras raises what it likes
        raise _explained(file, error) from error


def _is_graph(model: KerasModel) -> bool:
    """Return whether a model of either generation is Sequential or functional."""
    sequential = (tf_keras().Sequential, *([keras3().Sequential] if has_keras3() else []))
    return isinstance(model, sequential) or hasattr(model, "_nodes_by_depth")


@contextmanager
def _named_as_keras_wants(file: KerasFile) -> Iterator[Path]:
    """Lend a path that ends as Keras expects of such a file: it goes by the name, edgekit by the content."""
    suffixes = SUFFIXES[file.container]
    if file.path.suffix in suffixes:
        yield file.path
        return
    with temporary_folder("load") as folder:
        link = folder / f"model{suffixes[0]}"
        link.symlink_to(file.path.resolve())
        yield link


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
            f"{file.path}: the model has operations such as `x + y` or `keras.ops.relu(x)`, and Keras 3 cannot read "
            "such models back from .h5",
            "save it again where it was trained, with `model.save('model.keras')`",
            code="keras-cannot-load",
        )
    if name:
        return InputError(
            f"{file.path}: uses `{name}`, which Keras {file.generation} does not know",
            f"{REPLACE}; from Python, register_keras_serializable does it, too",
            code="custom-missing",
        )
    return InputError(
        f"{file.path}: Keras cannot load it: {reason(error)}",
        f"check that Keras {file.keras_version} itself can load it, and save it again",
        code="keras-cannot-load",
    )


def _wrapped(file: KerasFile) -> InputError:
    return InputError(
        f"{file.path}: has TFMOT wrappers of a quantization scheme other than the default 8-bit one",
        "give the model from before `quantize_apply`: the recipe `qat` trains it for int8",
        code="wrapped-by-tfmot",
    )


@contextmanager
def _reported_warnings(progress: Progress) -> Iterator[None]:
    """Pass Python warnings of Keras on to the user, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(item.message).splitlines()[0] for item in caught if item.category is UserWarning):
        progress.warn(text, "keras-warning")
