"""Weights set to zero while training, by the masks and schedules of TensorFlow Model Optimization (TFMOT).

Zhu and Gupta 2017, "To prune, or not to prune" (arXiv 1710.01878); guide:
https://www.tensorflow.org/model_optimization/guide/pruning

TFMOT prunes every layer by itself. A global threshold becomes one sparsity a layer before training starts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypedDict

import numpy as np

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import quiet, tfmot
from edgekit.frameworks.types import KerasLayer, KerasModel, KerasObject
from edgekit.models.keras.rebuild import Part, clone, rebuild, transfer
from edgekit.models.training.training import TrainConfig
from edgekit.schema.types import JsonObject
from edgekit.techniques.masks import keep_zeros
from edgekit.techniques.matching import SCOPES, by_reason
from edgekit.techniques.selection import Chosen, choose, has_two_of_four, kernel
from edgekit.techniques.sparsity_targets import global_keeps, local_keeps, magnitudes
from edgekit.techniques.stage import StageContext
from edgekit.techniques.training import train_stage

GRANULARITIES = ("weight", "block", "2:4")
POLYNOMIAL = "polynomial"
SCHEDULES = ("constant", POLYNOMIAL)
RAMP = 0.5
"""Share of the training in which `polynomial` raises the sparsity; the rest is for recovery."""
MASK_UPDATES = 100
"""How often at most the mask is computed on the way up: each time costs a sort of every kernel."""

MakeSchedule = Callable[[float, float], KerasObject]
"""Takes the share of zeros there are and the share wanted, and returns a schedule of TFMOT."""


class LayerCounts(TypedDict):
    """Weights of a kernel, the zeros among them, and their share."""

    weights: int
    zeros: int
    sparsity: float


class Counts(TypedDict):
    """What the note holds of the zeros: their share over all chosen layers, and every layer by name."""

    sparsity: float
    layers: dict[str, LayerCounts]


def prune_weights(
    model: KerasModel,
    context: StageContext,
    *,
    sparsity: float,
    scope: str,
    granularity: str,
    layers: str,
    schedule: str,
    config: TrainConfig,
    block: tuple[int, int] = (1, 4),
) -> tuple[KerasModel, JsonObject]:
    """Prune weights while training and return the pruned model, without wrappers.

    Args:
        model: a tf_keras classifier; left as it is.
        context: splits, preprocessing, progress and the work folder are used.
        sparsity: share of the chosen layers' kernel weights to become zero, from 0 up to below 1.
        scope: `local`, the same share in every layer; `global`, one magnitude threshold over all of them.
        granularity: `weight`; `block`, for dense layers only (TFMOT prunes blocks of matrices); `2:4`, two of every
            four neighbours along the input channels, which is a sparsity of exactly 0.5.
        layers: `all`, `conv`, `dense` or `name:PATTERN`.
        schedule: `polynomial`, zeros grow over the first half of the training; `constant`, all at the first step.
        config: how to train; the best epoch is chosen among those at the final sparsity.
        block: height (inputs) and width (outputs) of a block.

    Returns:
        A flat tf_keras model with the layers' names kept, and the note: `sparsity` over the chosen layers, `layers`
        (name to weights, zeros and sparsity), `not_pruned` (name to reason), `held_up` (layers that a global threshold
        would have emptied) and the training history.

    Raises:
        InputError: an option is out of range, nothing matches, or nothing that matches can be pruned.
    """
    check(sparsity, scope, granularity, schedule, block)
    flat = rebuild(model)
    unit = block if granularity == "block" else (1, 1)
    chosen = _choose(flat, layers, granularity, unit)
    if chosen.not_pruned:
        context.progress.notify(f"not pruned: {by_reason(chosen.not_pruned)}")
    targets, held = _targets(chosen, sparsity, scope, granularity, unit)
    for name in held:
        context.progress.warn(
            f"`{name}`: the global threshold would have emptied this layer, "
            f"it keeps {1 - targets[name]:.1%} of its weights",
            "less-pruned",
        )
    steps = math.ceil(len(context.splits.x_train) / config.batch_size)
    make, final_step = _schedule(schedule if granularity != "2:4" else "constant", steps * config.epochs)
    wrapped = _wrap(flat, targets, make, granularity, unit)
    history = train_stage(
        wrapped,
        context,
        config,
        callbacks=[tfmot().sparsity.keras.UpdatePruningStep(), *keep_zeros(wrapped)],
        keep_from=(final_step - 1) // steps,
    )
    transfer(tfmot().sparsity.keras.strip_pruning(wrapped), flat)
    note = {**_counts(chosen), "not_pruned": chosen.not_pruned, "held_up": held, **history.to_dict()}
    return flat, note


def check(sparsity: float, scope: str, granularity: str, schedule: str, block: tuple[int, int] = (1, 1)) -> None:
    """Refuse options that mean nothing for any model.

    Raises:
        InputError: what is wrong, and what is allowed.
    """
    if not 0 <= sparsity < 1:
        raise InputError(
            f"`amount` is {sparsity}, expected a share of the weights, from 0 to below 1",
            "0.5 makes half of the weights zero",
            code="value-out-of-range",
        )
    allowed = (("scope", scope, SCOPES), ("granularity", granularity, GRANULARITIES))
    for name, value, known in (*allowed, ("schedule of sparsity", schedule, SCHEDULES)):
        if value not in known:
            raise InputError(f"unknown {name} `{value}`", f"one of: {', '.join(known)}", code="unknown-name")
    if granularity == "2:4" and sparsity != 0.5:
        raise InputError(
            f"`amount` is {sparsity}, expected 0.5 with granularity `2:4`",
            "2:4 means two zeros in every four weights",
            code="value-out-of-range",
        )
    if len(block) != 2 or min(block) < 1:
        raise InputError(
            f"`block` is {block}, expected height and width, both at least 1",
            "for example (1, 4)",
            code="value-out-of-range",
        )


def _choose(model: KerasModel, layers: str, granularity: str, unit: tuple[int, int]) -> Chosen:
    chosen = choose(model, layers, "pruned")
    not_pruned = dict(chosen.not_pruned)
    for layer in chosen.layers:
        shape = kernel(layer).shape
        if granularity == "block" and len(shape) != 2:
            not_pruned[layer.name] = "TFMOT prunes blocks of matrices only, not of convolution kernels"
        elif granularity == "block" and any(n <= size for n, size in zip(shape, unit, strict=True) if size > 1):
            not_pruned[layer.name] = (
                f"TFMOT needs more than one block of {unit[0]}x{unit[1]} each way, it is {shape[0]}x{shape[1]}"
            )
        elif granularity == "2:4" and not has_two_of_four(layer):
            not_pruned[layer.name] = f"TFMOT has no 2:4 for {type(layer).__name__}"
        elif granularity == "2:4" and shape[-2] < 3:
            not_pruned[layer.name] = f"{shape[-2]} input channels are too few for two zeros in four"
        elif kernel(layer).size < 2:
            not_pruned[layer.name] = "it has one weight only"
    left = tuple(layer for layer in chosen.layers if layer.name not in not_pruned)
    if not left:
        raise InputError(
            f"no layer of `{layers}` can be pruned by {granularity}: {by_reason(not_pruned)}",
            "choose other layers, or granularity `weight`, which takes every kernel",
            code="nothing-to-prune",
        )
    return Chosen(left, not_pruned)


def _targets(
    chosen: Chosen, sparsity: float, scope: str, granularity: str, unit: tuple[int, int]
) -> tuple[dict[str, float], list[str]]:
    """Return the sparsity that TFMOT is to reach in every layer, and the layers that the floor held up."""
    names = [layer.name for layer in chosen.layers]
    if granularity == "2:4":
        return dict.fromkeys(names, sparsity), []
    ranked = [magnitudes(kernel(layer), unit) for layer in chosen.layers]
    held = list[int]()
    if scope == "global":
        keeps, held = global_keeps(ranked, sparsity)
    else:
        keeps = local_keeps(ranked, sparsity)
    shares = [1 - keep / len(values) for keep, (values, _) in zip(keeps, ranked, strict=True)]
    return dict(zip(names, shares, strict=True)), [names[i] for i in held]


def _schedule(schedule: str, total: int) -> tuple[MakeSchedule, int]:
    """Return how to make a TFMOT schedule from the zeros there are and those wanted, and the step that gets there.

    TFMOT counts steps from 1 and computes the mask in steps `begin + k * frequency` only, so the end is one of those.
    """
    keras = tfmot().sparsity.keras
    ramp = int(total * RAMP)
    frequency = max(1, ramp // MASK_UPDATES)
    end = 1 + ramp // frequency * frequency
    if schedule == "constant" or end == 1:
        return lambda _, final: keras.ConstantSparsity(final, 1, 1, 1), 1
    return lambda initial, final: keras.PolynomialDecay(min(initial, final), final, 1, end, 3, frequency), end


def _wrap(
    flat: KerasModel,
    targets: dict[str, float],
    make: MakeSchedule,
    granularity: str,
    unit: tuple[int, int],
) -> KerasModel:
    def wrapper(layer: KerasLayer) -> list[Part] | None:
        if layer.name not in targets:
            return None
        zeros = float(np.mean(kernel(layer) == 0))
        pattern = {"sparsity_m_by_n": (2, 4)} if granularity == "2:4" else {"block_size": unit}
        wrapped = tfmot().sparsity.keras.prune_low_magnitude(
            clone(layer), pruning_schedule=make(zeros, targets[layer.name]), **pattern
        )
        return [Part(wrapped, layer.get_weights())]

    with quiet():
        return rebuild(flat, wrapper)


def _counts(chosen: Chosen) -> Counts:
    layers: dict[str, LayerCounts] = {}
    for layer in chosen.layers:
        values = kernel(layer)
        zeros = int((values == 0).sum())
        layers[layer.name] = {"weights": values.size, "zeros": zeros, "sparsity": round(zeros / values.size, 5)}
    total = sum(entry["zeros"] for entry in layers.values()) / sum(entry["weights"] for entry in layers.values())
    return {"sparsity": round(total, 5), "layers": layers}
