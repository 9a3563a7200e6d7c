"""Inputs and outputs in dictionaries and nested structures, laid out in a list once, each named by its key.

A model may take `{"image": ..., "table": ...}` and return `{"class": ..., "box": ...}`, or any nesting of dictionaries,
lists and tuples. Files have a flat list of named tensors, and so have edgekit's data (`x_train/image`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasLayer, KerasModel, Tensor, Tensors
from edgekit.models.keras.keras2_graph import flat, is_graph


def flattened(model: KerasModel) -> tuple[KerasModel, list[str]]:
    """Return a tf_keras model that takes and returns lists, and what that changed, in sentences.

    The order is that of `tf.nest`: dictionaries by their sorted keys. What stands under a key is named by it, with the
    keys and places around it: `head_class`, `pair_0`. Layers of these inputs and outputs get the same names.

    Args:
        model: with its weights; its layers are used and renamed.
    """
    if not is_graph(model) or not (_keyed(_structure(model, "inputs")) or _keyed(_structure(model, "outputs"))):
        return model, []
    inputs, outputs = _structure(model, "inputs"), _structure(model, "outputs")
    ins, outs = flat(inputs), flat(outputs)
    in_names, out_names = names_of(inputs, model.input_names), names_of(outputs, model.output_names)
    notes = [
        f"The {side} stand in a {type(structure).__name__}, and are named by its keys: {', '.join(names)}"
        for side, structure, names in (("inputs", inputs, in_names), ("outputs", outputs, out_names))
        if _keyed(structure)
    ]
    for name, tensor in zip(in_names, ins, strict=True):
        _rename(model, _layer(tensor), name)
    found: list[Tensor] = []
    for name, tensor in zip(out_names, outs, strict=True):
        found.append(_named(model, tensor, name, taken=sum(_layer(other) is _layer(tensor) for other in outs) > 1))
    return tf_keras().Model(ins, found, name=model.name), notes


def names_of(structure: Tensors, names: Sequence[str]) -> list[str]:
    """Return a name for every leaf of a structure: by its keys, or, where it has none, its own.

    Args:
        structure: of inputs or outputs.
        names: of the leaves, in the order of `tf.nest`; others are made up where there are too few.
    """
    made: list[str] = []
    for number, path in enumerate(_paths(structure)):
        first = next((place for place, key in enumerate(path) if isinstance(key, str)), len(path))
        own = names[number] if number < len(names) else str(number)
        name = re.sub(r"[^A-Za-z0-9_.>-]", "_", "_".join(map(str, path[first:])) or own)
        name = name if re.match(r"[A-Za-z0-9.]", name) else f"x{name}"
        count = sum(re.sub(r"_\d+$", "", other) == name for other in made)
        made.append(f"{name}_{count + 1}" if name in made else name)
    return made


def _paths(structure: Tensors, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(structure, dict):
        for key in sorted(structure):
            yield from _paths(structure[key], (*path, str(key)))
    elif isinstance(structure, (list, tuple)):
        fields = getattr(structure, "_fields", range(len(structure)))
        for key, item in zip(fields, structure, strict=True):
            yield from _paths(item, (*path, key))
    elif structure is not None:
        yield path


def _keyed(structure: Tensors) -> bool:
    """Return whether a structure is more than a tensor or a list of tensors."""
    if isinstance(structure, (list, tuple)) and not hasattr(structure, "_fields"):
        return any(isinstance(item, (dict, list, tuple)) for item in structure)
    return isinstance(structure, (dict, tuple))


def _structure(model: KerasModel, side: str) -> Tensors:
    found = getattr(model, f"_nested_{side}", None)
    return getattr(model, side) if found is None else found


def _layer(tensor: Tensor) -> KerasLayer:
    return tensor._keras_history.layer


def _named(model: KerasModel, tensor: Tensor, name: str, *, taken: bool) -> KerasModel:
    """Return an output as the only one of a layer of that name; one that does nothing is put behind it if need be."""
    layer = _layer(tensor)
    if layer.name == name and not taken:
        return tensor
    alone = not taken and type(layer).__name__ != "InputLayer" and len(layer._inbound_nodes) == 1
    if alone and _rename(model, layer, name):
        return tensor
    free = name if name not in {other.name for other in model.layers} else f"{name}_output"
    return tf_keras().layers.Activation("linear", name=free)(tensor)


def _rename(model: KerasModel, layer: KerasLayer, name: str) -> bool:
    """Give a layer a name unless another one has it; return whether it has it now."""
    if layer.name != name and any(other.name == name for other in model.layers):
        return False
    layer._name = name
    return True
