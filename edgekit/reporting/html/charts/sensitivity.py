"""SQNR layer by layer along a net: accumulated, of each output alone, and of its weights."""

from __future__ import annotations

from edgekit.bundle.sensitivity import Sensitivity
from edgekit.reporting.html.charts import theme
from edgekit.reporting.sensitivity_table import rows
from edgekit.schema.types import JsonObject

HEIGHT = 260
CEILING_DB = 80.0
"""Ratios above it are drawn there: nobody sees the noise."""
SERIES = ("int8 file against float, so far", "output rounded alone", "weights rounded alone")


def sensitivity(found: Sensitivity) -> JsonObject:
    """Return the chart."""
    drawn: list[JsonObject] = []
    for place, row in enumerate(rows(found, found.layers), 1):
        layer = row.layer
        ratios = (layer.accumulated_sqnr_db, layer.output_sqnr_db, layer.acting_weights_sqnr_db)
        drawn += [
            {
                "place": place, "layer": row.name, "operator": layer.kind, "series": name,
                "db": theme.drawn(min(ratio, CEILING_DB)), "text": f"{ratio:.1f} dB",
            }
            for name, ratio in zip(SERIES, ratios, strict=True)
            if ratio is not None
        ]  # fmt: skip
    colour = {
        "field": "series", "type": "nominal", "legend": {"columns": 1},
        "scale": {"domain": list(SERIES), "range": [theme.ACCENT, theme.DOUBT, theme.BETTER]},
    }  # fmt: skip
    shape = {
        "field": "series", "type": "nominal", "legend": {"columns": 1},
        "scale": {"domain": list(SERIES), "range": ["circle", "square", "triangle-down"]},
    }  # fmt: skip
    x = {
        "field": "place", "type": "quantitative", "scale": {"zero": False, "nice": False},
        "axis": {"title": "operators, in the order in which they run", "grid": False, "format": "d"},
    }  # fmt: skip
    y = {"field": "db", "type": "quantitative", "axis": {"title": "SQNR, dB"}}
    hover = theme.tooltips(layer="layer", operator="operator", series="of", text="SQNR")
    layers: list[JsonObject] = [
        {
            "transform": [{"filter": {"field": "series", "equal": SERIES[0]}}],
            "mark": {"type": "line", "strokeWidth": 1.5, "color": theme.ACCENT},
            "encoding": {"x": x, "y": y},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 45, "opacity": 1},
            "encoding": {"x": x, "y": y, "color": colour, "shape": shape, "tooltip": hover},
        },
    ]
    if found.culprit is not None:
        place = found.layers.index(found.culprit) + 1
        layers.insert(0, {
            "data": {"values": [{"place": place}]},
            "mark": {"type": "rule", "color": theme.WORSE, "strokeWidth": 2},
            "encoding": {"x": x},
        })  # fmt: skip
    worst = "" if found.sqnr_db is None else f", {found.sqnr_db:.1f} dB at the outputs"
    return theme.specification(
        f"SQNR of {len(found.layers)} operators of {found.model} in int8{worst}", drawn, height=HEIGHT, layer=layers
    )
