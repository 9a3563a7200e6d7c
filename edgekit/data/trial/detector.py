"""A detector tried on labelled images: how it is fed, and how its boxes are written, where that is not known.

The loss of an image is the share of its labelled boxes that are not found among as many of the surest detections (its
R-precision, at overlaps from one half); a constant guess, no box, has a loss of 1. Unlike mean average precision it is
one number an image, so that two ways are compared in pairs as those of other models are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.data.lint.finding import Finding
from edgekit.data.trial.candidates import flipped
from edgekit.data.trial.cost import afforded
from edgekit.data.trial.evidence import GAIN, clearly_better, tied
from edgekit.data.trial.looked import Looked
from edgekit.data.trial.race import Predict, as_rows
from edgekit.data.trial.words import OPTIONS, formula
from edgekit.errors import ChanceError
from edgekit.schema.types import JsonObject
from edgekit.tasks.detection.boxes import Floats, overlaps
from edgekit.tasks.detection.decoding import detections
from edgekit.tasks.detection.description import Detection
from edgekit.tasks.detection.finding import in_words, readings, settle
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, Stored
from edgekit.tasks.task import Task

SCANNED = 64
"""Samples that are looked through for images with boxes."""
IMAGES = 32
"""That each way of feeding is tried on; `LEAST` of a large model."""
LEAST = 16
BEST = 3
"""Ways of feeding whose channels are tried in the other order, too; all of them where none finds anything."""
SURE = 0.05
"""Detections of lower scores are left out: they take long to suppress."""
OVERLAP = 0.5
FEWEST_BOXES = 20
"""Labelled boxes, below which a detector is not refused."""
ONE_CLASS = np.array([0, 1, 1, 1, 1, 1])
"""Times boxes, found or labelled: all classes are one."""
PLACED = 0.3
"""Share of the boxes from which on they are found, whatever their classes."""
PROVEN = 0.5
"""Share of the boxes from which on a detector is fed as in its training, beyond doubt."""
NOTHING = 0.02
"""Share of the boxes up to which as good as none is found."""


@dataclass(frozen=True)
class Tried:
    """A way of feeding, and of reading the boxes.

    Attributes:
        how: the preprocessing.
        boxes: the description; settled if the outputs were finite.
        losses: of each image with boxes, (n,).
        placed: the mean share of an image's boxes that is found if all classes are one.
    """

    how: Preprocessing
    boxes: Detection
    losses: Floats
    placed: float = 0.0

    @property
    def found(self) -> float:
        """The mean share of an image's boxes that is found."""
        return 1 - float(self.losses.mean())

    @property
    def text(self) -> str:
        """How good that is."""
        return f"{100 * self.found:.1f} % of an image's boxes found"


def look_at_detector(
    name: str,
    predict: Predict,
    macs: float,
    x: Stored,
    y: Array,
    task: Task,
    ways: Sequence[Preprocessing],
    *,
    given: bool,
    anyway: bool,
) -> Looked:
    """Run a detector on labelled images; see `edgekit.data.trial.look.look`.

    Args:
        name: of the model, for sentences.
        predict: runs it.
        macs: its multiplications, about.
        x: samples as stored, in random order.
        y: their boxes, (n, boxes, `TRUTH`).
        task: with a description, which may be unsettled.
        ways: how the samples may be fed, the default first.
        given: whether the user gave that, so that it alone is tried.
        anyway: go on with a detector that finds nothing.

    Raises:
        ChanceError: it finds none of the boxes, however it is fed and its boxes are read.
        InputError: the model cannot be run on the samples.
    """
    assert task.detection is not None
    rows = np.flatnonzero((y[..., 0] >= 0).any(axis=1))[: afforded(IMAGES, macs * len(ways), LEAST)]
    images, truth = as_rows(x, rows), np.asarray(y[rows], np.float64)
    if not len(rows):
        return _untried(name, predict, as_rows(x, slice(LEAST)), task, ways[0])
    if given:
        ways = ways[:1]
    tried = [one for way in ways for one in _tried(way, predict, images, truth, task.detection)]
    ordered = sorted(tried, key=lambda one: -one.found)
    for best in [] if given else ordered[:BEST] if ordered[0].found else tried:
        turned = flipped(best.how, images)
        if turned is not None and turned not in {one.how for one in tried}:
            tried += _tried(turned, predict, images, truth, task.detection)
    return _Settled(name, task, tried, int((truth[..., 0] >= 0).sum()), given).looked(anyway=anyway)


def _untried(name: str, predict: Predict, images: Stored, task: Task, how: Preprocessing) -> Looked:
    """Return what values show where no image has a labelled box."""
    assert task.detection is not None
    outputs = [np.asarray(output, np.float64) for output in predict(how.apply(images))]
    boxes = settle(task.detection, outputs)[0]
    notice = f"{name}: none of {len(images)} images has a labelled box to try it on; inputs are {formula(how)}"
    notice += f", {in_words(boxes)}" if boxes.settled else ""
    return Looked(how, replace(task, detection=boxes), notice)


def _tried(way: Preprocessing, predict: Predict, images: Stored, truth: Floats, how: Detection) -> list[Tried]:
    outputs = [np.asarray(output, np.float64) for output in predict(way.apply(images))]
    if not all(np.isfinite(output).all() for output in outputs):
        return [Tried(way, how, np.ones(len(truth)))]
    return [_judged(way, one, outputs, truth) for one in readings(how, outputs)]


def _judged(way: Preprocessing, how: Detection, outputs: Sequence[Array], truth: Floats) -> Tried:
    if not how.settled:
        return Tried(way, how, np.ones(len(truth)))
    most = int((truth[..., 0] >= 0).sum(axis=1).max())
    found = detections(outputs, replace(how, threshold=max(how.threshold, SURE), most=most))
    pairs = [
        (mine[mine[:, 0] >= 0], labelled[labelled[:, 0] >= 0]) for mine, labelled in zip(found, truth, strict=True)
    ]
    placed = [_share(mine * ONE_CLASS, labelled * ONE_CLASS) for mine, labelled in pairs]
    return Tried(way, how, np.array([1 - _share(*pair) for pair in pairs]), float(np.mean(placed)))


def _share(found: Floats, labelled: Floats) -> float:
    """Return the share of the labelled boxes that are among as many of the first ones found."""
    left = labelled
    for box in found[: len(labelled)]:
        own = (left[:, 0] == box[0]) & (overlaps(box[2:6], left[:, 1:5]) >= OVERLAP)
        left = np.delete(left, np.flatnonzero(own)[:1], axis=0)
    return 1 - len(left) / len(labelled)


class _Settled:
    """What the trial means."""

    def __init__(self, name: str, task: Task, tried: Sequence[Tried], boxes: int, given: bool) -> None:
        self._name, self._task, self._tried, self._boxes, self._given = name, task, tried, boxes, given
        self._used = self._best()

    def _best(self) -> Tried:
        """Return the first, or what is clearly better; of several that are alike the likeliest."""
        first = self._tried[0]
        better = [one for one in self._tried[1:] if clearly_better(one.losses, first.losses)]
        if not better:
            return first
        best = min(better, key=lambda one: float(one.losses.mean()))
        return next(one for one in better if tied(best.losses, one.losses))

    def looked(self, *, anyway: bool) -> Looked:
        used, images = self._used, len(self._used.losses)
        findings = []
        if self._boxes >= FEWEST_BOXES and used.found < NOTHING:
            error = self._nothing()
            if not anyway:
                raise error
            findings.append(Finding(error.code, error.message, ""))
        elif self._boxes >= FEWEST_BOXES and used.found < GAIN:
            message = f"{self._name}: only {used.text} in {images} images with inputs {formula(used.how)}"
            hint = f"check that it was trained with this preprocessing ({OPTIONS}), and how its boxes are written"
            findings.append(Finding("near-chance", message, hint))
        task = replace(self._task, detection=used.boxes)
        return Looked(used.how, task, self._line(), tuple(findings), self._record(), proven=used.found >= PROVEN)

    def _nothing(self) -> ChanceError:
        images, placed = len(self._used.losses), max(self._tried, key=lambda one: one.placed)
        if placed.placed >= PLACED:
            return ChanceError(
                f"{self._name}: finds {100 * placed.placed:.0f} % of an image's boxes, and takes as good as all for "
                f"other classes than the labels, in {images} images with inputs {formula(placed.how)}",
                "number the classes of the labels as the model does (docs/detection.md); --anyway goes on all the same",
                code="no-better-than-chance",
            )
        how = "as it is fed" if self._given else "whatever the preprocessing and the form of its boxes"
        return ChanceError(
            f"{self._name}: finds none of {self._boxes} labelled boxes in {images} images, {how}; "
            f"tried: {self._list()}",
            f"give the preprocessing of its training ({OPTIONS}), and how its boxes are written (--task "
            "'detection:boxes=...', docs/detection.md), and check the labels; --anyway goes on all the same",
            code="no-better-than-chance",
        )

    def _line(self) -> str:
        used, first = self._used, self._tried[0]
        line = f"{self._name}: {used.text} in {len(used.losses)} images; inputs are {formula(used.how)}"
        line += f", {in_words(used.boxes)}" if used.boxes.settled else ""
        if used is first:
            return line
        return f"{line}, chosen by trial: {first.text} with {formula(first.how)} and boxes as {first.boxes.boxes}"

    def _list(self) -> str:
        ways = dict.fromkeys(formula(replace(one.how, channels="RGB")) for one in self._tried)
        orders = {one.how.channels for one in self._tried}
        both = ", each with red first and with blue first" if len(orders) > 1 else ""
        forms = dict.fromkeys(one.boxes.boxes for one in self._tried if one.boxes.boxes)
        return f"inputs {'; '.join(ways)}{both}; boxes as {', '.join(forms)}"

    def _record(self) -> JsonObject:
        used, ordered = self._used, sorted(self._tried, key=lambda one: -one.found)
        chosen = "as given" if self._given else "by default" if used.how == self._tried[0].how else "by trial"
        return {
            "chosen": chosen,
            "tried": [
                {
                    "inputs": formula(one.how),
                    "result": f"{one.text}, read as {one.boxes.boxes}",
                    "samples": len(one.losses),
                }
                for one in ordered
            ],
            "constant_guess": "no box",
        }
