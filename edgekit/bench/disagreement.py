"""What the agreement of a device's outputs with this machine's is worth: nothing, doubts, or a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.stats import wilson

ROUNDING_OF_SPAN = {True: 0.02, False: 0.05}
"""Root mean square of all differences, of the span: what rounding explains under one runtime, and under two."""
ROUNDING_STEPS, ROUNDING_OF_VALUE = 1.5, 1e-4
FAR_SHARE, FEW_SHARE = 0.05, 0.01
OTHER_CLASS_SHARE, SOME_OTHER_CLASS = 0.20, 0.05
"""Shares of the samples from which on outputs disagree (the interval's lower end), and from which they are doubted."""


def disagreement(found: Mapping[str, Any], of_classes: bool) -> tuple[str, str]:
    """Judge an agreement: `invalid` or `suspect` with a reason, or two empty texts.

    Args:
        found: what `compare_with_host` returned, maybe of an older edgekit, which counted fewer things.
        of_classes: whether the place of the largest output is the answer.
    """
    if "unavailable" in found or not found["samples"]:
        return "", ""
    samples, same = found["samples"], bool(found.get("same_runtime", True))
    changed = samples - found["same_class"] if of_classes and found["same_class"] is not None else 0
    swapped = found.get("other_class", changed) if changed else 0
    far = found.get("far", 0)
    if wilson(far, samples).low > FAR_SHARE or wilson(swapped, samples).low > OTHER_CLASS_SHARE:
        return "invalid", f"its outputs disagree with this machine's: {described(found, of_classes)}"
    rounding = max(
        ROUNDING_OF_SPAN[same] * found.get("span", 0.0),
        ROUNDING_STEPS if found["unit"] == "steps" else ROUNDING_OF_VALUE * found.get("span", 0.0),
    )
    many = swapped > max(1, SOME_OTHER_CLASS * samples) or far > FEW_SHARE * samples
    if many or found.get("rms", 0.0) > rounding:
        return (
            "suspect",
            f"its outputs differ from this machine's by more than rounding: {described(found, of_classes)}",
        )
    return "", ""


def described(found: Mapping[str, Any], of_classes: bool) -> str:
    """Return what differs, in half a sentence."""
    if "why" in found:
        return str(found["why"])
    largest, samples = found["largest_difference"], found["samples"]
    off = f"{largest} step{'s' * (largest != 1)}" if found["unit"] == "steps" else f"{largest:.2g}"
    parts = []
    if of_classes and found["same_class"] is not None:
        parts.append(f"the same class on {found['same_class']:,} of {samples:,} samples")
    if found.get("far"):
        parts.append(f"{found['far']:,} of {samples:,} samples far off")
    return ", ".join([*parts, f"up to {off} apart"])
