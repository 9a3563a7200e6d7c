"""Accuracy against size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.errors import EdgekitError
from edgekit.files.whole import atomic_file

from .summary import Line

COLOURS = {
    "baseline": "#000000",
    "control": "#999999",
    "post-training": "#e69f00",
    "qat": "#d55e00",
    "prune": "#0072b2",
    "distill": "#009e73",
    "sequence": "#cc79a7",
    "order": "#56b4e9",
}
MARKERS = {"float32": "o", "float16": "^", "dynamic": "v", "int8": "s"}
SHOWN = 0.06
"""The plot ends this far below the best accuracy, so that the crowd at the top can be told apart."""


def draw(found: Sequence[Line], title: str, path: Path) -> None:
    """Draw accuracy of the file against its bytes after gzip, on a log scale; a colour a family, a marker a scheme.

    Lines below the range are drawn at its lower edge as crosses. The SVG holds no date, so that the same records give
    the same file.

    Args:
        found: what to draw.
        title: above the axes.
        path: the `.svg` file.

    Raises:
        EdgekitError: Matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise EdgekitError("the plot needs Matplotlib, which is not installed", "pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    with matplotlib.rc_context({"svg.hashsalt": "edgekit", "font.size": 9}):
        figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
        floor = 100 * (max((line.accuracy.value for line in found), default=1.0) - SHOWN)
        for line in found:
            value = 100 * line.accuracy.value
            low, high = (100 * v for v in (line.accuracy.low, line.accuracy.high))
            colour, inside = COLOURS[line.row.family], value >= floor
            axes.errorbar(
                line.gzip_bytes / 1000,
                max(value, floor),
                yerr=[[value - low], [high - value]] if inside else None,
                marker=MARKERS[line.scheme] if inside else "x",
                color=colour,
                markersize=4.5,
                linewidth=0.6,
                alpha=0.85,
            )
        axes.set_xscale("log")
        axes.set_ylim(floor - 0.1, None)
        axes.set_xlabel("size of the file after gzip -9, kB")
        axes.set_ylabel("test accuracy of the file, %")
        axes.set_title(title)
        axes.grid(alpha=0.25, which="both", linewidth=0.4)
        for family in dict.fromkeys(line.row.family for line in found):
            axes.plot([], [], "o", color=COLOURS[family], label=family)
        for scheme in dict.fromkeys(line.scheme for line in found):
            axes.plot([], [], MARKERS[scheme], color="#555555", fillstyle="none", label=scheme)
        if found:
            axes.legend(fontsize=7, loc="lower right", ncols=2)
        with atomic_file(path) as temporary:
            figure.savefig(temporary, metadata={"Date": None})
        pyplot.close(figure)
