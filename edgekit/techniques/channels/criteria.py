"""How important every removable unit of a group is.

A filter's importance is divided by the mean over its layer, so that 1 is an average channel of any layer, and layers
of unlike fan-in can be compared. Where several layers are coupled (a residual sum, a depthwise convolution after a
pointwise one), a unit's importance is the mean over all channels that would go with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit.techniques.channels.groups import Analysis, Group
from edgekit.techniques.channels.slicing import filters
from edgekit.techniques.channels.taylor import Samples, contributions

Scores = NDArray[np.float64]
"""One importance a unit of a group."""

CRITERIA = ("l1", "l2", "bn-gamma", "taylor")


def importances(
    analysis: Analysis, groups: Sequence[Group], criterion: str, samples: Samples | None = None
) -> dict[str, Scores]:
    """Return the importance of every unit, by the name of its group.

    Args:
        analysis: of the model.
        groups: those to judge.
        criterion: `l1` or `l2`, the norm of a filter without its bias (Li et al. 2017, arXiv 1608.08710); `bn-gamma`,
            the scale that BatchNormalization gives the channel (Liu et al. 2017, arXiv 1708.06519); `taylor`, what
            the loss would change to first order (Molchanov et al. 2017, arXiv 1611.06440).
        samples: for `taylor`, model inputs (float32, preprocessed) and labels (int64).

    Returns:
        Group name to importances. Groups that the criterion says nothing about (no BatchNormalization) are missing.

    Raises:
        InputError: no group can be judged, samples are missing or unfit, or the weights are not finite.
    """
    check_criterion(criterion)
    if criterion == "taylor":
        if samples is None:
            raise InputError(
                "the criterion `taylor` needs samples", "give samples and labels, or use `l1`", code="criterion-unfit"
            )
        by_root = contributions(analysis, samples)
        scores = {group.name: _to_mean_1(by_root[list(group.roots)]) for group in groups}
    elif criterion == "bn-gamma":
        scores = _gammas(analysis, groups)
    else:
        scores = _norms(analysis, groups, criterion)
    for name, values in scores.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"`{name}`: the criterion `{criterion}` gives numbers that are not finite",
                "check the weights of the model for NaN",
                code="criterion-unfit",
            )
    return scores


def check_criterion(criterion: str) -> None:
    """Raise InputError unless the criterion is one of `CRITERIA`."""
    if criterion not in CRITERIA:
        raise InputError(f"unknown criterion `{criterion}`", f"one of: {', '.join(CRITERIA)}", code="unknown-name")


def _norms(analysis: Analysis, groups: Sequence[Group], criterion: str) -> dict[str, Scores]:
    order = 1 if criterion == "l1" else 2
    paths = dict.fromkeys(path for group in groups for path in group.producers)
    norms = {
        path: _to_mean_1(np.linalg.norm(filters(analysis.layers[path]).astype(np.float64), order, axis=1))
        for path in paths
    }
    return {
        group.name: np.asarray([np.mean([norms[path][i] for path, i in unit]) for unit in group.members])
        for group in groups
    }


def _gammas(analysis: Analysis, groups: Sequence[Group]) -> dict[str, Scores]:
    by_root: dict[int, list[float]] = {}
    for entry in analysis.layers.values():
        gamma = getattr(entry.layer, "gamma", None)
        if "gamma" in entry.slices.axes and gamma is not None:
            values = _to_mean_1(np.abs(gamma.numpy().astype(np.float64)))
            for index, value in zip(entry.ids_in.tolist(), values.tolist(), strict=True):
                by_root.setdefault(int(analysis.roots[index]), []).append(value)
    judged = [group for group in groups if all(root in by_root for root in group.roots)]
    if not judged:
        raise InputError(
            "the criterion `bn-gamma` needs BatchNormalization (with its scale) after the layers, and there is none",
            "use `l1`, `l2` or `taylor`",
            code="criterion-unfit",
        )
    return {group.name: np.asarray([np.mean(by_root[root]) for root in group.roots]) for group in judged}


def _to_mean_1(values: Scores) -> Scores:
    mean = float(values.mean())
    return values / mean if mean > 0 else values
