"""From a configuration that passed the gate to a Keras model with the weights of its file.

Keras gets the configuration and the weights, never the file: what else is in it (assets, what the model was compiled
with) is not looked at.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekit.errors import InputError
from edgekit.files.temporary import temporary_folder
from edgekit.frameworks.tensorflow import keras3, tf_keras
from edgekit.frameworks.types import Hdf5Group, KerasConfig, KerasModel
from edgekit.models.files.early_keras import is_early, load_early
from edgekit.models.files.gate.archive import extract
from edgekit.models.files.gate.budget import budget, check_inputs, reason_of
from edgekit.models.files.gate.configuration import plain_values
from edgekit.models.files.gate.hdf5 import Untrusted, check_hdf5
from edgekit.models.files.gate.precision import FLOAT32, HALF, in_float32
from edgekit.models.files.keras_file import COPY_AGAIN, WEIGHTS, KerasFile, open_hdf5


def build(file: KerasFile, config: KerasConfig) -> KerasModel:
    """Make the model and read its weights.

    Args:
        file: a `.keras` or `.h5` file that was looked at.
        config: its configuration, as `edgekit.models.files.gate.configuration.admit` returned it.

    Returns:
        A Keras 2 or Keras 3 model, not compiled; not built if its configuration does not say what it takes.

    Raises:
        InputError: the weights are not what they should be, or the configuration asks for more than the file holds.
        Exception: Keras cannot make the model; it raises what it likes.
    """
    if file.generation == 3:
        keras3()  # while a model is built, it is too late
    if file.container == "hdf5":
        with open_hdf5(file.path) as opened, _within(file.path, _checked(opened, file.path)):
            model = _make(file, config)
            if model.built:
                _load_legacy(file, opened["model_weights"], model)
        return model
    with _weights(file) as (path, stored), _within(file.path, stored):
        if is_early(path, file.generation):
            return load_early(file, config, path)
        model = _make(file, config)
        if model.built:
            model.load_weights(str(path))
    return model


def made_of(config: KerasConfig, stored: int, path: Path) -> KerasModel:
    """Make the Keras 2 model that a SavedModel describes, without weights.

    Args:
        config: that passed the gate.
        stored: bytes of its variables.
        path: of the folder, for messages.

    Raises:
        InputError: the configuration asks for more than the variables hold.
        Exception: Keras cannot make the model.
    """
    with _within(path, stored):
        return tf_keras().models.model_from_config(plain_values(config))


def _make(file: KerasFile, config: KerasConfig) -> KerasModel:
    """Make the model, without weights, from a configuration of the kind that the container holds."""
    if file.container == "zip":
        keras = keras3() if file.generation == 3 else tf_keras()
        return keras.saving.deserialize_keras_object(config, safe_mode=True)
    if file.generation == 2:
        return tf_keras().models.model_from_config(plain_values(config))
    from keras.src.legacy.saving import saving_options, saving_utils
    from keras.src.saving import object_registration, serialization_lib

    with saving_options.keras_option_scope(use_legacy_config=True), serialization_lib.SafeModeScope(True):
        return saving_utils.model_from_config(
            plain_values(config), custom_objects=dict(object_registration.GLOBAL_CUSTOM_OBJECTS)
        )


def _load_legacy(file: KerasFile, group: Hdf5Group, model: KerasModel) -> None:
    """Read the weights of an `.h5` file from its open group."""
    if file.generation == 2:
        tf_keras().src.saving.legacy.hdf5_format.load_weights_from_hdf5_group(group, model)
        return
    from keras.src.legacy.saving import legacy_h5_format

    legacy_h5_format.load_weights_from_hdf5_group(group, model)


@contextmanager
def _weights(file: KerasFile) -> Iterator[tuple[Path, int]]:
    """Lend the weights of a `.keras` file as a file of their own, with their number of bytes."""
    with temporary_folder("load") as folder:
        path = folder / WEIGHTS
        try:
            with zipfile.ZipFile(file.path) as archive:
                extract(archive, WEIGHTS, path)
            with open_hdf5(path) as opened:
                stored = _checked(opened, file.path)
        except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError, KeyError, zlib.error) as error:
            raise InputError(
                f"{file.path}: its `{WEIGHTS}` is damaged: {error}", COPY_AGAIN, code="file-damaged"
            ) from error
        yield path, stored


def _checked(opened: Hdf5Group, path: Path) -> int:
    """Return the bytes of weights in an HDF5 file; `path` is for messages."""
    try:
        return check_hdf5(opened, Path(opened.filename).stat().st_size)
    except Untrusted as error:
        raise InputError(f"{path}: its weights are not loaded: {error}", COPY_AGAIN, code="file-suspicious") from error


@contextmanager
def _within(path: Path, stored: int) -> Iterator[None]:
    """Explain a model that asks for more than its file holds."""
    try:
        with budget(stored):
            yield
    except MemoryError as error:
        raise InputError(
            f"{path}: the model needs more memory than this machine has",
            "use a machine with more memory",
            code="model-larger-than-memory",
        ) from error
    except Exception as error:
        why = reason_of(error)
        if why:
            raise InputError(f"{path}: the model is not built: {why}", COPY_AGAIN, code="file-suspicious") from error
        raise


def check_size(model: KerasModel, path: Path) -> None:
    """Refuse a built model of which one sample would not fit into memory.

    Raises:
        InputError: with the input.
    """
    with _within(path, 0):
        check_inputs(model)


def remade(model: KerasModel) -> KerasModel:
    """Make a model that Keras loaded by itself again, so that it computes in float32; weights stay.

    Raises:
        Exception: Keras cannot make it; it raises what it likes.
    """
    config, _ = in_float32(model.get_config())
    again = type(model).from_config(config)
    again.set_weights([value.astype(FLOAT32) if str(value.dtype) in HALF else value for value in model.get_weights()])
    return again
