"""A detector's description, found: from the shapes of its outputs and the number of classes, then from its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from math import prod

import numpy as np

from edgekit.errors import InputError
from edgekit.schema.rules import Wrong
from edgekit.tasks.detection.decoding import joined
from edgekit.tasks.detection.description import HOLDS, Detection, Part
from edgekit.tasks.detection.forms import DECODED, FORMS
from edgekit.tasks.detection.options import EXAMPLE, NOTHING, Options
from edgekit.tasks.samples import Array

Shape = tuple[int | None, ...]
STRIDES = (
    (8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32), (8, 16), (8, 16, 32, 64, 128), (8,), (16,), (32,), (4,),
)  # fmt: skip
"""That a list of boxes is tried with, where none are given."""
BINS = 16
"""Of each side of a `dfl` box, as YOLOv8 to YOLO11 have them."""
CORNERS = 0.99
"""Share of the boxes whose second corner is right of and below the first, if they are corners."""
MOST_READINGS = 100_000
"""Ways to read all outputs that are tried."""
CELLS = {"yolox": "pixels", "ltrb": "strides"}
"""Forms relative to cells that need no anchors, with their usual units."""
LARGEST_SHARE = 2.0
"""Coordinates above are pixels."""


def describe(
    names: Sequence[str], shapes: Sequence[Shape], size: tuple[int, int], classes: int, options: Options = NOTHING
) -> Detection:
    """Return how outputs are decoded; what their values must show is left empty (`settle`).

    Args:
        names: of the outputs, in the model's order.
        shapes: of the same, without the batch.
        size: height and width of the input.
        classes: of the data.
        options: what the user says.

    Raises:
        InputError: the shapes are of no detector of so many classes, or something must be given: all in one message.
    """
    return _Finder(list(names), list(shapes), size, classes, options).described()


@dataclass(frozen=True)
class _Fit:
    """A way to read one output."""

    part: Part
    positions: int
    background: bool
    bins: bool


class _Finder:
    def __init__(
        self, names: list[str], shapes: list[Shape], size: tuple[int, int], classes: int, options: Options
    ) -> None:
        self._names, self._shapes, self._size, self._classes, self._options = names, shapes, size, classes, options

    def described(self) -> Detection:
        fits = self._consistent()
        parts = [fit.part for fit in fits]
        given = self._options.given()
        for key in ("outputs", "layout"):
            given.pop(key, None)
        boxes = given.pop("boxes", None) or self._form(fits)
        background = given.pop("background", None) or ("first" if any(fit.background for fit in fits) else "none")
        made = Detection(self._classes, *self._size, tuple(parts), boxes or "", background=background, **given)
        form = FORMS.get(made.boxes)
        if form and form.cells:
            made = replace(made, strides=made.strides or self._strides(fits, made))
            made = replace(made, units=made.units or ("strides" if boxes in ("ltrb", "dfl") else "pixels"))
        self._refuse_missing(made, fits, decided=boxes is not None)
        try:
            made.check_consistent()
        except Wrong as error:
            raise self._unfit(f"the description {error.reason}") from None
        total = sum(fit.positions for fit in fits if "boxes" in fit.part.holds)
        if form and form.cells and made.cells != total:
            raise self._unfit(
                f"strides {', '.join(f'{s:g}' for s in made.strides)} give {made.cells:,} boxes of an input of "
                f"{self._size[0]}x{self._size[1]}, the outputs have {total:,}"
            )
        return made

    def _consistent(self) -> list[_Fit]:
        """Return the first way to read all outputs in which each box has its scores.

        Raises:
            InputError: there is none.
        """
        each = [self._fits(index) for index in range(len(self._shapes))]
        for combination in islice(product(*each), MOST_READINGS):
            if self._whole(combination):
                return list(combination)
        widths = f"4+{self._classes}, 5+{self._classes}, or 4 and {self._classes} (+1 for a background) apart"
        raise self._unfit(f"with {self._classes} classes a box has {widths} numbers, along the last or the first axis")

    def _whole(self, fits: Sequence[_Fit]) -> bool:
        positions = {what: sorted(fit.positions for fit in fits if what in fit.part.holds) for what in HOLDS}
        if not positions["boxes"] or positions["boxes"] != positions["scores"]:
            return False
        if positions["objectness"] and positions["objectness"] != positions["boxes"]:
            return False
        return len({fit.background for fit in fits if "scores" in fit.part.holds}) == 1

    def _fits(self, index: int) -> list[_Fit]:
        """Return the ways to read an output, the likeliest first."""
        shape, said = self._shapes[index], self._options.outputs
        if said is not None:
            if len(said) != len(self._shapes):
                raise self._unfit(f"`outputs` names {len(said)} of them, the model has {len(self._shapes)}")
            wanted: tuple[str, ...] | None = () if said[index] == "-" else tuple(said[index].split("+"))
            if wanted and (not set(wanted) <= set(HOLDS) or list(wanted) != [h for h in HOLDS if h in wanted]):
                raise self._unfit(f"`outputs` holds `{said[index][:80]}`, expected of {', '.join(HOLDS)}, joined by +")
            if not wanted:
                return [_Fit(Part(()), 0, background=False, bins=False)]
        else:
            wanted = None
        if len(shape) < 2 or None in shape:
            return []
        sizes = tuple(int(n or 0) for n in shape)
        axes = [self._options.layout] if self._options.layout else ["last", "first"]
        found = []
        for axis in axes:
            width = sizes[-1] if axis == "last" else sizes[0]
            places = prod(sizes) // width if width else 0
            for anchors in self._anchor_counts(sizes, axis):
                stacked = anchors if len(sizes) == 3 else 1
                if width % stacked:
                    continue
                for holds, background, bins in self._holding(width // stacked):
                    if wanted is None or holds == wanted:
                        part = Part(holds, axis, anchors)
                        found.append(_Fit(part, places * stacked, background=background, bins=bins))
        return found

    def _anchor_counts(self, sizes: tuple[int, ...], axis: str) -> list[int]:
        """Return how many anchors a position may have; flat lists have their boxes one by one."""
        given = self._options.anchors
        if given is None or len(sizes) < 3:
            return [1]
        return sorted({len(scale) for scale in given})

    def _holding(self, width: int) -> list[tuple[tuple[str, ...], bool, bool]]:
        """Return what so many channels may be: what they hold, whether with a background, whether boxes are bins."""
        background = self._options.background
        extra = [0, 1] if background is None else [int(background != "none")]
        sides = [4 * BINS] if self._options.boxes == "dfl" else [4] if self._options.boxes else [4, 4 * BINS]
        found: list[tuple[tuple[str, ...], bool, bool]] = []
        for side in sides:
            bins = side > 4
            for more in extra:
                if width == side + self._classes + more:
                    found.append((("boxes", "scores"), bool(more), bins))
                if not more and width == side + 1 + self._classes:
                    found.insert(0, (("boxes", "objectness", "scores"), False, bins))
            if width == side:
                found.append((("boxes",), False, bins))
        found += [(("scores",), bool(more), False) for more in extra if width == self._classes + more]
        if width == 1:
            found.append((("objectness",), False, False))
        return found

    def _form(self, fits: Sequence[_Fit]) -> str | None:
        """Return the form of boxes that shapes show; empty: one that values show; None: it must be given."""
        if any(fit.bins for fit in fits):
            return "dfl"
        used = [(fit, shape) for fit, shape in zip(fits, self._shapes, strict=True) if fit.part.holds]
        together = len(used) == 1 and "scores" in used[0][0].part.holds
        flat = len(used[0][1]) == 2
        return "" if together and flat and not self._options.anchors and not self._options.strides else None

    def _strides(self, fits: Sequence[_Fit], made: Detection) -> tuple[float, ...]:
        """Return the strides that grids of outputs, or the number of boxes, show; nothing if they do not."""
        maps = [
            (shape[1:] if fit.part.axis == "first" else shape[:-1])[-2:]
            for shape, fit in zip(self._shapes, fits, strict=True)
            if "boxes" in fit.part.holds and len(shape) > 2
        ]
        if maps:
            return tuple(sorted(self._size[0] / int(rows or 1) for rows, _ in maps))
        return _usual_strides(made, sum(fit.positions for fit in fits if "boxes" in fit.part.holds))

    def _refuse_missing(self, made: Detection, fits: Sequence[_Fit], *, decided: bool) -> None:
        form = FORMS.get(made.boxes)
        missing = []
        if not decided:
            missing.append(f"`boxes`, how a box is written: {', '.join(FORMS)}")
        if not decided or (form and form.anchors and not made.anchors):
            which = "" if decided else "of deltas, yolo3 and yolo5 "
            missing += [f"{which}`anchors`: of each scale the widths and heights in pixels"] * (not made.anchors)
        if (not decided and not made.strides) or (form and form.cells and not made.strides):
            which = "" if decided else "of all but xywh, xyxy and yxyx, if outputs are lists, "
            missing.append(f"{which}`strides`: pixels between the cells of each scale")
        if missing:
            raise InputError(
                f"{self._outputs()}: the detector's outputs cannot be decoded without {'; '.join(missing)}",
                f"give all of it at once: {EXAMPLE}, or --task detector.toml with a table [detection] "
                "(docs/detection.md)",
                code="detection-not-described",
            )

    def _unfit(self, why: str) -> InputError:
        return InputError(
            f"{self._outputs()}: {why}",
            f"name what each holds: --task 'detection:outputs=[boxes,scores]'; or {EXAMPLE} (docs/detection.md)",
            code="detection-does-not-fit",
        )

    def _outputs(self) -> str:
        named = [f"`{name}` {shape}" for name, shape in zip(self._names[:8], self._shapes[:8], strict=True)]
        return f"output{'s' * (len(self._names) > 1)} {', '.join(named)}"


def readings(how: Detection, outputs: Sequence[Array]) -> list[Detection]:
    """Return the ways in which outputs may be meant, as their values look first; one where the form is known.

    Args:
        how: as `describe` returned it.
        outputs: raw, of some samples, in real units; their values must be finite.

    Returns:
        Settled descriptions. Of a list of boxes with their scores beside them: each form that needs no anchors, those
        relative to cells only where strides give as many boxes.
    """
    first = _settled(how, outputs)
    if how.boxes or not first.settled:
        return [first]
    boxes = joined(outputs, first, "boxes")
    total = 0 if boxes is None else boxes.shape[1]
    strides = _usual_strides(first, total)
    made = [replace(first, boxes=form) for form in DECODED if form != first.boxes]
    made += [replace(first, boxes=form, units=units, strides=strides) for form, units in CELLS.items() if strides]
    return [first, *made]


def _usual_strides(how: Detection, total: int) -> tuple[float, ...]:
    """Return the first of `STRIDES` that gives so many boxes; nothing if none does."""
    fitting = (s for s in STRIDES if not how.anchors or len(how.anchors) == len(s))
    found = next((s for s in fitting if replace(how, strides=s).cells == total), ())
    return tuple(map(float, found))


def _settled(how: Detection, outputs: Sequence[Array]) -> Detection:
    """Return the description with what values show, if they are finite."""
    if how.settled or not all(np.isfinite(output).all() for output in outputs):
        return how
    boxes, scores = joined(outputs, how, "boxes"), joined(outputs, how, "scores")
    if boxes is None or scores is None:
        return how
    form, units, kind = how.boxes, how.units, how.scores
    if not form:
        ordered = (boxes[..., 2] >= boxes[..., 0]) & (boxes[..., 3] >= boxes[..., 1])
        form = "xyxy" if float(ordered.mean()) >= CORNERS else "xywh"
    if not units:
        share = form in DECODED and float(boxes.max()) <= LARGEST_SHARE
        units = "normalised" if share else "pixels"
    if not kind:
        probable = float(scores.min()) >= 0 and float(scores.max()) <= 1
        kind = "plain" if probable else "softmax" if how.background != "none" else "sigmoid"
    return replace(how, boxes=form, units=units, scores=kind)


def settle(how: Detection, outputs: Sequence[Array]) -> tuple[Detection, str]:
    """Return the description with what values show, and a sentence that says so; empty if nothing was open.

    Args:
        how: as `describe` returned it.
        outputs: raw, of some samples, in real units.
    """
    found = _settled(how, outputs)
    return found, in_words(found) if found is not how else ""


def in_words(how: Detection) -> str:
    """Return what outputs are taken for, of a settled description."""
    meant = {"plain": "probabilities", "sigmoid": "before a sigmoid", "softmax": "before a softmax"}[how.scores]
    strides = f", strides {', '.join(f'{s:g}' for s in how.strides)}" if FORMS[how.boxes].cells else ""
    return f"boxes are taken as {how.boxes} ({FORMS[how.boxes].holds}), {how.units}{strides}; scores as {meant}"
