"""Keras and plain models with the sizes of their inputs fixed, and without inputs that hold one number."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import quiet, tensorflow, tf_keras
from edgekit.frameworks.types import KerasModel, Tensor
from edgekit.models.bridge.graph import reason
from edgekit.models.files.plain import PlainModel, plain

Sizes = Mapping[str, tuple[int, ...]]
Values = Mapping[str, float]


def settled_keras(model: KerasModel, sizes: Sizes, values: Values) -> KerasModel:
    """Return a tf_keras model with the same layers and weights, called on inputs of these sizes.

    Raises:
        InputError: a layer cannot take them; or a value is given, which needs a model that is not trained.
    """
    if values:
        name = next(iter(values))
        raise InputError(
            f"`--input-value {name}`: not for Keras models, which keep all of their inputs",
            "save the model without that input, or write it with `model.export` and give the folder",
            code="input-unsupported",
        )
    keras = tf_keras()
    inputs = [
        keras.Input(batch_shape=(None, *sizes[name][1:]), dtype=tensor.dtype, name=name)
        for name, tensor in zip(model.input_names, model.inputs, strict=True)
    ]
    try:
        with quiet():
            again = keras.models.clone_model(model, input_tensors=inputs)
            again.set_weights(model.get_weights())
    except Exception as error:  # Keras raises what it likes
        raise InputError(
            f"{model.name}: fails on samples of {_text(sizes)}: {reason(error)}",
            "give other sizes with `--input-shape`",
            code="model-fails",
        ) from error
    return again


def settled_plain(model: PlainModel, sizes: Sizes, values: Values) -> PlainModel:
    """Return a plain model of the inputs without values; the others are constants in it.

    Raises:
        InputError: it cannot be run on such inputs.
    """
    tf = tensorflow()
    kept = [(name, spec) for name, spec in zip(model.input_names, model.inputs, strict=True) if name not in values]
    specs = [tf.TensorSpec((spec.shape[0], *sizes[name][1:]), spec.dtype, name=name) for name, spec in kept]
    names = list(model.input_names)

    def call(inputs: list[Tensor]) -> list[Tensor]:
        given = dict(zip([name for name, _ in kept], inputs, strict=True))
        return model.call(
            [
                given[name]
                if name in given
                else tf.cast(tf.fill([s or 1 for s in spec.shape], values[name]), spec.dtype)
                for name, spec in zip(names, model.inputs, strict=True)
            ]
        )

    found = [name for name, _ in kept]
    return plain(model.name, specs, found, model.output_names, model.variables, call, model.kept)


def _text(sizes: Sizes) -> str:
    return ", ".join("×".join(map(str, shape[1:])) for shape in sizes.values())
