"""Results as Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from edgekit.text.tables import ratio_with_interval

from .findings import Answer
from .records import busy
from .summary import Line

CSV_HEADER = (
    *("row", "family", "label", "scheme", "seeds", "accuracy", "accuracy_low", "accuracy_high"),
    *("binomial_low", "binomial_high", "bytes", "gzip_bytes", "percent_per_kib"),
    *("latency_ratio", "latency_low", "latency_high", "load", "macs", "parameters", "zeros"),
)


def csv_table(found: Sequence[Line]) -> str:
    """Return all lines as CSV; accuracies and zeros from 0 to 1, empty where there is no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for line in found:
        ratio = line.ratio
        writer.writerow(
            [
                *(line.row.id, line.row.family, line.row.label, line.scheme, line.seeds),
                *(f"{v:.6f}" for v in (line.accuracy.value, line.accuracy.low, line.accuracy.high)),
                *(f"{v:.6f}" for v in (line.binomial.low, line.binomial.high)),
                *(f"{line.bytes:.1f}", f"{line.gzip_bytes:.1f}", f"{line.efficiency:.4f}"),
                *([f"{v:.4f}" for v in (ratio.value, ratio.low, ratio.high)] if ratio else ["", "", ""]),
                f"{line.latency['load']:.2f}" if line.latency else "",
                *("" if line.macs is None else line.macs, f"{line.parameters:.1f}", f"{line.zeros:.4f}"),
            ]
        )
    return text.getvalue()


def results_table(found: Sequence[Line]) -> str:
    """Return the main table as Markdown."""
    header = (
        *("row", "file", "seeds", "accuracy % [95 %]", "binomial [95 %]", "bytes", "gzip -9", "%/KiB"),
        *("latency vs baseline", "MACs", "parameters", "zeros"),
    )
    return markdown(header, [_cells(line) for line in found], left=2)


def answers_table(answers: Sequence[Answer]) -> str:
    """Return the answers as Markdown."""
    return markdown(
        ("finding", "answer", "numbers", "rule"),
        [(a.question, f"**{a.verdict}**", a.numbers, a.rule) for a in answers],
        left=4,
    )


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Return a Markdown table; the first `left` columns are left-aligned, the others right."""
    marks = ["---" if index < left else "--:" for index in range(len(header))]
    lines = [header, marks, *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _cells(line: Line) -> tuple[str, ...]:
    value, low, high = (100 * v for v in (line.accuracy.value, line.accuracy.low, line.accuracy.high))
    ratio = line.ratio
    return (
        line.row.label,
        line.scheme,
        str(line.seeds),
        f"{value:.2f} [{low:.2f}, {min(high, 100):.2f}]",
        f"[{100 * line.binomial.low:.2f}, {100 * line.binomial.high:.2f}]",
        f"{line.bytes:,.0f}",
        f"{line.gzip_bytes:,.0f}",
        f"{line.efficiency:.2f}",
        ratio_with_interval(ratio) + " busy" * busy(line.latency) if ratio and line.latency else "-",
        "-" if line.macs is None else f"{line.macs:,}",
        f"{line.parameters:,.0f}",
        f"{line.zeros:.1%}",
    )
