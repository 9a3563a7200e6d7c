"""The sentences that a report begins with: on each device, of each bundle and of each search, which file to ship.

What can be chosen among is put together here; how one is chosen stands in `choosing` beside this. On a device these are
the files that were measured with as many threads as the first one, each once. What is not of the same conditions as the
first file's measurement (`unlike`) is not compared with it, and that is said. A bundle whose files stand in a record is
decided there; else by the scores in its manifest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgekit.bundle.collection import Collection
from edgekit.bundle.ledger import Entry
from edgekit.bundle.manifest import Bundle
from edgekit.bundle.search_result import Point, SearchResult
from edgekit.reporting import bundle_table
from edgekit.reporting.choosing import Among, Candidate, Choice, Name, Sentence, choose, loss_text
from edgekit.reporting.comparison import rows_of_several
from edgekit.reporting.rows import Row
from edgekit.reporting.search_table import latency_text, nearest_text
from edgekit.reporting.unlike import ACCURACY, LATENCY, unlike
from edgekit.text.tables import duration_with_interval, ratio_with_interval


@dataclass(frozen=True)
class Decision:
    """What is decided.

    Attributes:
        choice: in sentences.
        file: the file's name, in its record, bundle or search; None where nothing is decided.
        source: the record, bundle or search that it is of.
        device: that measured; empty for what was not measured.
        threads: of the measurement; None likewise.
    """

    choice: Choice
    file: str | None
    source: str
    device: str = ""
    threads: int | None = None

    @property
    def text(self) -> str:
        """All sentences in a line."""
        return self.choice.text


def decide(collection: Collection, rows: Sequence[Row] | None = None) -> tuple[Decision, ...]:
    """Return what is decided: for each device, then for each bundle that nothing measured, then for each search.

    Args:
        collection: what the report is made of.
        rows: of its records, as `rows_of_several` gives them, where they are known already.
    """
    known = rows_of_several(collection.records) if rows is None and collection.records else rows or ()
    decisions = []
    for device in dict.fromkeys(record.target for record in collection.records.values()):
        here = [row for row in known if row.record.target == device]
        if here and here[0].baseline_record is not None:  # compared with another device's
            records = {name: record for name, record in collection.records.items() if record.target == device}
            here = rows_of_several(records)
        decisions.append(_of_device(device, here))
    measured = {subject.sha256 for record in collection.records.values() for subject in record.subjects}
    for name, bundle in collection.bundles.items():
        if not measured & {artifact.sha256 for artifact in bundle.manifest.artifacts}:
            decisions += _of_bundle(name, bundle)
    return (*decisions, *(_of_search(name, result) for name, result in collection.searches.items()))


def _of_device(device: str, rows: Sequence[Row]) -> Decision:
    place = ("On ", Name(device), ", ")
    if not rows:
        return Decision(Choice("undecided", Sentence((*place, "nothing was measured."))), None, "", device)
    here = [row for row in rows if row.threads == rows[0].threads]
    first: dict[str, Row] = {}
    for row in here:
        first.setdefault(row.subject.sha256, row)
    files = [row for row in here if row.record is first[row.subject.sha256].record]
    names = Counter(row.file for row in files)
    unlike_nouns: dict[str, None] = {}
    candidates = []
    for row in files:
        pair = (files[0].measurement, row.measurement)
        differences = () if row.record is files[0].record else unlike(files[0].record, row.record, pair)
        unlike_nouns |= dict.fromkeys(difference.noun for difference in differences)
        affected = frozenset[str]().union(*(difference.affects for difference in differences))
        candidates.append(_measured(row, affected, several=names[row.file] > 1))
    threads = files[0].threads
    choice = choose(candidates, Among(place, under=(f" with {threads} thread{'s' * (threads != 1)}",)))
    others = {row.subject.sha256 for row in rows} - set(first)
    if others:
        what = f"{len(others)} file{'s' * (len(others) != 1)}, measured with other thread counts only"
        choice = replace(choice, notes=(*choice.notes, Sentence((f"Left out: {what}.",))))
    if unlike_nouns:
        note = Sentence((f"Not all have the same {', '.join(unlike_nouns)}: what depends on it was not compared.",))
        choice = replace(choice, notes=(*choice.notes, note))
    chosen = None if choice.index is None else files[choice.index]
    source = chosen or files[0]
    return Decision(choice, chosen.file if chosen else None, source.name, device, threads)


def _measured(row: Row, affected: frozenset[str], *, several: bool) -> Candidate:
    return Candidate(
        (Name(row.file), " of ", Name(row.name)) if several and row.name else (Name(row.file),),
        row.bytes,
        None if ACCURACY in affected else row.accuracy,
        None if LATENCY in affected else row.vs_baseline,
        "" if row.latency_ns is None or row.emulated else duration_with_interval(row.latency_ns),
        row.verdict,
        row.reasons[0].sentence if row.reasons else "",
    )


def _of_bundle(name: str, bundle: Bundle) -> list[Decision]:
    rows = [row for row in bundle_table.rows(bundle.manifest) if row.artifact.format != "c"]
    if not rows:
        return []
    tested = rows[0].tested is not None
    candidates = [
        Candidate((Name(row.artifact.file),), row.artifact.bytes, row.tested if tested else row.score) for row in rows
    ]
    choice = choose(candidates, Among(("Of ", Name(name), ", "), baseline="the first file"))
    chosen = None if choice.index is None else rows[choice.index].artifact
    notes = [note] if chosen and (note := _against_source(chosen.sha256, bundle.manifest.ledger)) else []
    notes.append(Sentence(("Not measured on a device: `edgekit bench` does that.",)))
    return [Decision(replace(choice, notes=(*choice.notes, *notes)), chosen.file if chosen else None, name)]


def _against_source(sha256: str, ledger: Sequence[Entry]) -> Sentence | None:
    """Return what the effect ledger says of a file, against the source model that was exported in the same way."""
    entry = next((entry for entry in reversed(ledger[1:]) if entry.sha256 == sha256), None)
    if entry is None:
        return None
    source, ratio = ledger[0], entry.ratio()
    parts = [f"{entry.bytes / source.bytes:.2f}x the bytes"]
    parts += [f"{ratio_with_interval(ratio)} the latency"] if ratio is not None else []
    parts += [loss_text(entry.score, source.score)]
    return Sentence((f"Against the source model in that scheme, on validation samples: {', '.join(parts)}.",))


def _of_search(name: str, result: SearchResult) -> Decision:
    place = ("Of ", Name(name), ", ")
    points = [point for point in result.front if point.trial.measured is not None]
    if not result.met or not points:
        return Decision(Choice("undecided", Sentence((*place, f"{nearest_text(result)}."))), None, name)
    points.sort(key=_goodness, reverse=True)
    limit = result.budget.min_accuracy is not None or result.budget.max_error is not None
    among = Among(
        place,
        files="files on the front",
        baseline="the best one",
        limited="that keeps to the budget" if limit else "",
    )
    tested = all(point.tested is not None for point in points)
    choice = choose([_point(point, gzip=result.gzip, tested=tested) for point in points], among)
    chosen = None if choice.index is None else points[choice.index]
    return Decision(choice, _called(chosen) if chosen else None, name, result.target)


def _point(point: Point, *, gzip: bool, tested: bool) -> Candidate:
    measured = point.trial.measured
    assert measured is not None, "left out before"
    size = measured.gzip_bytes if gzip else measured.bytes
    score = point.tested if tested else measured.scored
    macs = "" if measured.macs is None else f"{measured.macs:,} MACs"
    return Candidate((Name(_called(point)),), size, score, latency=latency_text(point) or macs)


def _called(point: Point) -> str:
    return point.bundle or f"trial {point.trial.number}"


def _goodness(point: Point) -> float:
    assert point.trial.measured is not None, "left out before"
    score = point.trial.measured.scored
    if not math.isfinite(score.value):
        return -math.inf
    return -score.value if score.lower_is_better else score.value
