"""Bundles: their files, and the effect ledger of the compression as a waterfall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgekit.bundle.manifest import Bundle, Manifest
from edgekit.reporting import bundle_table, ledger_table
from edgekit.reporting.html.charts.waterfall import bytes_steps, latency_steps, score_steps, waterfall
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.reporting.html.points import Chosen, of_bundle
from edgekit.reporting.html.sections.limits import MOST_DRAWN, MOST_SOURCES, first
from edgekit.reporting.html.sections.overview import charts
from edgekit.reporting.html.sections.parts import Figure, Section, column_help, figures, paragraphs, table

IDENTIFIER = "bundles"
HOW = (
    "The effect ledger: what each stage of a compression changed, judged on the file that would come out after it. "
    "A bar goes from the value before a stage to that after it, green where that is better and red where it is worse; "
    "the line below is the 95 % interval, and a bar is grey where the value before lies in it."
)


def bundles(found: Mapping[str, Bundle], chosen: Chosen) -> Section | None:
    """Return every bundle, with the files that were chosen marked; None: there is none."""
    if not found:
        return None
    parts = [paragraphs([HOW])] if any(bundle.manifest.ledger for bundle in found.values()) else []
    shown, left = first(list(found.items()), MOST_SOURCES, "bundles")
    for index, (name, bundle) in enumerate(shown, 1):
        parts.append(_bundle(f"{IDENTIFIER}-{index}", name, bundle, chosen, drawn=index <= MOST_DRAWN))
    return Section(IDENTIFIER, "Compressions", joined([*parts, paragraphs(left)]))


def _bundle(identifier: str, name: str, bundle: Bundle, chosen: Chosen, *, drawn: bool) -> Markup:
    manifest = bundle.manifest
    parts = [element("h3", name), paragraphs([_sentence(manifest)])]
    if drawn and manifest.ledger:
        parts.append(figures(f"{identifier}-ledger", _ledger(manifest)))
    elif not manifest.ledger:
        parts.append(element("p", "No stage trained, so there is no ledger.", class_="note"))
    group = of_bundle(name, manifest, chosen)
    if drawn and group is not None and len(group.points) > 1:
        parts.append(figures(f"{identifier}-files", charts(group)))
    columns = bundle_table.shown_columns(bundle)
    whole = table(
        columns,
        bundle_table.rows(manifest),
        f"Files of {name}",
        sortable=True,
        marked=lambda row: "ship" * ((row.artifact.file, name) in chosen),
    )
    return joined([*parts, whole, column_help(columns)])


def _sentence(manifest: Manifest) -> str:
    stages = [entry.stage for entry in manifest.ledger[1:]]
    how = f"stages: {', '.join(stages)}" if stages else "no training stage"
    reverted = {f: n for f, n in ((a.file, len(a.reverted)) for a in manifest.artifacts) if n}
    kept = "".join(f"; {n} operators of {file} compute in float" for file, n in reverted.items())
    return f"{manifest.name}, recipe {manifest.recipe}; {how}{kept}."


def _ledger(manifest: Manifest) -> list[Figure]:
    entries = manifest.ledger
    found = []
    for quantity, steps in (bytes_steps(entries), score_steps(entries), latency_steps(entries)):
        if len(steps) > 1:
            found.append(Figure(quantity.name, waterfall(quantity, steps)))
    if found:
        numbers = table(ledger_table.shown_columns(entries), ledger_table.rows(entries), "The effect ledger")
        found[-1] = replace(found[-1], numbers=numbers)
    return found
