"""Numbers of samples: by class, of copies, and for calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.data.lint.facts import DataFacts
from edgekit.data.lint.finding import Finding

FEW_CALIBRATION_SAMPLES = 100
RARE = 0.1
"""Of a class: below this part of its even share it is rare."""
UNEVEN = 10
"""Largest class over smallest."""
SHARED = 0.001
"""Of the test samples: from so many in the training part on it is a finding."""
CONTRADICTING = 0.001


def size_findings(facts: DataFacts) -> Iterator[Finding]:
    """Yield whether classes have very different numbers of training samples."""
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


def unseen_findings(facts: DataFacts) -> Iterator[Finding]:
    """Yield which classes have no test samples."""
    counts = facts.train_counts
    if len(counts) < 2 or not sum(counts):
        return
    unseen = [c for c, count in enumerate(facts.test_counts) if count == 0 and counts[c] > 0]
    if unseen and sum(facts.test_counts):
        yield Finding(
            "untested-class",
            f"no test samples of {_class_list(facts, unseen)}",
            "the measured accuracy says nothing about it: add test samples",
        )


def shared_findings(facts: DataFacts) -> Iterator[Finding]:
    """Yield whether test samples are in the training part."""
    copies = facts.copies
    if copies.shared and copies.shared >= SHARED * copies.compared_test:
        yield Finding(
            "test-in-train",
            f"{copies.shared:,} of {copies.compared_test:,} test samples compared are in the training part, too "
            f"({copies.shared / copies.compared_test:.1%})",
            "take them out of one part: the measured accuracy is too good",
        )


def contradicting_findings(facts: DataFacts) -> Iterator[Finding]:
    """Yield whether equal samples have different labels."""
    copies = facts.copies
    if copies.contradicting and copies.contradicting >= CONTRADICTING * copies.compared_train:
        yield Finding(
            "contradicting-labels",
            f"{copies.contradicting:,} of {copies.compared_train:,} training samples have a copy with another label",
            "look at how samples and labels were paired",
        )


def calibration_findings(facts: DataFacts) -> Iterator[Finding]:
    """Yield whether few samples set the quantization ranges."""
    count = facts.calibration_samples
    if count is not None and count < FEW_CALIBRATION_SAMPLES:
        yield Finding(
            "few-calibration-samples",
            f"{count} calibration samples set the quantization ranges, fewer than {FEW_CALIBRATION_SAMPLES}",
            "add training samples, or raise [calibration] samples in the recipe",
        )


def _class_list(facts: DataFacts, classes: Sequence[int], counts: Sequence[int] | None = None) -> str:
    names = facts.class_names or tuple(str(c) for c in range(len(facts.train_counts)))
    shown = [f"{names[c]} ({counts[c]})" if counts else names[c] for c in classes[:5]]
    more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    return f"{'class' if len(classes) == 1 else 'classes'} {', '.join(shown)}{more}"
