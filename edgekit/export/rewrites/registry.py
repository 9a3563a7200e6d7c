"""The rewrites, in the order in which they are applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.export.rewrites.activations import bound_activations
from edgekit.export.rewrites.ahead import fold_ahead
from edgekit.export.rewrites.behind import fold_behind
from edgekit.export.rewrites.depthwise import to_depthwise
from edgekit.export.rewrites.equalize import equalize
from edgekit.export.rewrites.view import View


@dataclass(frozen=True)
class Rewrite:
    """A change of a model after which it computes the same in float.

    Attributes:
        name: in the manifest.
        description: what it does, for the README of a bundle.
        function: makes the changes on a view, and returns in how many places.
    """

    name: str
    description: str
    function: Callable[[View], int]


REWRITES = (
    Rewrite("bounded-activations", "activations computed without unbounded values in between", bound_activations),
    Rewrite("fold-behind", "scales taken into the layers before them, through activations and pooling", fold_behind),
    Rewrite("fold-ahead", "scales and shifts taken into the layers that read them", fold_ahead),
    Rewrite("depthwise-affine", "scales and shifts computed by a 1x1 depthwise convolution", to_depthwise),
    Rewrite("equalize", "channels made alike in range before depthwise convolutions", equalize),
)
