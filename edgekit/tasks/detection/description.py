"""How the raw outputs of a detector become boxes: what each output holds, and by which rules."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated

from edgekit.schema.rules import Natural, Range, Sized, Wrong, one_of
from edgekit.schema.types import JsonObject
from edgekit.tasks.detection.forms import FORMS

UNITS = ("pixels", "normalised", "strides")
SCORES = ("plain", "sigmoid", "softmax")
BACKGROUND = ("none", "first", "last")
HOLDS = ("boxes", "objectness", "scores")
"""What channels of an output may hold, in this order."""
MOST_SCALES, MOST_ANCHORS, MOST_PIXELS = 16, 64, 65536
MOST_CELLS = 1 << 22
"""Of all grids, anchors counted: a description may come from anywhere."""
CEILING = 0.01
"""By how much of a cell a grid may be larger than strides say: 320 / 106.67 is 3 cells, 300 / 8 is 38."""
Positive = Annotated[float, Range(1e-6, 1e6)]
Share = Annotated[float, Range(0, 1)]
Anchor = Annotated[tuple[Positive, ...], Sized(2, 2)]


@dataclass(frozen=True)
class Part:
    """What one output of the model holds.

    Attributes:
        holds: which of `HOLDS`, along its channels; empty: nothing that is used.
        axis: where its channels are, `last` or `first` behind the batch.
        anchors: boxes at one position of its grid.
    """

    holds: Annotated[tuple[Annotated[str, one_of(*HOLDS)], ...], Sized(0, 3)]
    axis: Annotated[str, one_of("last", "first")] = "last"
    anchors: Annotated[int, Range(1, MOST_ANCHORS)] = 1


@dataclass(frozen=True)
class Detection:
    """A detector's outputs, described.

    Attributes:
        classes: without a background.
        height, width: of the input, in pixels.
        parts: one an output, in the model's order.
        boxes: a key of `FORMS`; empty while its values are not known.
        units: of what `boxes` are measured in; likewise.
        scores: `plain` if they are probabilities, else what makes them some; likewise.
        background: which column of the scores stands for no object.
        strides: pixels between two cells, one a scale, the finest grid first.
        anchors: of each scale the width and height, in pixels.
        variances: that `deltas` are multiplied by.
        threshold: boxes with lower scores are left out.
        overlap: of two boxes of one class that overlap by more, the one with the lower score is left out.
        most: boxes an image, at most.
    """

    classes: Annotated[int, Range(1, 100_000)]
    height: Annotated[int, Range(1, MOST_PIXELS)]
    width: Annotated[int, Range(1, MOST_PIXELS)]
    parts: Annotated[tuple[Part, ...], Sized(1, 256)]
    boxes: Annotated[str, one_of("", *FORMS)] = ""
    units: Annotated[str, one_of("", *UNITS)] = ""
    scores: Annotated[str, one_of("", *SCORES)] = ""
    background: Annotated[str, one_of(*BACKGROUND)] = "none"
    strides: Annotated[tuple[Annotated[float, Range(1, MOST_PIXELS)], ...], Sized(0, MOST_SCALES)] = ()
    anchors: Annotated[tuple[Annotated[tuple[Anchor, ...], Sized(1, MOST_ANCHORS)], ...], Sized(0, MOST_SCALES)] = ()
    variances: Annotated[tuple[Positive, ...], Sized(4, 4)] = (0.1, 0.1, 0.2, 0.2)
    threshold: Share = 0.001
    overlap: Share = 0.7
    most: Annotated[Natural, Range(1, 10_000)] = 300

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be read from values."""
        return bool(self.boxes and self.units and self.scores)

    @property
    def columns(self) -> int:
        """Columns of the scores."""
        return self.classes + (self.background != "none")

    @property
    def grids(self) -> list[tuple[int, int]]:
        """Rows and columns of the grid of each stride."""
        return [
            (max(1, math.ceil(self.height / s - CEILING)), max(1, math.ceil(self.width / s - CEILING)))
            for s in self.strides
        ]

    @property
    def cells(self) -> int:
        """Cells of all grids, once for each anchor."""
        each = [len(scale) for scale in self.anchors] or [1] * len(self.strides)
        return sum(rows * columns * count for (rows, columns), count in zip(self.grids, each, strict=True))

    def check_consistent(self) -> None:
        """Raise `Wrong` for a form without what it is relative to, and for grids that no image has."""
        form = FORMS.get(self.boxes)
        if form and form.cells and not self.strides:
            raise Wrong(f"has `boxes` {self.boxes}, and no `strides`")
        if self.anchors and len(self.anchors) != len(self.strides):
            raise Wrong(f"has {len(self.anchors)} scales of `anchors`, and {len(self.strides)} `strides`")
        if form and form.anchors and not self.anchors:
            raise Wrong(f"has `boxes` {self.boxes}, and no `anchors`")
        if self.cells > MOST_CELLS:
            raise Wrong(f"has `strides` for {self.cells:,} cells, expected up to {MOST_CELLS:,}")

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return {key: value for key, value in asdict(self).items() if value not in ((), "")}
