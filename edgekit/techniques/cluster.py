"""`cluster`: few distinct weights a layer, by the weight clustering of TensorFlow Model Optimization (TFMOT).

Han, Mao and Dally 2016, "Deep Compression" (arXiv 1510.00149); guide:
https://www.tensorflow.org/model_optimization/guide/clustering

TFMOT can also give every output channel centroids of its own. That is not offered: quantization-aware training keeps
such clusters only while all channels have equally many distinct values, and mixes them otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import quiet, tfmot
from edgekit.frameworks.types import KerasLayer, KerasModel
from edgekit.models.keras.rebuild import Part, clone, rebuild, transfer
from edgekit.models.training.training import TrainConfig
from edgekit.schema.types import JsonObject
from edgekit.techniques.masks import keep_zeros
from edgekit.techniques.matching import by_reason, check_layers
from edgekit.techniques.selection import Chosen, choose, kernel
from edgekit.techniques.stage import CLUSTERED, QUANTIZED, SPARSE, ModelState, StageContext, Trained
from edgekit.techniques.training import train_stage

INITS = {
    "linear": "LINEAR",
    "kmeans++": "KMEANS_PLUS_PLUS",
    "density": "DENSITY_BASED",
    "random": "RANDOM",
}
"""How the first centroids are found, by TFMOT's name for it."""
MAX_CLUSTERS = 255
"""Distinct int8 values that TFLite uses for weights."""


@dataclass(frozen=True)
class Cluster(Trained):
    """Cluster the weights of every chosen layer, and train the centroids.

    Attributes:
        clusters: distinct values a layer, zero among them if the model is sparse.
        init: `linear` (evenly between smallest and largest weight), `kmeans++`, `density` or `random`.
        layers: `all`, `conv`, `dense`, or `name:PATTERN`. Depthwise kernels and BatchNormalization are never clustered.
        preserve_sparsity: keep the zeros of a pruned model.
    """

    clusters: int = 16
    init: str = "kmeans++"
    layers: str = "all"
    preserve_sparsity: bool = True
    learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_layers(self.layers)
        if not 2 <= self.clusters <= MAX_CLUSTERS:
            raise InputError(
                f"`clusters` is {self.clusters}, expected 2 to {MAX_CLUSTERS}",
                "8 to 32 are common; fewer cost more accuracy",
                code="value-out-of-range",
            )
        if self.init not in INITS:
            raise InputError(f"unknown `init`: `{self.init}`", f"one of: {', '.join(INITS)}", code="unknown-name")

    @property
    def expectation(self) -> str:
        """See `Stage`."""
        return (
            f"clustering, {self.clusters} distinct weights a layer: smaller only after gzip, the raw int8 file stays "
            "as it is; no faster"
        )

    def follow(self, traits: frozenset[str]) -> frozenset[str]:
        """See `Stage`."""
        if QUANTIZED in traits:
            raise InputError(
                "`cluster` after `quantize` would undo the quantization-aware training",
                "cluster first",
                code="stage-order",
            )
        if CLUSTERED in traits:
            raise InputError(
                "`cluster` after `cluster` trains the layers it leaves out, and destroys their clusters",
                "use one `cluster` stage; its `layers` may be a pattern",
                code="stage-order",
            )
        if SPARSE in traits and self.preserve_sparsity and self.clusters < 3:
            raise InputError(
                f"`clusters` is {self.clusters}, and a sparse model needs at least 3: zero, negative and positive",
                "set clusters = 3 or more, or preserve_sparsity = false",
                code="value-out-of-range",
            )
        return (traits if self.preserve_sparsity else traits - {SPARSE}) | {CLUSTERED}

    def run(self, state: ModelState, context: StageContext) -> tuple[ModelState, JsonObject]:
        """See `Stage`."""
        traits = self.follow(state.traits)
        if SPARSE in state.traits - traits:
            context.progress.warn("preserve_sparsity = false: the zeros that pruning made are lost", "zeros-lost")
        model, note = cluster_weights(
            state.model,
            context,
            clusters=self.clusters,
            init=self.init,
            layers=self.layers,
            sparse=SPARSE in traits,
            config=self.config(context.seed),
        )
        return ModelState(model, traits), note


def cluster_weights(
    model: KerasModel,
    context: StageContext,
    *,
    clusters: int,
    init: str,
    layers: str,
    sparse: bool,
    config: TrainConfig,
) -> tuple[KerasModel, JsonObject]:
    """Cluster weights while training and return the clustered model, without wrappers.

    Args:
        model: a tf_keras classifier; left as it is.
        context: splits, preprocessing, progress and the work folder are used.
        clusters: distinct values a layer.
        init: a key of `INITS`.
        layers: `all`, `conv`, `dense` or `name:PATTERN`.
        sparse: keep the zeros there are.
        config: how to train.

    Returns:
        A flat tf_keras model with the layers' names kept, and the note: `layers` (name to weights, zeros, distinct
        values, and the most that one output channel has), `not_clustered` (name to reason) and the training history.

    Raises:
        InputError: nothing matches, or nothing that matches can be clustered.
    """
    flat = rebuild(model)
    chosen = _choose(flat, layers, clusters)
    if chosen.not_pruned:
        context.progress.notify(f"not clustered: {by_reason(chosen.not_pruned)}")
    wrapped = _wrap(flat, chosen, clusters, init, sparse)
    callbacks = keep_zeros(wrapped, skip=[f"cluster_{layer.name}" for layer in chosen.layers]) if sparse else []
    history = train_stage(
        wrapped,
        context,
        config,
        callbacks=callbacks,
    )
    transfer(tfmot().clustering.keras.strip_clustering(wrapped), flat)
    return flat, {"layers": _counts(chosen), "not_clustered": chosen.not_pruned, **history.to_dict()}


def _choose(model: KerasModel, layers: str, clusters: int) -> Chosen:
    chosen = choose(model, layers, "clustered")
    not_pruned = dict(chosen.not_pruned)
    for layer in chosen.layers:
        count = int(np.count_nonzero(kernel(layer)))
        if count <= clusters:
            not_pruned[layer.name] = f"only {count} weights that are not zero, for {clusters} clusters"
        elif not layer.trainable:
            not_pruned[layer.name] = "frozen (trainable = False)"
    left = tuple(layer for layer in chosen.layers if layer.name not in not_pruned)
    if not left:
        raise InputError(
            f"no layer of `{layers}` can be clustered: {by_reason(not_pruned)}",
            "use fewer clusters",
            code="nothing-to-prune",
        )
    return Chosen(left, not_pruned)


def _wrap(flat: KerasModel, chosen: Chosen, clusters: int, init: str, sparse: bool) -> KerasModel:
    keras = tfmot().clustering.keras
    names = {layer.name for layer in chosen.layers}

    def wrapper(layer: KerasLayer) -> list[Part] | None:
        if layer.name not in names:
            return None
        inner = clone(layer)
        inner.build(layer.get_input_shape_at(0))  # the wrapper finds its centroids among the weights when it is built
        inner.set_weights(layer.get_weights())
        wrapped = keras.cluster_weights(
            inner,
            clusters,
            keras.CentroidInitialization[INITS[init]],
            preserve_sparsity=sparse and bool((kernel(layer) == 0).any()),
        )
        return [Part(wrapped)]

    with quiet():
        return rebuild(flat, wrapper)


def _counts(chosen: Chosen) -> dict[str, dict[str, int]]:
    return {
        layer.name: {
            "weights": kernel(layer).size,
            "zeros": int((kernel(layer) == 0).sum()),
            "distinct": len(np.unique(kernel(layer))),
            "distinct_a_channel": max(len(np.unique(c)) for c in np.moveaxis(kernel(layer), -1, 0)),
        }
        for layer in chosen.layers
    }
