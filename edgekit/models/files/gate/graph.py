"""The calls of a functional Keras model, put in an order in which they can be made.

Keras goes through the layers of a configuration again and again, calls those whose inputs are there, and never ends
where a circle keeps one waiting. Here every call knows what it waits for, so the order is found in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.frameworks.types import ConfigValue, KerasConfig

CONSTANT = "_CONSTANT_VALUE"
"""In the place of a layer's name: what follows is a number, not a tensor (Keras 2)."""
OPERATIONS = ("TFOpLambda", "SlicingOpLambda")
Call = tuple[str, int]


class GraphError(Exception):
    """The calls have no order, or one is of a form that Keras never writes; the text says which."""


def ordered(model: KerasConfig, generation: int) -> list[KerasConfig]:
    """Return the layers of a functional model, each behind those that its first call needs.

    Args:
        model: the `config` of a model, with `layers`, each with `name` and `inbound_nodes`.
        generation: of Keras that reads it.

    Raises:
        GraphError: the calls wait for each other in a circle, or for a layer or a call that is not there; two layers
            have one name; or an operation is called without a tensor.
    """
    layers = {}
    for layer in model["layers"]:
        if not isinstance(layer, dict) or not isinstance(name := _name(layer), str):
            raise GraphError("a layer has no name")
        if name in layers:
            raise GraphError(f"two layers are called `{name}`")
        if not isinstance(layer.get("inbound_nodes", []), list):
            raise GraphError(f"the calls of layer `{name}` are no list")
        layers[name] = layer
    needs = {
        (name, i): list(_references(node)) for name, layer in layers.items() for i, node in enumerate(_nodes(layer))
    }
    ends = [(name, index) for key in ("input_layers", "output_layers") for name, index in _references(model.get(key))]
    for (name, _), found in needs.items():
        if not found:
            raise GraphError(f"layer `{name}` is called without a tensor")
    first = {name: _first_call(layer, generation) for name, layer in layers.items()}
    waiting: dict[Call, set[Call]] = {}
    for call, found in needs.items():
        calls = (_call(layers, first, *reference) for reference in found)
        waiting[call] = {other for other in calls if other is not None}
    for name, index in ends:  # Keras 3 counts the call that made a model here alone
        _call(layers, first, name, index, spare=int(generation == 3))
    order = _sorted(waiting)
    place = {name: -1 for name, layer in layers.items() if not _nodes(layer)}
    for position, (name, _) in enumerate(order):
        place.setdefault(name, position)
    given = {name: i for i, name in enumerate(layers)}
    if _is_sorted(given, waiting):
        return list(layers.values())
    return [layers[name] for name in sorted(layers, key=lambda name: (place[name], given[name]))]


def _name(layer: KerasConfig) -> ConfigValue:
    inner = layer.get("config")
    return layer.get("name", inner.get("name") if isinstance(inner, dict) else None)


def _nodes(layer: KerasConfig) -> list[ConfigValue]:
    found: list[ConfigValue] = layer.get("inbound_nodes") or []
    return found


def _references(value: ConfigValue) -> Iterator[Call]:
    """Yield the outputs of other calls that a call gets, as names of layers and numbers of their calls."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if item.get("class_name") == "__keras_tensor__":
                inner = item.get("config")
                history = inner.get("keras_history") if isinstance(inner, dict) else None
                if not isinstance(history, list) or not _is_reference(history):
                    raise GraphError("a tensor does not say which layer it comes from")
                yield history[0], history[1]
                continue
            stack.extend(item.values())
        elif isinstance(item, (list, tuple)):
            if _is_reference(item):
                yield item[0], item[1]
                stack.extend(item[3:])
            else:
                # A number in the place of a tensor is no reference, what stands behind it may hold some.
                stack.extend(item[2:] if item[:1] == [CONSTANT] else item)


def _is_reference(item: ConfigValue) -> bool:
    """Return whether a list is a layer's name, the number of its call, and the number of an output."""
    return (
        isinstance(item, (list, tuple))
        and len(item) in (3, 4)
        and isinstance(item[0], str)
        and item[0] != CONSTANT
        and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in item[1:3])
    )


def _first_call(layer: KerasConfig, generation: int) -> int:
    """Return the number of a layer's first call: 1 for models that begin with an input layer in Keras 2, else 0.

    They count the call that made them.
    """
    inner = layer.get("config")
    inside = inner.get("layers") if isinstance(inner, dict) else None
    if generation == 3 or not isinstance(inside, list):
        return 0
    return int(not inside or (isinstance(inside[0], dict) and inside[0].get("class_name") == "InputLayer"))


def _call(layers: KerasConfig, first: dict[str, int], name: str, index: int, spare: int = 0) -> Call | None:
    """Return the call that a reference means; None for an input, which needs none.

    Args:
        layers: by name.
        first: number of each layer's first call.
        name: of the layer referred to.
        index: of its call.
        spare: how far beyond the last call the number may be.
    """
    if name not in layers:
        raise GraphError(f"there is no layer `{name}`")
    calls = len(_nodes(layers[name]))
    if not calls:
        if layers[name].get("class_name") != "InputLayer":
            raise GraphError(f"layer `{name}` is never called")
        return None
    number = index - first[name]
    if not 0 <= number < calls + spare:
        raise GraphError(f"layer `{name}` has no call number {index}")
    return name, min(number, calls - 1)


def _sorted(waiting: dict[Call, set[Call]]) -> list[Call]:
    """Return the calls in an order in which each has what it waits for."""
    # A layer's calls come in their order, for Keras counts them.
    left = {call: set(needed) | ({(call[0], call[1] - 1)} if call[1] else set()) for call, needed in waiting.items()}
    users: dict[Call, list[Call]] = {}
    for call, needed in left.items():
        for other in needed:
            users.setdefault(other, []).append(call)
    ready = [call for call, needed in left.items() if not needed]
    order = []
    for call in ready:
        order.append(call)
        for user in users.get(call, ()):
            left[user].discard(call)
            if not left[user]:
                ready.append(user)
    if len(order) < len(left):
        stuck = sorted({f"`{name}`" for (name, number), needed in left.items() if needed})
        shown = ", ".join(stuck[:4]) + (", ..." if len(stuck) > 4 else "")
        raise GraphError(f"layers wait for each other in a circle: {shown}")
    return order


def _is_sorted(given: dict[str, int], waiting: dict[Call, set[Call]]) -> bool:
    """Return whether every layer's first call needs earlier layers only, as in what Keras writes."""
    return all(
        given[other] < given[name] for (name, number), needed in waiting.items() if not number for other, _ in needed
    )
