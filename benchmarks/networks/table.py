"""The table of networks, from its lines, and what they add up to. Its columns:

* rebuilt: largest difference of an output from onnxruntime's, as a share of the largest value; or why it was refused
* s, GB: of the import, proof included; memory of edgekit and its worker process at their peaks, TensorFlow included
* float file: the float `.tflite`, on 8 other samples, against onnxruntime, as a share of the largest value
* int8: signal to noise of the worst output against PyTorch's float outputs on 100 samples, and how often the class is
  the same; ranges come from 100 others
* litert-torch: the same of its own file, by the same calibration; then edgekit's bytes and latency by those of it
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from edgekit.text.tables import table

Line = dict[str, Any]
HEADER = (
    "network", "exporter", "rebuilt", "s", "GB", "float file", "int8", "bytes", "litert-torch", "bytes", "latency",
)  # fmt: skip
REBUILT = 1e-5
"""The largest relative difference of what counts as equal."""


def show(lines: Sequence[Line]) -> str:
    """Return the table, the reasons below it, and the sums."""
    reasons: list[str] = []
    rows = [_row(line, reasons) for line in lines]
    notes = [f"[{i}] {why}" for i, why in enumerate(reasons, 1)]
    return "\n".join([table(HEADER, rows), "", *notes, "", *_sums(lines), ""])


def _row(line: Line, reasons: list[str]) -> Sequence[str]:
    def reason(why: str) -> str:
        if why not in reasons:
            reasons.append(why)
        return f"[{reasons.index(why) + 1}]"

    imported, int8, litert = (line.get(step, {}) for step in ("import", "files", "litert"))
    refused = line["export"] or imported.get("refused") or imported.get("failed")
    made = reason(refused) if refused else f"{imported['proof']:.0e}" if imported else "-"
    their = litert.get("converted") or litert.get("quantized") or litert.get("failed")
    return (
        line["network"],
        line["exporter"],
        made,
        f"{imported['seconds']:.0f}" if "seconds" in imported else "-",
        f"{imported['gigabytes']:.1f}" if "gigabytes" in imported else "-",
        _number(int8, "float_file", ".0e"),
        reason(int8["failed"]) if "failed" in int8 else _quality(int8),
        _number(int8, "bytes", ","),
        reason(f"litert-torch: {their}") if their else _quality(litert),
        f"{int8['bytes'] / litert['bytes']:.2f}x" if "bytes" in int8 and "bytes" in litert else "-",
        f"{line['latency']['ratio']:.2f}x" if "ratio" in line.get("latency", {}) else "-",
    )


def _number(values: Line, key: str, form: str) -> str:
    return f"{values[key]:{form}}" if key in values else "-"


def _quality(values: Line) -> str:
    if "sqnr_db" not in values:
        return "-"
    same = f", {values['same_class']:.0%}" if "same_class" in values else ""
    return f"{values['sqnr_db']:.1f} dB{same}"


def _sums(lines: Sequence[Line]) -> list[str]:
    tried = [line for line in lines if "import" in line]
    equal = [line for line in tried if line["import"].get("proof", math.inf) <= REBUILT]
    wrong = [line for line in tried if line.get("files", {}).get("float_file", 0) > REBUILT]
    ran = [line for line in equal if "sqnr_db" in line.get("files", {})]
    both = [line for line in ran if "sqnr_db" in line.get("litert", {})]
    made = [
        f"{len({line['network'] for line in lines})} networks, {len(lines)} rows, {len(tried)} of them imported",
        f"rebuilt equal: {len(equal)} of {len(tried)}" + (f" ({len(equal) / len(tried):.0%})" if tried else ""),
        f"float file further than {REBUILT:.0e} from onnxruntime: {len(wrong)}",
        f"int8 file made, and runs: {len(ran)} of {len(equal)}",
    ]
    if both:
        gain = [line["files"]["sqnr_db"] - line["litert"]["sqnr_db"] for line in both]
        size = [line["files"]["bytes"] / line["litert"]["bytes"] for line in both]
        made += [
            f"beside litert-torch's int8 file, {len(both)} rows: {median(gain):+.1f} dB in the median, "
            f"worse by more than 1 dB in {sum(g < -1 for g in gain)}; "
            f"{median(size):.2f}x the bytes, larger in {sum(s > 1 for s in size)}"
        ]
    timed = [line["latency"] for line in both if "ratio" in line.get("latency", {})]
    if timed:
        slower = sum((line["interval"][0] or 0) > 1 for line in timed)
        made += [
            f"latency, {len(timed)} rows: {median(line['ratio'] for line in timed):.2f}x in the median, certainly more "
            f"than 1x in {slower}"
        ]
    return made
