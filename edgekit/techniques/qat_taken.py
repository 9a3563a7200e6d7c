"""A model that somebody else trained with quantization in mind, taken as edgekit's own stage would leave it."""

from __future__ import annotations

from edgekit.errors import ConversionError, InputError
from edgekit.frameworks.tensorflow import quiet, tf_keras, tfmot
from edgekit.frameworks.types import KerasModel
from edgekit.models.keras.quantized import scope
from edgekit.models.keras.rebuild import rebuild
from edgekit.techniques.qat_finish import strip_quantization
from edgekit.techniques.qat_scheme import input_quantizers


def taken(model: KerasModel) -> tuple[KerasModel, KerasModel]:
    """Return a model with TFMOT's quantize wrappers, flat and named as before `quantize_apply`, and its float form.

    Args:
        model: a tf_keras model with wrappers of the default 8-bit scheme; its layers are used and renamed.

    Raises:
        InputError: it cannot be taken apart.
    """
    wrapper = tfmot().quantization.keras.QuantizeWrapper
    try:
        if any(getattr(layer, "layers", None) for layer in model.layers):
            with quiet(), scope(model):
                model = rebuild(model)
        for layer in model.layers:
            if isinstance(layer, wrapper):
                layer._name = layer.layer.name
        for number, layer in enumerate(input_quantizers(model)):
            layer._name = f"quantize_input_{number}"
        quantized = tf_keras().Model(model.inputs, model.outputs, name=model.name)
        return quantized, strip_quantization(quantized)
    except (ConversionError, ValueError, TypeError, KeyError, AttributeError) as error:  # whatever Keras raises
        raise InputError(
            f"model {model.name} has quantize wrappers (TFMOT) in a form that edgekit cannot take apart: {error}",
            "give the float model from before quantize_apply; recipe qat trains it for int8",
            code="qat-model-unfit",
        ) from error
