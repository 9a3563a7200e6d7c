"""Differences between rows, paired by seed and by test sample. Pure: records in, intervals out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

import numpy as np

from edgekit.stats import CONFIDENCE, Interval, wilson
from edgekit.tasks.samples import Array

from .records import File, Record

T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % points of Student's t with 1, 2, ... 9 degrees of freedom."""

Name = tuple[str, str]
"""Row and scheme."""


@dataclass(frozen=True)
class Study:
    """All files.

    Attributes:
        files: by row and scheme, then by seed.
        assistants: validation accuracies of a row's assistants, over all seeds, 0 to 1.
    """

    files: Mapping[Name, Mapping[int, File]]
    assistants: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, records: Iterable[Record]) -> Study:
        """Sort records."""
        files: dict[Name, dict[int, File]] = {}
        assistants: dict[str, list[float]] = {}
        for record in records:
            for file in record.files:
                files.setdefault((record.row, file.scheme), {})[record.seed] = file
            for step in record.lineage:
                for pupil in step.get("chain", [])[:-1]:
                    assistants.setdefault(record.row, []).append(pupil["val_accuracy_keras"])
        return cls(files, assistants)

    def once(self, names: Iterable[Name]) -> list[Name]:
        """Leave out names whose files are, byte for byte, those of an earlier name."""
        found: dict[tuple[tuple[int, str], ...], Name] = {}
        for name in names:
            found.setdefault(tuple(sorted((seed, f.sha256) for seed, f in self.files[name].items())), name)
        return list(found.values())

    def missing(self, names: Iterable[Name]) -> list[str]:
        """Return those that have no file yet, as text."""
        return [f"{row} {scheme}" for row, scheme in dict.fromkeys(names) if not self.files.get((row, scheme))]

    def bytes(self, name: Name) -> float:
        """Return the mean size over the seeds."""
        return fmean(file.bytes for file in self.files[name].values())

    def accuracy(self, name: Name) -> Interval:
        """Return the accuracy: over seeds (t interval), with one seed over samples (Wilson)."""
        found = list(self.files[name].values())
        return over_seeds([f.accuracy for f in found]) if len(found) > 1 else wilson(found[0].correct, found[0].samples)

    def difference(self, pairs: Sequence[tuple[Name, Name]]) -> Interval:
        """Return by how much the first of a pair is more accurate than the second, the mean of several pairs.

        The interval is the wider of two. Over samples: each test sample's difference, the mean of the seeds that all
        files have, normal (of one pair and one seed: McNemar's without continuity correction). Over seeds, from two
        on: one mean a seed, t interval.

        Args:
            pairs: (first, second); every name has files.
        """
        seeds = set.intersection(*(set(self.files[name]) for pair in pairs for name in pair))
        each = [self._sample_differences(pairs, seed) for seed in sorted(seeds)]
        if not each:
            return Interval(math.nan, -math.inf, math.inf)
        samples: Array = np.mean(each, axis=0)
        half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * float(samples.std()) / math.sqrt(len(samples))
        mean = float(samples.mean())
        found = [Interval(mean, mean - half, mean + half)]
        if len(each) > 1:
            found.append(over_seeds([float(d.mean()) for d in each]))
        return max(found, key=lambda interval: interval.high - interval.low)

    def _sample_differences(self, pairs: Sequence[tuple[Name, Name]], seed: int) -> Array:
        found = [
            self.files[a][seed].bits().astype(np.float64) - self.files[b][seed].bits().astype(np.float64)
            for a, b in pairs
        ]
        mean: Array = np.mean(found, axis=0)
        return mean


def over_seeds(values: Sequence[float]) -> Interval:
    """Return the mean with its t interval (Student 1908); without an interval for a single value."""
    mean = fmean(values)
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan)
    half = T_975[len(values) - 2] * stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)
