"""A search as text: a line a trial while it goes on, the front as a table at its end."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.bundle.budget import OPTIONS
from edgekit.bundle.search_result import Point, SearchResult
from edgekit.bundle.trials import COMPLETE, Measured, Trial
from edgekit.errors.printable import lines
from edgekit.tasks.scores import brief_text, brief_title, score_text, title
from edgekit.text.columns import INTERVAL, PLAIN, Column, Look, Value, interval, render, values
from edgekit.text.tables import ratio_with_interval


def _measured(point: Point) -> Measured:
    assert point.trial.measured is not None, "a trial on the front has a file"
    return point.trial.measured


def _latency(point: Point) -> str:
    return latency_text(point) or "-"


def latency_text(point: Point) -> str:
    """Return `1.92 ms (0.61x [0.59, 0.63])`, the ratio against the reference file; empty where it was not measured."""
    measured = _measured(point)
    ratio, ms = measured.ratio(), measured.latency_ms
    return "" if ratio is None or ms is None else f"{ms:.3g} ms ({ratio_with_interval(ratio)})"


def _latency_brief(point: Point) -> str:
    ms = _measured(point).latency_ms
    return "-" if ms is None else f"{ms:.3g} ms"


def _ratio(point: Point) -> str:
    ratio = _measured(point).ratio()
    return "-" if ratio is None else ratio_with_interval(ratio)


def _latency_value(point: Point) -> Value:
    ratio = _measured(point).ratio()
    return None if ratio is None else interval(ratio)


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def columns(metric: str = "accuracy") -> list[Column[Point]]:
    """Return the columns, with the metric in headers."""
    return [
        Column(
            "trial", "trial", "", 1, "Number of the trial; its folder and its bundle begin with it.",
            lambda p: str(p.trial.number), lambda p: p.trial.number,
        ),
        Column(
            "recipe", "recipe", "", 6, "What was done; `recipe.toml` in its folder does it again.",
            lambda p: p.trial.description, lambda p: p.trial.description, brief=lambda p: p.trial.name, left=True,
        ),
        Column(
            "score", f"val {title(metric)}", "", 1, "The metric of the task on validation samples, which chose it.",
            lambda p: score_text(_measured(p).scored), lambda p: interval(_measured(p).scored.interval),
            brief=lambda p: brief_text(_measured(p).scored), short=f"val {brief_title(metric)}",
            parts=INTERVAL,
        ),
        Column(
            "test", f"test {title(metric)}", "", 2, "The same on test samples, which were read once, for its bundle.",
            lambda p: "-" if p.tested is None else score_text(p.tested),
            lambda p: None if p.tested is None else interval(p.tested.interval),
            brief=lambda p: "-" if p.tested is None else brief_text(p.tested), short=f"test {brief_title(metric)}",
            parts=INTERVAL,
        ),
        Column(
            "bytes", "size", "bytes", 2, "Size of the file.",
            lambda p: f"{_measured(p).bytes:,} B", lambda p: _measured(p).bytes,
        ),
        Column(
            "gzip_bytes", "gzip", "bytes", 8, "Size after gzip -9.",
            lambda p: f"{_measured(p).gzip_bytes:,} B", lambda p: _measured(p).gzip_bytes,
        ),
        Column(
            "macs", "MACs", "", 4, "Multiply-accumulate operations of one inference.",
            lambda p: _count(_measured(p).macs), lambda p: _measured(p).macs,
        ),
        Column(
            "latency_ms", "latency (vs reference)", "ms", 3,
            "Latency on the target, as the ratio to the reference file times that file's latency.",
            _latency, lambda p: _measured(p).latency_ms, brief=_latency_brief, short="latency",
        ),
        Column(
            "latency_ratio", "latency ratio", "ratio", 13, "The ratio alone, round by round.",
            _ratio, _latency_value, parts=INTERVAL,
        ),
        Column(
            "memory_bytes", "memory", "bytes", 9, "Activations that are needed at the same time, by the file's graph.",
            lambda p: "-" if _measured(p).memory_bytes is None else f"{_measured(p).memory_bytes:,} B",
            lambda p: _measured(p).memory_bytes,
        ),
        Column(
            "parameters", "parameters", "", 10, "Numbers in its weights.",
            lambda p: f"{_measured(p).parameters:,}", lambda p: _measured(p).parameters,
        ),
        Column(
            "seconds", "seconds", "s", 11, "Spent in the trial.",
            lambda p: f"{p.trial.seconds:.0f}", lambda p: p.trial.seconds,
        ),
        Column(
            "bundle", "bundle", "", 12, "Folder of its bundle, in the folder of the search.",
            lambda p: p.bundle or "-", lambda p: p.bundle or None, left=True,
        ),
    ]  # fmt: skip


def shown_columns(result: SearchResult) -> list[Column[Point]]:
    """Return the columns that tell something about a front."""
    unknown = set() if result.cost == "latency" else {"latency_ms"}
    unknown |= {"test", "bundle"} if not any(point.bundle for point in result.front) else set()
    return [c for c in columns(result.metric) if c.name not in unknown | {"latency_ratio"}]


def search_table(result: SearchResult, look: Look = PLAIN) -> str:
    """Return the front, and below it what it is the front of, and what misses the budget."""
    table = render(shown_columns(result), result.front, look) if result.front else "no trial is complete"
    return f"{table}\n\n{lines(summary(result))}"


def summary(result: SearchResult) -> list[str]:
    """Return sentences about a search."""
    tried = result.complete + result.pruned + result.failed
    lines = [
        f"{tried} trials in {clock(result.seconds)}: {result.complete} complete, {result.pruned} stopped early, "
        f"{result.failed} failed"
    ]
    if result.cost == "macs":
        lines.append("latency was not measured: MACs stand in for it")
    if not result.met:
        lines.append(nearest_text(result))
    return lines


def nearest_text(result: SearchResult) -> str:
    """Return which trial comes nearest to a budget that none keeps to, and by how much it misses."""
    if result.nearest is None:
        return "no file keeps to the budget: no trial is complete"
    missed = ", ".join(f"`{OPTIONS.get(name, name)}` by {miss:.1%}" for name, miss in result.misses.items())
    return f"no file keeps to the budget; the nearest is trial {result.nearest}, which misses {missed}"


def trial_line(trial: Trial, front: Sequence[Trial], left: str) -> str:
    """Return a line about a trial that just ended.

    Args:
        trial: its record.
        front: the trials on the front by now.
        left: how much of the search is left.
    """
    place = (
        f"on the front of {len(front)}" if any(t.number == trial.number for t in front) else f"front of {len(front)}"
    )
    if trial.same_as is not None:
        told = f"the same as trial {trial.same_as}"
    elif trial.state == COMPLETE and trial.measured is not None:
        m = trial.measured
        latency = "" if m.latency_ms is None else f", {m.latency_ms:.3g} ms"
        told = f"{brief_text(m.scored)}, {m.bytes:,} bytes, {_count(m.macs)} MACs{latency}"
    else:
        told = f"{'stopped' if trial.state == 'pruned' else trial.state}: {trial.reason}"
    what = trial.description if trial.name == f"trial-{trial.number}" else trial.name
    return f"trial {trial.number} ({what}): {told}; {place}; {left}"


def clock(seconds: float) -> str:
    """Return `2 h 05 min`, `3 min 20 s` or `12 s`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def point_values(point: Point) -> dict[str, Value]:
    """Return a point of the front as JSON, by the names of the columns."""
    return values(columns(), point)


def search_values(result: SearchResult) -> dict[str, object]:
    """Return a search as JSON: a row a file of the front, and what is said below its table."""
    keys = ("metric", "cost", "target", "gzip", "met", "nearest", "misses", "complete", "pruned", "failed", "seconds")
    return {
        **{key: getattr(result, key) for key in keys},
        "budget": result.budget.to_dict(),
        "front": [{**point_values(point), "recipe_file": point.recipe or None} for point in result.front],
    }
