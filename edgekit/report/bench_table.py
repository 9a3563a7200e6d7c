"""The table of a run record, computed from its raw samples. A new metric is a line in `COLUMNS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgekit.bundle.agreement import HOST, Agreement
from edgekit.bundle.facts import Unavailable, fact_text
from edgekit.bundle.records import Measurement, Record, Subject
from edgekit.bundle.runs import LatencyRun, Runtime, SampledRun, SummarisedRun
from edgekit.measuring.verdict import judge
from edgekit.stats import between_processes, efficiency, paired_ratio, percentile, unpaired_ratio
from edgekit.tasks.metrics import Score
from edgekit.tasks.scores import score_text, title
from edgekit.text.printable import lines as lines_of
from edgekit.text.tables import (
    duration,
    duration_with_interval,
    ratio_with_interval,
    table,
)


@dataclass(frozen=True)
class Row:
    """What a column may use: a measurement, its file, and the first file's measurement with as many threads.

    Attributes:
        record: of the measurement.
        measurement: itself.
        first: what it is compared with.
        first_record: of that one, where it is another.
    """

    record: Record
    measurement: Measurement
    first: Measurement
    first_record: Record | None = None

    @property
    def subject(self) -> Subject:
        """The file."""
        return self.record.subjects[self.measurement.subject]

    @property
    def baseline(self) -> Subject:
        """The first file."""
        return (self.first_record or self.record).subjects[self.first.subject]

    def samples_ns(self) -> list[float]:
        """Every timed sample of every process, ns per inference; none of an emulated CPU."""
        if self.record.emulated_by:
            return []
        runs = self.measurement.latency
        return [ns for run in runs if isinstance(run, SampledRun) for ns in run.inferences_ns]


def _median(row: Row) -> str:
    runs = row.measurement.latency
    if not runs:
        return "-"
    text = duration_with_interval(between_processes([run.median_ns for run in runs]))
    if any(isinstance(run, SummarisedRun) and run.summary_ns.median is None for run in runs):
        text += " (mean)"
    return f"{text} (emulated)" if row.record.emulated_by else text


def _percentile(q: float) -> Callable[[Row], str]:
    return lambda row: duration(percentile(samples, q)) if (samples := row.samples_ns()) else "-"


def _ratio(row: Row) -> str:
    """Latency against the first file, round by round; where a round is missing the rounds do not pair.

    Rounds of two records do not pair either: there it is the ratio of their medians.
    """
    own, other = row.measurement.latency, row.first.latency
    emulated = row.record.emulated_by or (row.first_record or row.record).emulated_by
    if not own or not other or emulated or row.measurement.threads != row.first.threads:
        return "-"
    mine, baseline = ([run.median_ns for run in runs] for runs in (own, other))
    if not all(baseline):
        return "-"
    if row.first_record is not None:
        return ratio_with_interval(unpaired_ratio(mine, baseline))
    return ratio_with_interval(paired_ratio(mine, baseline)) if len(own) == len(other) else "-"


def _median_of(time_ns: Callable[[LatencyRun], int]) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        values = [] if row.record.emulated_by else list(map(time_ns, row.measurement.latency))
        return duration(percentile(values, 50)) if values else "-"

    return text


def _memory(row: Row) -> str:
    """Peak RSS over the RSS after imports, in MiB: what the model and the runtime's buffers take."""
    run = row.measurement.memory
    return "-" if run is None or run.used_kib is None else f"{run.used_kib / 1024:.1f} MiB"


def _score(measurement: Measurement) -> Score | None:
    return measurement.accuracy.score if measurement.accuracy else None


def _accuracy(row: Row) -> str:
    score = _score(row.measurement)
    return "-" if score is None else score_text(score)


def _agreement(row: Row) -> str:
    """How often device and host name the same class, and the largest difference of an output."""
    agreement = row.measurement.agreement
    if not isinstance(agreement, Agreement):
        return "-"
    if agreement.equal:
        return "equal"
    steps = agreement.max_steps
    off = f"{agreement.max_abs:.1e}" if steps is None else f"{steps:.0f} step{'s' * (steps != 1)}"
    return off if agreement.top1 is None else f"{agreement.top1:.2%}, {off}"


def _efficiency(row: Row) -> str:
    score = _score(row.measurement)
    if score is None or score.metric != "accuracy":
        return "-"
    return f"{efficiency(score.interval.value, row.subject.bytes):.2f}"


SCORE = "accuracy [95 %]"
COLUMNS: dict[str, Callable[[Row], str]] = {
    "file": lambda row: row.subject.name,
    "thr": lambda row: str(row.measurement.threads),
    "bytes": lambda row: f"{row.subject.bytes:,}",
    "x": lambda row: f"{row.subject.bytes / row.baseline.bytes:.2f}x",
    "gzip -9": lambda row: f"{row.subject.gzip_bytes:,}",
    "median [95 %]": _median,
    "vs first [95 %]": _ratio,
    "p90": _percentile(90),
    "p99": _percentile(99),
    "init": _median_of(lambda run: run.init_ns),
    "1st run": _median_of(lambda run: run.first_ns),
    "memory": _memory,
    SCORE: _accuracy,
    "vs host": _agreement,
    "%/KiB": _efficiency,
    "verdict": lambda row: judge(row.measurement, row.record).word,
}


def bench_table(*records: Record) -> str:
    """Return the table, the reasons of the verdicts, and the conditions; of several devices, one table."""
    rows = [row for record in records for row in _rows(record)]
    where: Callable[[Row], str] = lambda row: row.record.target  # noqa: E731
    several = len(records) > 1
    parts = [rows_table(rows, {"target": where} if several else {}), reasons(rows, where if several else None)]
    return "\n\n".join([*filter(None, parts), *map(conditions, records)])


def rows_table(rows: Sequence[Row], before: Mapping[str, Callable[[Row], str]]) -> str:
    """Return the table of some rows, with further columns before the others."""
    columns = {**before, **COLUMNS}
    if all(row.measurement.agreement is None for row in rows):
        del columns["vs host"]
    titles = [_score_title(rows) if name == SCORE else name for name in columns]
    return table(titles, [[column(row) for column in columns.values()] for row in rows])


def reasons(rows: Sequence[Row], where: Callable[[Row], str] | None) -> str:
    """Return why verdicts are not `valid`, a line each; what holds for several thread counts of a file is said once.

    Args:
        rows: of the table.
        where: names the device or record of a row, if there are several.
    """
    threads: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        verdict = judge(row.measurement, row.record)
        found = list(map(str, verdict.reasons))
        if isinstance(row.measurement.agreement, Unavailable):
            found.append(f"not compared with the host: {row.measurement.agreement.why}")
        if found:
            place = f"{where(row)}: " if where else ""
            text = f"{verdict.word}: {'; '.join(found)}"
            threads.setdefault((place + row.subject.name, text), []).append(str(row.measurement.threads))
    return lines_of(f"{name}, {', '.join(found)} thr: {text}" for (name, text), found in threads.items())


def _score_title(rows: Sequence[Row]) -> str:
    """Name the column by the metric, where all rows have one."""
    metrics = {score.metric for row in rows if (score := _score(row.measurement))}
    return title(metrics.pop()) if len(metrics) == 1 else SCORE


def _rows(record: Record) -> list[Row]:
    firsts = {m.threads: m for m in reversed(record.measurements) if m.subject == 0}
    return [Row(record, m, firsts[m.threads]) for m in record.measurements]


def failed(record: Record) -> bool:
    """Return whether any pass of any file failed, or gave outputs that this machine disagrees with."""
    return any(judge(m, record).word == "invalid" for m in record.measurements)


def conditions(record: Record) -> str:
    """Return under which conditions the numbers were taken, in a few lines."""
    host, plan = record.host, record.plan
    runtimes = sorted({f"{r.name} {r.version} ({r.delegate})" for r in _runtimes(record)})
    lines = [
        f"{record.target}: {fact_text(host.cpu_model)}, {fact_text(host.cores)} cores, {fact_text(host.os)}, "
        f"governor {fact_text(host.governor)}, virtualization {fact_text(host.virtualization)}",
        f"{'; '.join(runtimes) or 'no runtime answered'}; {record.created}",
    ]
    for subject in record.subjects:
        if subject.input_shapes:
            sizes = [f"{name} {'×'.join(map(str, shape))}" for name, shape in subject.input_shapes.items() if shape]
            lines.append(f"{subject.name}: measured with {', '.join(sizes)}")
        if subject.input_values:
            given = [f"{name} = {value:g}" for name, value in subject.input_values.items()]
            lines.append(f"{subject.name}: measured with {', '.join(given)}")
    if plan.latency:
        processes = "one process" if plan.processes == 1 else f"{plan.processes} interleaved processes"
        lines.append(
            f"latency: {processes} a row, each at least {plan.min_samples} samples and {plan.min_seconds:g} s "
            f"after warm-up; memory: peak RSS over the RSS after imports"
        )
    if record.device.runtimes:
        device = record.device
        sources = "; ".join(f"{runtime.runtime}: {runtime.source}" for runtime in device.runtimes)
        lines.append(
            f"{device.address}, {device.python}; {sources}; {device.sent_bytes or 0:,} bytes copied, "
            f"ready after {device.prepare_seconds or 0:g} s, done after {device.seconds or 0:g} s"
        )
    lines += dict.fromkeys(text for m in record.measurements if (text := _compared(m)))
    if record.evaluation:
        metrics = {score.metric for m in record.measurements if (score := _score(m))}
        judged = ", ".join(sorted(metrics)) or "accuracy"
        lines.append(f"{judged}: {record.evaluation.samples:,} samples, {record.evaluation.source}")
    return lines_of(lines)


def _compared(measurement: Measurement) -> str:
    """Return which runtimes the column `vs host` compares, where they are two."""
    agreement = measurement.agreement
    if not isinstance(agreement, Agreement) or not measurement.accuracy or agreement.by_sample is None:
        return ""
    there = f"{measurement.accuracy.runtime.name} {measurement.accuracy.runtime.version}"
    if agreement.reference in (HOST, there):
        return ""
    how = "" if agreement.by_sample.same_runtime else ", which round differently"
    return f"vs host: {there} there, {agreement.reference} here{how}"


def _runtimes(record: Record) -> set[Runtime]:
    return {run.runtime for measurement in record.measurements for run in measurement.runs()}
