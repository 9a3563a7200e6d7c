"""SQNR layer by layer along a net, as a picture."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundle.sensitivity import Sensitivity
from edgekit.errors import MissingExtraError
from edgekit.errors.printable import visible
from edgekit.reporting.model_page import short
from edgekit.reporting.sensitivity_table import rows

SUFFIXES = (".png", ".svg")
_CEILING_DB = 80.0
"""Ratios above it are drawn there: nobody sees the noise."""
_NAMED = 60
"""Layers whose names have room on the axis."""
_NAME = 28
_WIDTH_INCHES, _HEIGHT_INCHES = (6.0, 24.0), 4.5


def draw(found: Sensitivity, path: Path) -> None:
    """Draw the SQNR of every layer along the net: accumulated, of its output alone, and of its weights.

    Args:
        found: the layers.
        path: the file to write, with one of `SUFFIXES`.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    prove_matplotlib()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    layers = found.layers
    places = range(len(layers))
    width = min(max(0.28 * len(layers), _WIDTH_INCHES[0]), _WIDTH_INCHES[1])
    figure = Figure(figsize=(width, _HEIGHT_INCHES), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for label, style, ratios in (
        ("int8 file against float, so far", "o-", [layer.accumulated_sqnr_db for layer in layers]),
        ("output rounded alone", "s", [layer.output_sqnr_db for layer in layers]),
        ("weights rounded alone", "v", [layer.acting_weights_sqnr_db for layer in layers]),
    ):
        drawn = [
            (place, min(ratio, _CEILING_DB)) for place, ratio in zip(places, ratios, strict=True) if ratio is not None
        ]
        axes.plot([x for x, _ in drawn], [y for _, y in drawn], style, label=label, markersize=4, linewidth=1)
    if found.culprit is not None:
        axes.axvline(layers.index(found.culprit), color="tab:red", linewidth=1, label="breaks the file")
    axes.set_ylabel("SQNR, dB")
    axes.set_title(visible(f"{found.model}: layers of the int8 file"), parse_math=False)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    if len(layers) <= _NAMED:
        names = [short(row.name, _NAME) for row in rows(found, layers)]
        axes.set_xticks(list(places), names, rotation=90, fontsize="x-small", parse_math=False)
    else:
        axes.set_xlabel("layers, in the order in which they run")
    format_ = path.suffix.lower().removeprefix(".")
    metadata = {"Date": None} if format_ == "svg" else {"Software": None}
    with matplotlib.rc_context({"svg.hashsalt": "edgekit"}):  # the same layers, the same bytes
        figure.savefig(path, format=format_, dpi=150, metadata=metadata)


def prove_matplotlib() -> None:
    """Prove that plots can be drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("drawing a plot", "plot", str(error)) from error
