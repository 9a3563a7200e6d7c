"""The numbers of a record, computed from its raw samples: a row a file and thread count, against the baseline.

The baseline is the first file of the record, measured with as many threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np

from edgekit.bundle.agreement import Agreement
from edgekit.bundle.reason import Reason
from edgekit.bundle.records import Measurement, Record, Subject
from edgekit.bundle.runs import SampledRun, SummarisedRun
from edgekit.measuring.verdict import Verdict, judge
from edgekit.stats import CONFIDENCE, Interval, efficiency, percentile
from edgekit.stats.medians import median_interval
from edgekit.stats.ratios import paired_ratio, unpaired_ratio
from edgekit.tasks.metrics import Score

NS_PER_MS = 1e6


@dataclass(frozen=True)
class Row:
    """One file with one number of threads.

    Times are None where they were not measured, and of an emulated CPU, whose latency means nothing.

    Attributes:
        record: that it is of.
        measurement: its runs.
        baseline: what it is compared with.
        baseline_record: of that one, where it is another.
        name: of the record, where several stand in one table.
    """

    record: Record = field(repr=False)
    measurement: Measurement = field(repr=False)
    baseline: Measurement = field(repr=False)
    baseline_record: Record | None = field(default=None, repr=False)
    name: str = ""

    @property
    def subject(self) -> Subject:
        """The file."""
        return self.record.subjects[self.measurement.subject]

    @property
    def baseline_subject(self) -> Subject:
        """The file of the baseline."""
        return (self.baseline_record or self.record).subjects[self.baseline.subject]

    @property
    def file(self) -> str:
        """The file's name."""
        return self.subject.name

    @property
    def scheme(self) -> str | None:
        """How it was quantized, where its bundle says so."""
        return self.subject.scheme

    @property
    def format(self) -> str:
        """`tflite` or `onnx`."""
        return self.subject.format

    @property
    def threads(self) -> int:
        """Threads asked of the runtime."""
        return self.measurement.threads

    @property
    def bytes(self) -> int:
        """The file's size in bytes."""
        return self.subject.bytes

    @property
    def emulated(self) -> bool:
        """Whether the CPU is emulated, and times mean nothing."""
        return bool(self.record.emulated_by)

    @property
    def of_means(self) -> bool:
        """Whether some process reported a mean in place of a median."""
        runs = self.measurement.latency
        return any(isinstance(run, SummarisedRun) and run.summary_ns.median is None for run in runs)

    @cached_property
    def latency_ns(self) -> Interval | None:
        """The median of the processes' medians with its 95 % interval, ns; also of an emulated CPU."""
        runs = self.measurement.latency
        return median_interval([run.median_ns for run in runs]) if runs else None

    @property
    def _measured_ns(self) -> Interval | None:
        return None if self.emulated else self.latency_ns

    @property
    def median_ms(self) -> float | None:
        """The median latency of one inference, ms."""
        return None if self._measured_ns is None else self._measured_ns.value / NS_PER_MS

    @property
    def interval_ms(self) -> tuple[float, float] | None:
        """The 95 % interval of the median, ms; None for a single process."""
        latency = self._measured_ns
        if latency is None or math.isnan(latency.low):
            return None
        return latency.low / NS_PER_MS, latency.high / NS_PER_MS

    @cached_property
    def samples_ns(self) -> list[float]:
        """Every timed sample of every process, ns per inference; none of an emulated CPU, and where summaries came."""
        runs = () if self.emulated else self.measurement.latency
        return [ns for run in runs if isinstance(run, SampledRun) for ns in run.inferences_ns]

    def percentile_ms(self, q: float) -> float | None:
        """Return the q-th percentile of the samples (0 to 100), ms."""
        return percentile(self._array_ns, q) / NS_PER_MS if self.samples_ns else None

    @cached_property
    def _array_ns(self) -> Sequence[float]:
        """The same for NumPy, which is asked for several percentiles."""
        return cast("Sequence[float]", np.asarray(self.samples_ns, float))

    @property
    def p90_ms(self) -> float | None:
        """The 90th percentile, ms."""
        return self.percentile_ms(90)

    @property
    def p99_ms(self) -> float | None:
        """The 99th percentile, ms."""
        return self.percentile_ms(99)

    @property
    def init_ms(self) -> float | None:
        """The median time to load the file and allocate its tensors, ms."""
        return self._median_of([run.init_ns for run in self.measurement.latency])

    @property
    def first_inference_ms(self) -> float | None:
        """The median time of the first inference of a process, ms."""
        return self._median_of([run.first_ns for run in self.measurement.latency])

    def _median_of(self, times_ns: list[int]) -> float | None:
        return None if self.emulated or not times_ns else percentile(times_ns, 50) / NS_PER_MS

    @cached_property
    def vs_baseline(self) -> Interval | None:
        """Latency against the baseline's, round by round; of another record the ratio of the medians.

        None where a round is missing, since the rounds do not pair then.
        """
        own, other = self.measurement.latency, self.baseline.latency
        emulated = self.emulated or bool((self.baseline_record or self.record).emulated_by)
        if not own or not other or emulated or self.threads != self.baseline.threads:
            return None
        mine, theirs = ([run.median_ns for run in runs] for runs in (own, other))
        if not all([*mine, *theirs]):
            return None
        if self.baseline_record is not None:
            return unpaired_ratio(mine, theirs, CONFIDENCE).interval
        if self.measurement is self.baseline:
            return Interval(1.0, 1.0, 1.0)
        return paired_ratio(mine, theirs, CONFIDENCE).interval if len(own) == len(other) else None

    @property
    def memory_mib(self) -> float | None:
        """Peak resident set over what it was after the imports, MiB: the model and the runtime's buffers."""
        run = self.measurement.memory
        return None if run is None or run.used_kib is None else run.used_kib / 1024

    @property
    def accuracy(self) -> Score | None:
        """The score of the accuracy pass, by the task's metric."""
        return self.measurement.accuracy.score if self.measurement.accuracy else None

    @property
    def accuracy_per_kib(self) -> float | None:
        """Accuracy in percent by KiB of file; None for another metric."""
        if self.accuracy is None or self.accuracy.metric != "accuracy":
            return None
        return efficiency(self.accuracy.value, self.bytes)

    @property
    def agreement(self) -> Agreement | None:
        """Of the device's outputs with the host's; None where they were not compared."""
        agreement = self.measurement.agreement
        return agreement if isinstance(agreement, Agreement) else None

    @cached_property
    def _judged(self) -> Verdict:
        return judge(self.measurement, self.record)

    @property
    def verdict(self) -> str:
        """`valid`, `suspect`, `invalid` or `emulated`."""
        return self._judged.word

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it is not `valid`, each with its code."""
        return self._judged.reasons


def rows_of(record: Record, name: str = "") -> list[Row]:
    """Return the rows of a record, in the order in which they were measured; `name` is the record's."""
    first = baselines(record)
    return [Row(record, m, first[m.threads], name=name) for m in record.measurements]


def baselines(record: Record) -> dict[int, Measurement]:
    """Return the measurements of a record's first file, by thread count."""
    return {m.threads: m for m in reversed(record.measurements) if m.subject == 0}
