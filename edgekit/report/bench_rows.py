"""What the table of a run record is computed from: a measurement, beside the one that it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from edgekit.bundle.agreement import Agreement
from edgekit.bundle.records import Measurement, Record, Subject
from edgekit.bundle.runs import LatencyRun, SampledRun, SummarisedRun
from edgekit.measuring.verdict import Verdict, judge
from edgekit.stats import Interval, between_processes, efficiency, paired_ratio, percentile, unpaired_ratio
from edgekit.tasks.metrics import Score


@dataclass(frozen=True)
class Row:
    """What a column may use: a measurement, its file, and the baseline's measurement with as many threads.

    Attributes:
        record: of the measurement.
        measurement: itself.
        baseline: what it is compared with: of the first file.
        baseline_record: of that one, where it is another.
        name: of the record, where several stand in one table.
    """

    record: Record
    measurement: Measurement
    baseline: Measurement
    baseline_record: Record | None = None
    name: str = ""

    @property
    def subject(self) -> Subject:
        """The file."""
        return self.record.subjects[self.measurement.subject]

    @property
    def baseline_subject(self) -> Subject:
        """The first file."""
        return (self.baseline_record or self.record).subjects[self.baseline.subject]

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
    def verdict(self) -> Verdict:
        """What the measurement is worth."""
        return judge(self.measurement, self.record)

    @cached_property
    def median_ns(self) -> Interval | None:
        """The median of the processes' medians, ns per inference, of an emulated CPU, too."""
        runs = self.measurement.latency
        return between_processes([run.median_ns for run in runs]) if runs else None

    @cached_property
    def ratio(self) -> Interval | None:
        """Latency against the baseline, round by round; where a round is missing the rounds do not pair.

        Rounds of two records do not pair either: there it is the ratio of their medians.
        """
        own, other = self.measurement.latency, self.baseline.latency
        emulated = self.emulated or bool((self.baseline_record or self.record).emulated_by)
        if not own or not other or emulated or self.measurement.threads != self.baseline.threads:
            return None
        mine, baseline = ([run.median_ns for run in runs] for runs in (own, other))
        if not all(baseline):
            return None
        if self.baseline_record is not None:
            return unpaired_ratio(mine, baseline)
        return paired_ratio(mine, baseline) if len(own) == len(other) else None

    @cached_property
    def samples_ns(self) -> list[float]:
        """Every timed sample of every process, ns per inference; none of an emulated CPU."""
        runs = () if self.emulated else self.measurement.latency
        return [ns for run in runs if isinstance(run, SampledRun) for ns in run.inferences_ns]

    def percentile_ns(self, q: float) -> float | None:
        """Return a percentile of all samples, ns; q from 0 to 100."""
        return percentile(self.samples_ns, q) if self.samples_ns else None

    def median_of(self, time_ns: Callable[[LatencyRun], int]) -> float | None:
        """Return the median over the processes of a time that each of them has once, ns."""
        values = [] if self.emulated else [float(time_ns(run)) for run in self.measurement.latency]
        return percentile(values, 50) if values else None

    @property
    def memory_mib(self) -> float | None:
        """Peak RSS over the RSS after imports: what the model and the runtime's buffers take."""
        run = self.measurement.memory
        return None if run is None or run.used_kib is None else run.used_kib / 1024

    @property
    def score(self) -> Score | None:
        """The metric's value."""
        return self.measurement.accuracy.score if self.measurement.accuracy else None

    @property
    def agreement(self) -> Agreement | None:
        """Of the device's outputs with the host's."""
        agreement = self.measurement.agreement
        return agreement if isinstance(agreement, Agreement) else None

    @property
    def efficiency(self) -> float | None:
        """Accuracy in percent by KiB of file; of no other metric."""
        if self.score is None or self.score.metric != "accuracy":
            return None
        return efficiency(self.score.interval.value, self.subject.bytes)


def rows_of(record: Record, name: str = "") -> list[Row]:
    """Return a row for every measurement, compared with the record's first file."""
    baselines = {m.threads: m for m in reversed(record.measurements) if m.subject == 0}
    return [Row(record, m, baselines[m.threads], name=name) for m in record.measurements]
