"""What the machine was like while it measured: temperature, CPU frequency and load, before and after every process."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgekit.bundle.records import Record
from edgekit.bundle.runs import MachineState, SampledRun
from edgekit.measuring.verdict import throttling
from edgekit.reporting.html.charts import theme
from edgekit.schema.types import JsonObject

PANEL_PX, PANEL_HEIGHT_PX = 260, 110
MOST_PROCESSES = 400
"""Of one chart; of more every n-th is drawn."""


def _temperature(state: MachineState) -> float | None:
    return max(state.temperatures_c.values(), default=None) if state.temperatures_c else None


def _frequency(state: MachineState) -> float | None:
    return max(state.frequencies_khz) / 1000 if state.frequencies_khz else None


@dataclass(frozen=True)
class Quantity:
    """What a machine's state holds of something: its name, its unit, and how to read it."""

    name: str
    unit: str
    of: Callable[[MachineState], float | None]

    @property
    def title(self) -> str:
        """The name with the unit."""
        return f"{self.name}, {self.unit}" if self.unit else self.name


QUANTITIES = (
    Quantity("temperature", "°C", _temperature),
    Quantity("CPU frequency", "MHz", _frequency),
    Quantity("load average of a minute", "", lambda state: state.load_1min),
)
"""Of several zones and cores the highest."""


@dataclass(frozen=True)
class Moment:
    """One process of the latency pass.

    Attributes:
        order: its place among all of them, from 1.
        file: that it ran.
        run: what it returned.
        throttled: what limited the CPU during it; empty: nothing that could be read.
    """

    order: int
    file: str
    run: SampledRun
    throttled: tuple[str, ...]


def moments(record: Record) -> list[Moment]:
    """Return the processes of the latency pass in the order of time."""
    limits = throttling(record)
    rounds = itertools.zip_longest(*([(m, run) for run in m.latency] for m in record.measurements))
    found = []
    for number, (measurement, run) in enumerate(filter(None, itertools.chain.from_iterable(rounds)), 1):
        place = run.place or number
        limited = limits[place - 1] if place <= len(limits) else ()
        if isinstance(run, SampledRun):
            found.append(Moment(place, record.subjects[measurement.subject].name, run, tuple(limited)))
    return sorted(found, key=lambda moment: moment.order)


@dataclass(frozen=True)
class Extent:
    """The lowest and the highest value of a quantity."""

    quantity: Quantity
    low: float
    high: float

    def __str__(self) -> str:
        unit = f" {self.quantity.unit}" if self.quantity.unit else ""
        if self.low == self.high:
            return f"{self.quantity.name} {self.low:.4g}{unit} throughout"
        return f"{self.quantity.name} {self.low:.4g} to {self.high:.4g}{unit}"


def extents(found: Sequence[Moment]) -> list[Extent]:
    """Return the quantities that could be read at least once, with their extents."""
    known = []
    for quantity in QUANTITIES:
        values = [value for m in found for state in _states(m) if (value := quantity.of(state)) is not None]
        if values:
            known.append(Extent(quantity, min(values), max(values)))
    return known


def changing(found: Sequence[Moment]) -> list[Quantity]:
    """Return the quantities that have something to draw."""
    return [extent.quantity for extent in extents(found) if extent.low < extent.high]


def health(found: Sequence[Moment]) -> JsonObject:
    """Return a panel a quantity: a line from before each process to after it, red where the CPU was limited."""
    shown = changing(found)
    every = -(-len(found) // MOST_PROCESSES)
    rows = [row for moment in found[::every] for row in _rows(moment, shown)]
    colour = {
        "field": "limited", "type": "nominal", "legend": None,
        "scale": {"domain": ["no", "yes"], "range": [theme.ACCENT, theme.WORSE]},
    }  # fmt: skip
    x = {
        "field": "order", "type": "quantitative", "scale": {"nice": False, "zero": False},
        "axis": {"title": "processes, in order", "grid": False, "tickCount": 4, "format": "d"},
    }  # fmt: skip
    y = {
        "field": "value", "type": "quantitative", "scale": {"zero": False, "nice": True},
        "axis": {"title": None, "tickCount": 4},
    }  # fmt: skip
    hover = theme.tooltips(order="process", file="file", when="when", value="value", why="limited by")
    return theme.panels(
        "the machine while it measured: " + "; ".join(map(str, extents(found))),
        rows,
        "quantity",
        [quantity.title for quantity in shown],
        PANEL_PX,
        resolve={"scale": {"y": "independent"}},
        spec={
            "height": PANEL_HEIGHT_PX,
            "layer": [
                {"mark": {"type": "line", "strokeWidth": 1, "color": theme.QUIET}, "encoding": {"x": x, "y": y}},
                {
                    "mark": {"type": "point", "filled": True, "size": 22, "opacity": 1},
                    "encoding": {"x": x, "y": y, "color": colour, "tooltip": hover},
                },
            ],
        },
    )


def _states(moment: Moment) -> tuple[MachineState, MachineState]:
    return moment.run.state_before, moment.run.state_after


def _rows(moment: Moment, shown: Sequence[Quantity]) -> Iterator[JsonObject]:
    for quantity in shown:
        for when, later, state in zip(("before", "after"), (0.0, 0.5), _states(moment), strict=True):
            if (value := quantity.of(state)) is not None:
                yield {
                    "quantity": quantity.title, "order": moment.order + later, "file": moment.file, "when": when,
                    "value": theme.drawn(value), "limited": "yes" if moment.throttled else "no",
                    "why": ", ".join(moment.throttled) or "-",
                }  # fmt: skip
