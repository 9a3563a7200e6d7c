"""What the machine was like while it measured: temperature, CPU frequency and load, before and after every process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgekit.bundle.records import Record
from edgekit.bundle.runs import MachineState, SampledRun
from edgekit.measuring.verdict import throttling
from edgekit.report.html.charts import theme
from edgekit.schema.types import JsonObject

PANEL_PX, PANEL_HEIGHT_PX = 260, 110
MOST_PROCESSES = 400
"""Of one chart; of more every n-th is drawn."""


def _temperature(state: MachineState) -> float | None:
    return max(state.temperatures_c.values(), default=None) if state.temperatures_c else None


def _frequency(state: MachineState) -> float | None:
    return max(state.frequencies_khz) / 1000 if state.frequencies_khz else None


QUANTITIES: tuple[tuple[str, Callable[[MachineState], float | None]], ...] = (
    ("highest temperature, °C", _temperature),
    ("highest CPU frequency, MHz", _frequency),
    ("load average of a minute", lambda state: state.load_1min),
)


@dataclass(frozen=True)
class Moment:
    """One process of the latency pass.

    Attributes:
        order: of the processes, from 1: the rounds are interleaved.
        file: that it ran.
        run: what it returned.
        throttled: what limited the CPU during it; empty: nothing that could be read.
    """

    order: int
    file: str
    run: SampledRun
    throttled: tuple[str, ...]


def moments(record: Record) -> list[Moment]:
    """Return the processes of the latency pass in the order of the rounds."""
    limits = throttling(record)
    longest = max((len(m.latency) for m in record.measurements), default=0)
    found: list[Moment] = []
    order = 0
    for number in range(longest):
        for measurement in record.measurements:
            if number >= len(measurement.latency):
                continue
            run = measurement.latency[number]
            order += 1
            limited = limits[order - 1] if order <= len(limits) else ()
            if isinstance(run, SampledRun):
                found.append(Moment(order, record.subjects[measurement.subject].name, run, tuple(limited)))
    return found


def known(found: Sequence[Moment]) -> list[str]:
    """Return the quantities that could be read at least once."""
    return [name for name, of in QUANTITIES if any(of(state) is not None for m in found for state in _states(m))]


def health(found: Sequence[Moment]) -> JsonObject:
    """Return a panel a quantity: a line from before each process to after it, red where the CPU was limited."""
    shown = known(found)
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
        "the machine while it measured: " + "; ".join(_range(name, found) for name in shown),
        rows,
        "quantity",
        shown,
        PANEL_PX,
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


def _rows(moment: Moment, shown: Sequence[str]) -> Iterator[JsonObject]:
    for name, of in QUANTITIES:
        if name not in shown:
            continue
        for when, later, state in zip(("before", "after"), (0.0, 0.5), _states(moment), strict=True):
            if (value := of(state)) is not None:
                yield {
                    "quantity": name, "order": moment.order + later, "file": moment.file, "when": when,
                    "value": theme.drawn(value), "limited": "yes" if moment.throttled else "no",
                    "why": ", ".join(moment.throttled) or "-",
                }  # fmt: skip


def extent(name: str, found: Sequence[Moment]) -> tuple[float, float]:
    """Return the lowest and the highest value of a quantity that is known."""
    of = dict(QUANTITIES)[name]
    values = [value for m in found for state in _states(m) if (value := of(state)) is not None]
    return min(values), max(values)


def _range(name: str, found: Sequence[Moment]) -> str:
    low, high = extent(name, found)
    return f"{name} from {low:.4g} to {high:.4g}"
