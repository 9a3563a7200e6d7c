"""Integer inputs in quantization-aware training: bytes as float32 numbers, indices as they are.

TFMOT puts fake quantization behind every input, and fake quantization takes floating-point numbers. Bytes (images) are
numbers: with a float32 input the model computes the same, and the int8 file takes them with a scale of 1, exactly.
Indices (tokens of an Embedding) must not be rounded: their inputs stay integers, in the file too.
"""

from __future__ import annotations

from edgekit.errors import ConversionError, InputError
from edgekit.frameworks.layers.knowledge import Values
from edgekit.frameworks.layers.register import names
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasModel, SymbolicTensor
from edgekit.models.keras.calls import calls, flat, inner_layers, is_graph
from edgekit.models.keras.rebuild import rebuild

INDEXED_LAYERS = names(lambda row: row.values in (Values.LOOKS_UP, Values.ENCODES))
INDEXED_FUNCTIONS = ("gather", "embedding_lookup", "one_hot", "scatter", "segment")
"""Parts of the names of TensorFlow functions that take indices."""


def integer_inputs(model: KerasModel) -> list[str]:
    """Return the names of inputs that take integers; a subclassed model has none that are known."""
    inputs = zip(model.input_names or (), model.inputs or (), strict=True)
    return [name for name, tensor in inputs if tensor.dtype.is_integer]


def with_float_inputs(model: KerasModel) -> tuple[KerasModel, list[str]]:
    """Return a model whose integer inputs are float32 unless they are indices, and the names of those that changed.

    Args:
        model: a tf_keras model; left as it is.

    Raises:
        InputError: an input cannot be float32, and is no index either.
    """
    changing = [name for name in integer_inputs(model) if not _is_index(model, name)]
    if not changing:
        return model, []
    try:
        return rebuild(model, input_dtypes=dict.fromkeys(changing, "float32")), changing
    except (ConversionError, TypeError, ValueError) as error:  # whatever Keras raises for a type it cannot take
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise InputError(
            f"quantize: input `{changing[0]}` takes integers, and the layers behind it no other numbers: "
            f"{lines[-1][:200] if lines else type(error).__name__}",
            "choose a recipe without `quantize`, such as int8; or give the model an input of float32",
            code="qat-model-unfit",
        ) from error


def _is_index(model: KerasModel, name: str) -> bool:
    """Return whether an input arrives at a layer that looks something up, through layers that only move values."""
    place = list(model.input_names).index(name)
    return _indexes(model, flat(model._nested_inputs)[place])


def _indexes(model: KerasModel, tensor: SymbolicTensor) -> bool:
    waiting, seen = [tensor], set()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        for node in calls(model):
            if not any(item is current for item in node.keras_inputs):
                continue
            layer = node.layer
            if is_graph(layer):
                inner = flat(layer._nested_inputs)
                where = [i for i, item in enumerate(node.keras_inputs) if item is current]
                if any(_indexes(layer, inner[i]) for i in where if i < len(inner)):
                    return True
                continue
            wrapped = type(getattr(layer, "layer", layer)).__name__
            function = str(getattr(layer, "symbol", "") or layer.get_config().get("function", ""))
            if wrapped in INDEXED_LAYERS or any(part in function for part in INDEXED_FUNCTIONS):
                return True
            if all(output.dtype.is_integer for output in flat(node.outputs)):
                waiting += flat(node.outputs)
    return False


def check_inputs(model: KerasModel) -> None:
    """Raise, before any stage trains, if quantization-aware training could not take an input of the source model.

    Raises:
        InputError: see `with_float_inputs`.
    """
    if isinstance(model, tf_keras().Model) and inner_layers(model):
        with_float_inputs(model)
