"""The memory passes: how far the resident set grew while a file was loaded, run once, and run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.bundle.runs import MemoryRun, ResidentRun
from edgekit.reporting.html.charts import theme
from edgekit.schema.types import JsonObject

STRIP_PX = 26
LOADED, FIRST = "after loading", "after the first inference"


@dataclass(frozen=True)
class Footprint:
    """A file's memory over what the process had after its imports, MiB; None where it cannot be read."""

    label: str
    peak_mib: float
    loaded_mib: float | None
    first_mib: float | None

    @classmethod
    def of_run(cls, label: str, run: MemoryRun | None) -> Footprint | None:
        """Return what a memory pass found; None where it found nothing."""
        if run is None or run.used_kib is None:
            return None
        loaded = first = None
        if isinstance(run, ResidentRun):
            before = run.rss_kib.after_imports
            loaded, first = (
                None if rss is None else (rss - before) / 1024
                for rss in (run.rss_kib.after_load, run.rss_kib.after_first)
            )
        return cls(label, run.used_kib / 1024, loaded, first)


def memory(found: Sequence[Footprint]) -> JsonObject:
    """Return the chart: a bar a file up to its peak, with marks for the steps before."""
    rows = [{"file": one.label, "peak": theme.drawn(one.peak_mib), "text": f"{one.peak_mib:.1f} MiB"} for one in found]
    marks = [
        {"file": one.label, "step": step, "mib": theme.drawn(mib), "text": f"{mib:.1f} MiB"}
        for one in found
        for step, mib in ((LOADED, one.loaded_mib), (FIRST, one.first_mib))
        if mib is not None
    ]
    _, high = theme.linear_domain([0.0, *(one.peak_mib for one in found)], low=0.0)
    x: JsonObject = {
        "type": "quantitative",
        "scale": {"domain": theme.all_drawn([0.0, 1.3 * high]), "nice": False},
        "axis": {"title": "resident set over the imports', MiB", "tickCount": 4},
    }
    peak: JsonObject = {"field": "peak", **x}
    step: JsonObject = {"field": "mib", **x}
    y: JsonObject = {
        "field": "file", "type": "nominal", "sort": [one.label for one in found],
        "axis": {"title": None, "labelColor": theme.INK, "grid": False},
    }  # fmt: skip
    shapes = {"domain": [LOADED, FIRST], "range": ["triangle-right", "diamond"]}
    return theme.specification(
        "peak memory: " + "; ".join(f"{one.label} {one.peak_mib:.1f} MiB" for one in found),
        rows,
        height=STRIP_PX * len(found),
        encoding={"y": y},
        layer=[
            {
                "mark": {"type": "bar", "color": theme.QUIET, "opacity": 0.6, "height": {"band": 0.6}},
                "encoding": {"x": peak, "tooltip": theme.tooltips(file="file", text="peak")},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 5, "baseline": "middle"},
                "encoding": {"x": peak, "text": {"field": "text", "type": "nominal"}},
            },
            {
                "data": {"values": marks},
                "mark": {"type": "point", "filled": True, "size": 55, "color": theme.ACCENT, "opacity": 1},
                "encoding": {
                    "x": step,
                    "shape": {"field": "step", "type": "nominal", "scale": shapes, "legend": {"columns": 1}},
                    "tooltip": theme.tooltips(file="file", step="step", text="memory"),
                },
            },
        ],
    )  # fmt: skip
