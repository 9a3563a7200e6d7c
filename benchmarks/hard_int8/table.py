"""The results as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.text.tables import table

from .models import TEN

Result = Mapping[str, Any]
HEADER = (
    "model", "float", "TensorFlow int8", "edgekit int8", "--max-drop 0.5 [95 %]", "drop on test [95 %]",
    "on validation", "float operators", "seconds", "training", "cost", "passed by",
)  # fmt: skip
MOST_REVERTED, MOST_COST = 0.1, 8.0


def show(results: Mapping[str, Result]) -> str:
    """Return the table, what the target asks, and the reasons of what failed."""
    reasons: list[str] = []
    rows = [_row(name, row, reasons) for name, row in results.items()]
    ten = {name: row for name, row in results.items() if name in TEN}
    return "\n".join([table(HEADER, rows), "", *_target(ten), *_legend(), *reasons])


def _row(name: str, row: Result, reasons: list[str]) -> tuple[str, ...]:
    plain = [_score(row[label], row["float"], reasons) for label in ("tensorflow", "int8")]
    found = row["max_drop"]
    if "error" in found:
        return (name, _value(row["float"]), *plain, _reason(found, reasons), *["-"] * (len(HEADER) - 5))
    count = str(found["reverted"])
    if found["operators"]:
        count += f" of {found['operators']} ({found['reverted'] / found['operators']:.0%})"
    return (
        name,
        _value(row["float"]),
        *plain,
        f"{_value(found)} {_bounds(found)}",
        _drop(found["drop"]),
        f"{found['validation_drop']['value']:.2f}",
        count,
        f"{found['post_training_seconds']:.1f}",
        f"{found['training_seconds']:.0f}" if found["training_seconds"] else "-",
        f"{found['cost']:.1f}x",
        found["step"] if found["reached"] else f"not reached ({found['step']})",
    )


def _target(ten: Mapping[str, Result]) -> list[str]:
    """Return what the target asks, and for which of the ten it holds."""
    done = {name: row["max_drop"] for name, row in ten.items()}
    lists = {
        "TensorFlow's own int8 fails by more than 1": [n for n, row in ten.items() if _fails(row["tensorflow"])],
        "--max-drop 0.5 reaches its goal": [name for name, found in done.items() if found.get("reached")],
        "on test samples the drop is at most 0.5, too": [
            n for n, f in done.items() if "steps" in f and f["drop"][0] <= 0.5
        ],
        f"at most {MOST_REVERTED:.0%} of the operators in float": [
            n for n, f in done.items() if "steps" in f and f["reverted"] <= MOST_REVERTED * (f["operators"] or 1)
        ],
        "without training": [n for n, f in done.items() if "steps" in f and not f["training_seconds"]],
        f"cost at most {MOST_COST:g}x": [n for n, f in done.items() if f.get("cost", MOST_COST + 1) <= MOST_COST],
    }  # fmt: skip
    lines = []
    for text, names in lists.items():
        missing = [name for name in ten if name not in names]
        lines.append(f"{text}: {len(names)} of {len(ten)}" + (f", not {', '.join(missing)}" if missing else ""))
    return [*lines, ""]


def _fails(found: Result) -> bool:
    return "error" in found or found["drop"][0] > 1


def _legend() -> list[str]:
    return [
        "scores: accuracy, or the mean absolute error of a regression, on test samples; in brackets what is lost:",
        "points, or percent of the error. --max-drop looks at validation samples only.",
        "seconds: of all steps without training, from the ledger (files made and judged, their latency left out);",
        "cost: the same as multiples of its first step, which is plain int8. training: the steps of training.",
    ]


def _score(found: Result, reference: Result, reasons: list[str]) -> str:
    return _reason(found, reasons) if "error" in found else f"{_value(found)} ({found['drop'][0]:+.2f})"


def _reason(found: Result, reasons: list[str]) -> str:
    why = found["error"].partition(": ")[2].strip()
    line = next((line for line in reasons if line.endswith(why)), "")
    if not line:
        line = f"[{len(reasons) + 1}] {why}"
        reasons.append(line)
    return line.partition(" ")[0]


def _value(found: Result) -> str:
    return f"{100 * found['value']:.2f} %" if found["metric"] == "accuracy" else f"{found['value']:.2f}"


def _bounds(found: Result) -> str:
    low, high = (100 * v if found["metric"] == "accuracy" else v for v in found["interval"])
    return f"[{low:.1f}, {high:.1f}]"


def _drop(drop: list[float]) -> str:
    value, low, high = drop
    return f"{value:+.2f} [{low:.2f}, {high:.2f}]"
