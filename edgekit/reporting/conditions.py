"""Under which conditions the numbers of a run record were taken."""

from __future__ import annotations

from edgekit.bundle.agreement import HOST, Agreement
from edgekit.bundle.facts import fact_text
from edgekit.bundle.records import Measurement, Record
from edgekit.errors.printable import lines as lines_of


def conditions(record: Record) -> str:
    """Return the machine, the runtimes, how was measured and on what, in a few lines."""
    host, plan = record.host, record.plan
    used = {run.runtime for measurement in record.measurements for run in measurement.runs()}
    runtimes = sorted({f"{r.name} {r.version} ({r.delegate})" for r in used})
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
        metrics = {m.accuracy.score.metric for m in record.measurements if m.accuracy and m.accuracy.score}
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
    return f"vs host: {there} on the device, {agreement.reference} on the host{how}"
