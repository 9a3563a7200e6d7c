"""The first `.keras` files, those of Keras 2.12 to 2.14, which tf_keras and Keras 3 do not read.

They differ from later ones in two ways. `model.weights.h5` keeps the layers of a model as TensorFlow's checkpoints do,
under `_layer_checkpoint_dependencies`. And until 2.13 only the model itself names its module, its layers are described
as in HDF5 files, with NumPy numbers as objects, and a layer with weights counts twice: the second of two Dense layers
is called `dense_2`, not `dense_1`.
"""

from __future__ import annotations

import re
from pathlib import Path

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import Hdf5Group, KerasConfig, KerasLayer, KerasModel, KerasObject
from edgekit.models.files.gate.configuration import plain_values
from edgekit.models.files.keras_file import KerasFile, open_hdf5

LAYERS = "_layer_checkpoint_dependencies"


def is_early(weights: Path, generation: int) -> bool:
    """Return whether the weights of a `.keras` file are kept as Keras 2.12 to 2.14 did."""
    with open_hdf5(weights) as file:
        return generation == 2 and LAYERS in file


def load_early(file: KerasFile, config: KerasConfig, weights: Path) -> KerasModel:
    """Build the tf_keras model and read its weights.

    Args:
        file: for messages.
        config: its configuration, as it passed the gate.
        weights: its `model.weights.h5`.

    Raises:
        InputError: a layer has no weights in the file, or others than it needs.
    """
    keras = tf_keras()
    layers = config["config"].get("layers") or [{}]
    if not any("module" in layer for layer in layers):  # as in HDF5
        model = keras.models.model_from_config(
            {"class_name": config["class_name"], "config": plain_values(config["config"])}
        )
    else:
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    with open_hdf5(weights) as opened:
        reader = _Reader(file)
        reader.read(model, opened)
    missing = [variable.name for variable in model.weights if id(variable) not in reader.found]
    if missing:
        raise InputError(
            f"{file.path}: holds no values for {', '.join(f'`{name}`' for name in missing[:5])}",
            "save the model again",
            code="model-incomplete",
        )
    return model


class _Reader:
    """Follows the groups of a weights file through the layers of a model.

    Attributes:
        found: the `id`s of the variables that got a value.
    """

    def __init__(self, file: KerasFile) -> None:
        self.found: set[int] = set()
        self._file = file

    def read(self, layer: KerasLayer, group: Hdf5Group) -> None:
        """Read the variables of a layer, and of the layers inside it.

        Args:
            layer: a built tf_keras layer or model.
            group: the HDF5 group of it. Besides `vars`, its members are called like attributes of the layer.
        """
        own = group.get("vars")
        if own is not None and len(own):
            try:
                layer.load_own_variables(own)
            except (ValueError, KeyError) as error:
                raise InputError(
                    f"{self._file.path}: the weights of layer `{layer.name}` do not fit it: {error}",
                    "save the model again",
                    code="file-damaged",
                ) from error
            self.found.update(map(id, layer._trainable_weights + layer._non_trainable_weights))
        for name in group:
            inside = getattr(layer, name, None) if name in dir(layer) else None
            if isinstance(inside, tf_keras().layers.Layer):
                self.read(inside, group[name])
            elif isinstance(inside, (list, tuple, dict)):
                self._read_all(inside, group[name])

    def _read_all(self, container: KerasObject, group: Hdf5Group) -> None:
        items = [
            item
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, tf_keras().layers.Layer)
        ]
        once = list({id(item): item for item in items}.values())
        # A layer with weights is listed twice, and Keras 2.12 and some of 2.13 counted it twice.
        named = max((_numbered(once), _numbered(items)), key=lambda names: sum(name in group for name in names))
        for name, item in named.items():
            if name in group:
                self.read(item, group[name])


def _numbered(layers: list[KerasLayer]) -> dict[str, KerasLayer]:
    """Return layers by what Keras calls them in its files: `conv2d`, `conv2d_1`."""
    counts: dict[str, int] = {}
    named = {}
    for layer in layers:
        kind = _snake_case(type(layer).__name__)
        named[f"{kind}_{counts[kind]}" if kind in counts else kind] = layer
        counts[kind] = counts.get(kind, 0) + 1
    return named


def _snake_case(name: str) -> str:
    """Return what Keras calls a class in its files: `Conv2D` is `conv2d`, `ReLU` is `re_lu`."""
    return re.sub(r"(?<!^)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", name).lower()
