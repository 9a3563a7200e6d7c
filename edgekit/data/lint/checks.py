"""What is probably wrong with data and the way they are fed, said before any work starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgekit.data.lint.facts import DataFacts, InputFacts
from edgekit.data.lint.finding import Finding, entries, listed, of
from edgekit.data.lint.int8 import INT8, int8_findings
from edgekit.data.lint.model_facts import ModelFacts, ModelInput
from edgekit.tasks.heads import fits

FEW_CALIBRATION_SAMPLES = 100
RARE = 0.1
"""Of a class: below this part of its even share it is rare."""
UNEVEN = 10
"""Largest class over smallest."""
SHARED = 0.001
"""Of the test samples: this many of them in the training part are said."""
CONTRADICTING = 0.001
MANY_BYTES = 64
"""Of a sample: so many in a row are pixels."""
CONSTANT = 0.01
"""Of the samples."""
_FAR = 20
"""Factor between spreads, or distance in spreads, from which on values are not those a layer was fitted to."""


def lint(facts: DataFacts, model: ModelFacts, *, unsure: bool = False) -> list[Finding]:
    """Return what is doubtful; an empty list for data that look right.

    Args:
        facts: of the data.
        model: what its first layers do.
        unsure: also what is worth saying only where its effect on the model is measured.
    """
    found: list[Finding] = []
    for index, data in enumerate(facts.inputs):
        known = next((m for m in model.inputs if m.name == data.name), None)
        if known is None and index < len(model.inputs):
            known = model.inputs[index]
        if known is not None:
            found += _channels(data, known)
        inside = [*_samples(data, known), *(int8_findings(data, known) if facts.int8 else ())]
        if known is not None and not any(finding.code in INT8 and finding.sure for finding in inside):
            found += _range(data, known, model.batch_norm, facts.fed)
        found += inside
    found += [*_classes(facts), *_copies(facts), *_calibration(facts)]
    return [finding for finding in found if finding.sure or unsure]


def _channels(data: InputFacts, model: ModelInput) -> Iterator[Finding]:
    if model.shape is None or len(data.shape) != 3 or len(model.shape) != 3 or fits(data.shape, model.shape):
        return
    height, width, channels = data.shape
    if fits((width, channels, height), model.shape):
        yield Finding(
            "channel-order",
            f"{_name(data)} have shape {data.shape}, the model takes {_text(model.shape)}: channels first against last",
            "store them channels last: x.transpose(0, 2, 3, 1)",
        )
    elif fits((channels, height, width), model.shape):
        yield Finding(
            "channel-order",
            f"{_name(data)} have shape {data.shape}, the model takes {_text(model.shape)}: channels last against first",
            "add --layout NCHW",
        )


def _range(data: InputFacts, model: ModelInput, batch_norm: bool, fed: str) -> Iterator[Finding]:
    """Compare the values fed with what the first layers make of them; at most one finding an input."""
    span = f"values from {data.low:.4g} to {data.high:.4g} ({fed})"
    peak = max(abs(data.low), abs(data.high))
    if model.vocabulary is not None or model.dtype.startswith(("int", "uint")):
        yield from _tokens(data, model, span)
    elif model.computes or data.low == data.high:
        return
    elif model.rescales is not None:
        if model.takes_raw and peak <= 1.5:
            yield Finding(
                "normalised-twice",
                f"{_name(data)} are fed as {span}, and the model {_arithmetic(model)} itself",
                "feed them as the model was trained, probably raw: --scale 1 and no --mean or --std",
            )
    elif model.mean and len(model.mean) == len(data.mean):
        yield from _moments(data, model, span)
    elif not model.normalizes:
        yield from _unscaled(data, batch_norm, span, peak)


def _arithmetic(model: ModelInput) -> str:
    """Return what the model does with its inputs first."""
    if model.rescales is not None and abs(model.rescales - 1) < 0.01 and model.shift:
        return f"{'subtracts' if model.shift < 0 else 'adds'} {abs(model.shift):.4g}"
    return f"multiplies them by {model.rescales:.4g}"


def _tokens(data: InputFacts, model: ModelInput, span: str) -> Iterator[Finding]:
    if not data.whole:
        yield Finding(
            "not-integers",
            f"{_name(data)} are fed as {span} with fractions, and the model takes integers",
            "feed token numbers as they are: --scale 1",
        )
    elif model.vocabulary is not None and (data.low < 0 or data.high >= model.vocabulary):
        yield Finding(
            "token-range",
            f"{_name(data)} are fed as {span}, and the model's Embedding layer knows 0 to {model.vocabulary - 1}",
            "number the tokens as when the model was trained",
        )


def _moments(data: InputFacts, model: ModelInput, span: str) -> Iterator[Finding]:
    fed_mean, fed_std, mean, std = (np.array(v) for v in (data.mean, data.std, model.mean, model.std))
    varied = (std > 0) & (fed_std > 0)
    if not varied.any():
        return
    ratio = float(np.median(fed_std[varied] / std[varied]))
    distance = float(np.median(np.abs(fed_mean[varied] - mean[varied]) / std[varied]))
    if 1 / _FAR <= ratio <= _FAR and distance <= _FAR:
        return
    code, hint = "not-normalised", "feed the values as the model was trained: --scale, --mean and --std say how"
    if ratio < 1:
        code, hint = "normalised-twice", "the model normalises by itself: feed raw values, probably --scale 1"
    yield Finding(
        code,
        f"{_name(data)} are fed as {span} with a spread of {np.median(fed_std):.3g} around {np.median(fed_mean):.3g}, "
        f"and the model's first layer normalises a spread of {np.median(std):.3g} around {np.median(mean):.3g}",
        hint,
    )


def _unscaled(data: InputFacts, batch_norm: bool, span: str, peak: float) -> Iterator[Finding]:
    image = len(data.shape) >= 2
    if image and data.low >= 0 and 64 < data.high <= 255 and not batch_norm:
        yield Finding(
            "not-normalised",
            f"{_name(data)} are fed as {span}, and no layer of the model rescales or normalises",
            "if it was trained on values from 0 to 1: --scale 1/255",
        )
    elif peak > 1000 and not batch_norm:
        yield Finding(
            "not-normalised",
            f"{_name(data)} are fed as {span}, and no layer of the model rescales or normalises",
            "feed them as the model was trained: --scale, --mean and --std say how",
        )
    elif image and data.high - data.low < 0.02:
        yield Finding(
            "normalised-twice",
            f"{_name(data)} are fed as {span}, a range of {data.high - data.low:.2g} only",
            "if they are stored scaled already: --scale 1",
        )


def _samples(data: InputFacts, model: ModelInput | None) -> Iterator[Finding]:
    if len(data.shape) > 1 and data.constant_samples > CONSTANT * data.looked:
        yield Finding(
            "constant-samples",
            f"{data.constant_samples} of {data.looked} samples looked at{of(data)} have the same value everywhere "
            f"({data.constant_samples / data.looked:.1%})",
            "remove empty samples, or look at how they were read",
        )
    # The last axis of two may be that of channels, or of an image's columns, whose borders never change.
    if len(data.std) < 2 or len(data.shape) == 2 or (model is not None and model.vocabulary is not None):
        return
    if data.stored_dtype == "uint8" and len(data.shape) == 1 and len(data.std) >= MANY_BYTES:
        return  # an image row by row: its borders never change, either
    still = np.flatnonzero(np.array(data.std) == 0)
    if len(still):
        yield Finding(
            "constant-features",
            f"{len(still)} of {len(data.std)} {entries(data)}{of(data)} never change: {listed(data, still)}",
            "leave them out: the model can learn nothing from them",
        )


def _classes(facts: DataFacts) -> Iterator[Finding]:
    counts, total = facts.train_counts, sum(facts.train_counts)
    if len(counts) < 2 or not total:
        return
    even = total / len(counts)
    rare = [c for c, count in enumerate(counts) if count < RARE * even]
    if rare:
        yield Finding(
            "rare-class",
            f"{_class_list(facts, rare, counts)} below a tenth of an even share of {even:.0f} training samples",
            "add samples of it, or leave the class out; look at its accuracy alone",
        )
    elif max(counts) > UNEVEN * min(counts):
        yield Finding(
            "uneven-classes",
            f"the largest class has {max(counts):,} training samples, the smallest {min(counts):,}",
            "accuracy hides errors in small classes: look at each, or at --metric auc",
        )
    unseen = [c for c, count in enumerate(facts.test_counts) if count == 0 and counts[c] > 0]
    if unseen and sum(facts.test_counts):
        yield Finding(
            "untested-class",
            f"no test samples of {_class_list(facts, unseen)}",
            "the measured accuracy says nothing about it: add test samples",
        )


def _copies(facts: DataFacts) -> Iterator[Finding]:
    copies = facts.copies
    if copies.shared and copies.shared >= SHARED * copies.compared_test:
        yield Finding(
            "test-in-train",
            f"{copies.shared:,} of {copies.compared_test:,} test samples compared are in the training part, too "
            f"({copies.shared / copies.compared_test:.1%})",
            "take them out of one part: the measured accuracy is too good",
        )
    if copies.contradicting and copies.contradicting >= CONTRADICTING * copies.compared_train:
        yield Finding(
            "contradicting-labels",
            f"{copies.contradicting:,} of {copies.compared_train:,} training samples have a copy with another label",
            "look at how samples and labels were paired",
        )


def _calibration(facts: DataFacts) -> Iterator[Finding]:
    count = facts.calibration_samples
    if count is not None and count < FEW_CALIBRATION_SAMPLES:
        yield Finding(
            "few-calibration-samples",
            f"{count} calibration samples set the quantization ranges, fewer than {FEW_CALIBRATION_SAMPLES}",
            "add training samples, or raise [calibration] samples in the recipe",
        )


def _text(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"


def _name(data: InputFacts) -> str:
    return f"samples of {data.name}" if data.name else "samples"


def _class_list(facts: DataFacts, classes: Sequence[int], counts: Sequence[int] | None = None) -> str:
    names = facts.class_names or tuple(str(c) for c in range(len(facts.train_counts)))
    shown = [f"{names[c]} ({counts[c]})" if counts else names[c] for c in classes[:5]]
    more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    return f"{'class' if len(classes) == 1 else 'classes'} {', '.join(shown)}{more}"
