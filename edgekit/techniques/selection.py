"""From `all`, `conv`, `dense` or `name:PATTERN` to the kernels that weight pruning and clustering work on."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.errors import InputError
from edgekit.frameworks.layers.knowledge import Sparse
from edgekit.frameworks.layers.register import known
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasLayer, KerasModel
from edgekit.tasks.samples import Array
from edgekit.techniques.matching import by_reason, check_layers, matches, nothing_matches


@dataclass(frozen=True)
class Chosen:
    """What a choice of layers means in a model.

    Attributes:
        layers: those to work on, in the model's order.
        not_pruned: name to reason, for those that match and stay as they are.
    """

    layers: tuple[KerasLayer, ...]
    not_pruned: dict[str, str]


def choose(model: KerasModel, layers: str, verb: str) -> Chosen:
    """Choose layers of a flat model.

    Args:
        model: a tf_keras model without nested models.
        layers: `all`, `conv`, `dense`, or `name:` and a pattern with `*`, `?` and `[...]`, case-sensitive.
        verb: `pruned` or `clustered`, for messages.

    Raises:
        InputError: nothing matches, or nothing that matches can be worked on.
    """
    check_layers(layers)
    candidates = [layer for layer in model.layers if _counts(layer)]
    matching = [layer for layer in candidates if matches(layers, layer.name, type(layer).__name__)]
    if not matching:
        raise nothing_matches(model.name, layers, [layer.name for layer in candidates])
    not_pruned = {layer.name: why for layer in matching if (why := _obstacle(layer, verb))}
    chosen = tuple(layer for layer in matching if layer.name not in not_pruned)
    if not chosen:
        raise InputError(
            f"no layer of `{layers}` can be {verb}: {by_reason(not_pruned)}",
            "choose other layers",
            code="nothing-to-prune",
        )
    return Chosen(chosen, not_pruned)


def sparse_kernel(layer: KerasLayer) -> Sparse | None:
    """Return the kernel of a layer that weight pruning and clustering work on; None if there is none."""
    row = known(layer)
    return row.sparse if row is not None and isinstance(row.sparse, Sparse) else None


def kernel(layer: KerasLayer) -> Array:
    """Return that kernel of a layer that has one, float32."""
    sparse = sparse_kernel(layer)
    assert sparse is not None, type(layer).__name__
    value: Array = getattr(layer, sparse.kernel).numpy()
    return value


def has_two_of_four(layer: KerasLayer) -> bool:
    """Return whether TFMOT prunes the kernel of a layer in the pattern 2:4."""
    sparse = sparse_kernel(layer)
    return sparse is not None and sparse.two_of_four


def _counts(layer: KerasLayer) -> bool:
    """Whether a layer has weights that one may expect to be pruned; those of a BatchNormalization, nobody does."""
    row = known(layer)
    return bool(layer.weights) and (row is None or bool(row.kernels))


def _obstacle(layer: KerasLayer, verb: str) -> str:
    kind, row = type(layer).__name__, known(layer)
    if row is None or type(layer) is not getattr(tf_keras().layers, kind, None):
        return f"a {kind} layer is not {verb}: edgekit does not know the class"
    return "" if isinstance(row.sparse, Sparse) else f"a {kind} layer is not {verb}: {row.sparse.why}"
