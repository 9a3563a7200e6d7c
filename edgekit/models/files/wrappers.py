"""Models that TensorFlow Model Optimization (TFMOT) wrapped: pruning and clustering taken off, quantization kept.

A model saved before `strip_pruning` or `strip_clustering` has a wrapper around every layer, with masks, thresholds and
centroids beside the weights. A model of quantization-aware training has its trained ranges there.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from edgekit.frameworks.tensorflow import quiet, tf_keras, tfmot
from edgekit.frameworks.types import ConfigValue, KerasClass, KerasConfig, KerasLayer, KerasModel
from edgekit.models.files.gate.configuration import class_names
from edgekit.models.files.gate.symbols import WRAPPERS_2

_NAMES = frozenset(name for names in WRAPPERS_2.values() for name in names)
_PRUNING, _CLUSTERING = "PruneLowMagnitude", "ClusterWeights"
_QUANTIZATION = ("QuantizeWrapper", "QuantizeWrapperV2", "QuantizeLayer")


def is_wrapped(config: ConfigValue) -> bool:
    """Return whether a configuration names wrappers of TFMOT."""
    return not _NAMES.isdisjoint(class_names(config))


@contextmanager
def wrapper_scope(config: KerasConfig) -> Iterator[KerasConfig]:
    """Let Keras find TFMOT's listed classes in the block, if a configuration names any, and no others.

    Args:
        config: that passed the gate.

    Yields:
        The configuration to build from: wrappers without what they were built with, for Keras would build them twice.
    """
    if not is_wrapped(config):
        yield config
        return
    tfmot()
    classes = {
        name: getattr(importlib.import_module(place), name) for place, names in WRAPPERS_2.items() for name in names
    }
    classes["QuantizeWrapperV2"] = _built_inside_first(classes["QuantizeWrapperV2"])
    with tf_keras().utils.custom_object_scope(classes):
        yield _unbuilt(config)


def unwrapped(model: KerasModel) -> tuple[KerasModel, list[str]]:
    """Return a model without wrappers of pruning and clustering, and what was taken off, in sentences.

    Args:
        model: a tf_keras model with its weights; what is pruned is zero in it afterwards.
    """
    layers = list(_layers(model))
    notes = []
    pruned = [layer for layer in layers if type(layer).__name__ == _PRUNING]
    clustered = [layer for layer in layers if type(layer).__name__.startswith(_CLUSTERING)]
    if pruned:
        for layer in pruned:
            for weight, mask, _ in layer.pruning_vars:
                weight.assign(weight * mask)
        with quiet():
            model = tfmot().sparsity.keras.strip_pruning(model)
        notes.append(_note(len(pruned), "pruning (prune_low_magnitude)"))
    if clustered:
        with quiet():
            model = tfmot().clustering.keras.strip_clustering(model)
        notes.append(_note(len(clustered), "clustering (cluster_weights)"))
    return model, notes


def _built_inside_first(kind: KerasClass) -> KerasClass:
    """Return TFMOT's wrapper with the variables that it had when it was saved.

    `quantize_apply` wraps layers that are built, and the wrapper then counts their weights as its own; Keras makes it
    from a layer that is not built, so that the weights of a `.keras` file would not fit.
    """

    def build(self: KerasLayer, input_shape: ConfigValue) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True
        kind.build(self, input_shape)

    return type(kind.__name__, (kind,), {"build": build, "__module__": kind.__module__})


def is_quantization_aware(model: KerasModel) -> bool:
    """Return whether a tf_keras model has the fake quantization of TFMOT in it, nested models included."""
    return any(type(layer).__name__ in _QUANTIZATION for layer in _layers(model))


def _note(count: int, what: str) -> str:
    return f"{count} layer{'s' * (count != 1)} had TFMOT's wrapper for {what}: taken off, weights as they are"


def _layers(model: KerasModel) -> Iterator[KerasLayer]:
    for layer in model.layers:
        yield layer
        if getattr(layer, "layers", None):
            yield from _layers(layer)


def _unbuilt(value: ConfigValue) -> ConfigValue:
    if isinstance(value, list):
        return [_unbuilt(item) for item in value]
    if not isinstance(value, dict):
        return value
    wrapper = value.get("class_name") in _NAMES
    return {k: _unbuilt(v) for k, v in value.items() if not (wrapper and k == "build_config")}
