"""Channels removed from a trained model, and the same model with scaled channels, untrained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.errors import InputError
from edgekit.frameworks.types import KerasModel
from edgekit.schema.types import JsonObject
from edgekit.techniques.channels.criteria import check_criterion, importances
from edgekit.techniques.channels.groups import Analysis, analyse
from edgekit.techniques.channels.matching import choose
from edgekit.techniques.channels.select import Rounding, check_amount, select
from edgekit.techniques.channels.surgery import resized
from edgekit.techniques.channels.taylor import Samples
from edgekit.techniques.matching import by_reason, check_layers


@dataclass(frozen=True)
class ChannelPruning:
    """A model without some of its channels.

    Attributes:
        model: a new tf_keras model, not compiled; the old one is unchanged.
        removed: layers that lost channels: name (after the nested models around it, `backbone/conv1`) to the number
            of output channels (before, after). Depthwise convolutions are among them.
        not_pruned: layers that were asked for and lost none, because they must not: name to reason.
        channels_before, channels_after: of the groups that were asked for; channels that go together count once.
        parameters_before, parameters_after: of the whole model.
        notes: sentences on what was not done as asked.
        sizes: of the groups before, by name; see `prune_channels` for rounds.
    """

    model: KerasModel
    removed: dict[str, tuple[int, int]]
    not_pruned: dict[str, str]
    channels_before: int
    channels_after: int
    parameters_before: int
    parameters_after: int
    notes: tuple[str, ...]
    sizes: dict[str, int]

    def to_dict(self) -> JsonObject:
        """Return the JSON form, without the model."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "model"}
        removed = {name: list(counts) for name, counts in self.removed.items()}
        return {**fields, "removed": removed, "not_pruned": dict(self.not_pruned), "notes": list(self.notes)}


def prune_channels(
    model: KerasModel,
    amount: float,
    *,
    scope: str = "local",
    criterion: str = "l1",
    layers: str = "all",
    multiple_of: int = 8,
    minimum: int = 1,
    samples: Samples | None = None,
    sizes: Mapping[str, int] | None = None,
    last: bool = True,
) -> ChannelPruning:
    """Remove the least important channels of a model.

    The channels of a residual sum, of a depthwise convolution and of what feeds it, and others that are coupled, go
    together. A channel that is zero everywhere leaves the outputs as they are; of any other, what it added is lost,
    a constant too. Dropout rates fall with the share of channels that stay.

    Args:
        model: a built tf_keras Sequential or functional model; nested models are followed.
        amount: share of the channels to remove, from 0 to below 1.
        scope: `local`, the same share of every group; `global`, the least important of all groups together.
        criterion: `l1`, `l2`, `bn-gamma` or `taylor`; see `edgekit.techniques.channels.criteria`.
        layers: `all`, `conv`, `dense` or `name:PATTERN`; see `edgekit.techniques.matching`.
        multiple_of: groups of at least twice as many channels keep a multiple of this. int8 kernels like 8.
        minimum: how many channels of a group stay at least.
        samples: for `taylor`: inputs (float32, preprocessed, as the model takes them) and labels (int64).
        sizes: `ChannelPruning.sizes` of the first of several rounds; `amount` is a share of these.
        last: whether no further round follows; before one, what stays is rounded up, so that it is not too little.

    Raises:
        InputError: an argument is out of range or matches nothing, or nothing can be removed from the model.
        ConversionError: a layer cannot be made again from its configuration.
    """
    check_amount(amount, scope)
    check_criterion(criterion)
    check_layers(layers)
    rounding = Rounding(multiple_of, minimum, not last, sizes or {})
    analysis = analyse(model)
    _check_removable(analysis)
    chosen = choose(analysis, layers)
    scores = importances(analysis, chosen.groups, criterion, samples)
    groups = [group for group in chosen.groups if group.name in scores]
    selection = select(groups, scores, amount, scope, rounding)
    kept = analysis.kept(selection.removed)
    without = {
        path: f"the criterion `{criterion}` says nothing about it: there is no BatchNormalization after it"
        for group in chosen.groups
        if group.name not in scores
        for path in group.producers
    }
    before, gone = sum(group.size for group in groups), sum(map(len, selection.removed.values()))
    notes = selection.notes
    if amount and not gone:
        notes = (*notes, f"no channel was removed: {amount:.1%} is less than one, after rounding to {multiple_of}")
    return ChannelPruning(
        model=resized(analysis, kept),
        removed={path: (a, b) for path, (a, b) in analysis.sizes(kept).items() if a != b},
        not_pruned={**chosen.not_pruned, **without},
        channels_before=before,
        channels_after=before - gone,
        parameters_before=model.count_params(),
        parameters_after=analysis.parameters(kept),
        notes=notes,
        sizes={group.name: group.size for group in groups},
    )


def scale_channels(model: KerasModel, width: float, multiple_of: int = 1, taper: float = 1.0) -> KerasModel:
    """Return an untrained model like the given one, with its channels scaled.

    Args:
        model: as for `prune_channels`; its weights do not matter.
        width: how many of its channels every group has, a factor above 0 and at most 1.
        multiple_of: groups of at least twice as many channels get a multiple of this.
        taper: see `group_widths`.

    Returns:
        A tf_keras model with the same names, inputs and outputs, weights from the layers' initializers, and dropout
        rates that are scaled as the channels are.

    Raises:
        InputError: the width is out of range, or no channels of the model can be scaled.
        ConversionError: a layer cannot be made again from its configuration.
    """
    analysis, sizes = _scaled(model, width, multiple_of, taper)
    removed = {group.name: range(sizes[group.name], group.size) for group in analysis.groups}
    return resized(analysis, analysis.kept(removed), fresh=True)


def slice_channels(model: KerasModel, width: float, taper: float = 1.0) -> KerasModel:
    """Return a model like the given one with its most important channels only, and their weights.

    Args:
        model: as for `prune_channels`; what is important is judged by the criterion `l1`.
        width: as for `scale_channels`, which makes a model of the same sizes.
        taper: see `group_widths`.

    Raises:
        InputError, ConversionError: as for `scale_channels`.
    """
    analysis, sizes = _scaled(model, width, 1, taper)
    scores = importances(analysis, analysis.groups, "l1")
    removed = {
        group.name: np.argsort(scores[group.name], kind="stable")[: group.size - sizes[group.name]].tolist()
        for group in analysis.groups
    }
    return resized(analysis, analysis.kept(removed))


def group_widths(width: float, taper: float, groups: int) -> list[float]:
    """Return the factor on the channels of every group, in the order of the model, each at most 1.

    The factors lie on a line on a log scale: the last group's is `taper` times the first one's, and the middle of the
    line is `width`. With a taper above 1 early layers, which multiply most, are the narrow ones; below 1 late layers,
    which hold most weights.
    """
    last = max(groups - 1, 1)
    return [min(1.0, width * taper ** (index / last - 0.5)) for index in range(groups)]


def _scaled(model: KerasModel, width: float, multiple_of: int, taper: float) -> tuple[Analysis, dict[str, int]]:
    """Return what can be removed from a model, and how many channels of every group stay."""
    if not 0 < width <= 1:
        raise InputError(f"`width` is {width}, expected a factor above 0 and at most 1", code="value-out-of-range")
    rounding, analysis = Rounding(multiple_of), analyse(model)
    if width < 1 or taper != 1:
        _check_removable(analysis)
    widths = group_widths(width, taper, len(analysis.groups))
    return analysis, {
        group.name: rounding.kept(group, group.size * factor)
        for group, factor in zip(analysis.groups, widths, strict=True)
    }


def _check_removable(analysis: Analysis) -> None:
    if not analysis.groups:
        single = sum(bool(entry.slices.kernel) for entry in analysis.layers.values()) == 1
        what = "has one layer with channels" if single else "has no channels that can be removed"
        why = f" ({by_reason(analysis.not_pruned)})" if analysis.not_pruned else ""
        raise InputError(f"model `{analysis.model.name}` {what}: nothing to prune{why}", code="nothing-to-prune")
