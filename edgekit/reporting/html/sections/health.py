"""The machines: what they are, side by side, and what they were like while they measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.bundle.facts import FactValue, Unavailable, fact_text
from edgekit.bundle.records import Record
from edgekit.reporting.html.charts.health import QUANTITIES, Moment, changing, extents, health, moments
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.reporting.html.sections.limits import MOST_DRAWN, first
from edgekit.reporting.html.sections.parts import Figure, Section, facts, figures, paragraphs

IDENTIFIER = "health"


def devices(records: Mapping[str, Record]) -> Section | None:
    """Return a panel a device: what it is, and how it was reached."""
    by_target: dict[str, Record] = {}
    for record in records.values():
        by_target.setdefault(record.target, record)
    if not by_target:
        return None
    shown, left = first(list(by_target.items()), MOST_DRAWN, "devices")
    cards = [
        element("section", element("h3", target), _machine(record), class_="card", aria_label=f"device {target}")
        for target, record in shown
    ]
    return Section("devices", "Devices", joined([element("div", *cards, class_="cards"), paragraphs(left)]))


def _machine(record: Record) -> Markup:
    host = record.host
    used = {run.runtime for measurement in record.measurements for run in measurement.runs()}
    memory = host.memory_kib
    pairs: list[tuple[str, FactValue | Unavailable | None]] = [
        ("processor", host.cpu_model),
        ("core", host.cpu_core),
        ("architecture", host.architecture),
        ("cores", host.cores),
        ("governor", host.governor),
        ("emulated by", host.emulated or None),
        ("virtualization", host.virtualization),
        ("memory", f"{memory / 1024:,.0f} MiB" if isinstance(memory, int) else memory),
        ("operating system", host.os),
        ("kernel", host.kernel),
        ("address", record.device.address),
        ("runtimes", "; ".join(sorted({f"{r.name} {r.version} ({r.delegate})" for r in used})) or None),
    ]
    return facts((name, fact_text(fact, "could not be read")) for name, fact in pairs if fact is not None)


def healths(records: Mapping[str, Record]) -> Section | None:
    """Return what the machines were like during each session; None: no latency was measured."""
    found = {name: moments(record) for name, record in records.items()}
    found = {name: own for name, own in found.items() if own}
    if not found:
        return None
    parts: list[Markup] = []
    shown, left = first(list(found.items()), MOST_DRAWN, "records")
    for index, (name, own) in enumerate(shown, 1):
        if len(found) > 1:
            parts.append(element("h3", name))
        parts.append(paragraphs([_sentence(records[name], own)]))
        if changing(own):
            chart = Figure("Before and after every process", health(own), wide=True)
            parts.append(figures(f"{IDENTIFIER}-{index}", [chart]))
    return Section(IDENTIFIER, "The machine during the runs", joined([*parts, paragraphs(left)]))


def _sentence(record: Record, own: Sequence[Moment]) -> str:
    """Return what could be read, what could not, and whether anything limited the CPU."""
    known = extents(own)
    texts = list(map(str, known))
    unread = [q.name for q in QUANTITIES if q not in [extent.quantity for extent in known]]
    if unread:
        texts.append(f"not readable on {record.target}: {', '.join(unread)}")
    limited = list(dict.fromkeys(what for moment in own for what in moment.throttled))
    if limited:
        count = sum(bool(moment.throttled) for moment in own)
        texts.append(f"limited during {count} of {len(own)} processes: {', '.join(limited)}")
    elif record.device.throttled is not None:
        texts.append("nothing throttled")
    else:
        texts.append("throttling bits: not readable there")
    return f"{len(own)} processes: {'; '.join(texts)}."
