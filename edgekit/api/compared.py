"""How `edgekit.compare` comes to its answer: sides opened, files measured in rounds, pairs made, and refusals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import edgekit.bundle.manifest as manifests
import edgekit.bundle.records as records
from edgekit.api.comparison import Comparison
from edgekit.api.measurement import check_runtime, loaded
from edgekit.api.reporting import working
from edgekit.api.results import BundleFile
from edgekit.devices.target import Target
from edgekit.devices.targets import find_target
from edgekit.errors import InputError
from edgekit.errors.printable import clipped
from edgekit.files.destinations import check_apart, prove
from edgekit.files.opening import brief, is_folder
from edgekit.formats.reading import inspect_file
from edgekit.measuring.candidates import Candidate, candidates
from edgekit.measuring.evaluation import Contributed
from edgekit.measuring.passes import Further
from edgekit.measuring.plan import Plan
from edgekit.progress import Reporter
from edgekit.reporting.comparing.changes import Changes, operator_changes
from edgekit.reporting.comparing.sides import Pair, Side, kept_subjects, paired_subjects, pairs_of
from edgekit.schema.types import JsonMapping
from edgekit.stats.ratios import paired_ratio

ROUNDS, MOST_ROUNDS, STEP = 15, 100, 5
"""Rounds, each of a fresh process of either file: at least, at most, and after how many more it is looked again."""
SOUGHT = 0.03
"""The change of latency that a comparison wants to be able to see: rounds go on until it would."""
BEYOND_DOUBT = 5.0
"""Half intervals between a ratio and 1 from which on more rounds change nothing."""
WARMUP_SECONDS = 0.1
PLANNED = (
    "min_samples", "min_seconds", "timeout", "latency", "memory", "accuracy", "pin", "governor", "cool_below_c",
    "cool_timeout",
)  # fmt: skip
"""Parameters that a `Plan` takes by the same name."""
OF_FILES = ("data", "metric", "task", "input_shapes", "input_values", "host", "identity", "runtime", "pin", "governor")
"""Parameters about a measurement, which a record has behind it."""
Subject = manifests.Bundle | BundleFile | records.Record | str | Path
"""A bundle, a file or a record, by its path or as edgekit returned it."""


def compared(
    fields: JsonMapping, *, command: Sequence[str], a: Subject, b: Subject | None, force: bool, **given: Any
) -> Comparison:
    """Do what `compare` does.

    Args:
        fields: of `Preprocessing`, as `preprocessing_fields` returns them.
        command: the command line, for the record.
        a: as for `compare`; so are all others.
        b: likewise.
        force: likewise.
        given: the rest.
    """
    plan = Plan(
        threads=tuple(given["threads"]),
        processes=given["processes"],
        default_processes=ROUNDS,
        warmup_seconds=WARMUP_SECONDS,
        input_shapes={name: tuple(map(int, sizes)) for name, sizes in (given["input_shapes"] or {}).items()},
        input_values={name: float(value) for name, value in (given["input_values"] or {}).items()},
        **{name: given[name] for name in PLANNED},
    )
    check_runtime(given["runtime"])
    sides = [_opened(side) for side in (a, b) if side is not None]
    read = [side for side in sides if isinstance(side, records.Record)]
    if not read:
        found = _measured([side for side in sides if isinstance(side, Path)], plan, fields, command, given)
    elif len(read) == len(sides):
        _check_no_options(fields, given)
        found = _of_records(read[0], read[-1], tuple(given["only"]), alone=b is None)
    else:
        raise InputError(
            "one side is a record and the other is not, so their rounds cannot be paired",
            "give two files or bundles, which are measured together, or measure the other one, too: edgekit bench",
            code="compare-mixed",
        )
    if found.unlike and not force:
        listed = "; ".join(f"{d.noun}: {clipped(d.here)} and {clipped(d.there)}" for d in found.unlike)
        raise InputError(
            f"A and B were not measured under the same conditions: {listed}",
            "give the files, to measure both in one session, or `--force`, to compare anyway",
            code="unlike-conditions",
        )
    return found


def _opened(side: Subject) -> records.Record | Path:
    """Return a record, or the path of a file or bundle; records are JSON, which neither of the two is."""
    if isinstance(side, records.Record):
        return side
    path = side.path if isinstance(side, (manifests.Bundle, BundleFile)) else Path(side)
    return records.read_record(path) if path.suffix.lower() == ".json" and not is_folder(path) else path


def _check_no_options(fields: JsonMapping, given: Mapping[str, Any]) -> None:
    """Refuse options that would need a measurement where records are compared."""
    asked = [name for name in OF_FILES if given[name]] + ["scale"] * bool(fields)
    if asked:
        option = asked[0].removesuffix("s" * (asked[0] in ("input_shapes", "input_values"))).replace("_", "-")
        raise InputError(
            f"`--{option}` is for files: records are compared as they were measured",
            "leave it out, or give the files",
            code="compare-option-unused",
        )


def _of_records(here: records.Record, there: records.Record, only: Sequence[str], *, alone: bool) -> Comparison:
    indices = _first_and_others(here.subjects, only) if alone else paired_subjects(here.subjects, there.subjects, only)
    return _comparison(pairs_of(here, there, indices))


def _first_and_others(subjects: Sequence[records.Subject], only: Sequence[str]) -> list[tuple[int, int]]:
    """Return the first of several files with each of the others.

    Raises:
        InputError: there are no others.
    """
    kept = kept_subjects(subjects, only)
    if len(kept) < 2:
        raise InputError(
            f"A has {len(kept)} file{'s' * (len(kept) != 1)} to compare, and there is no B",
            "name another file, bundle or record",
            code="compare-one-file",
        )
    return [(kept[0], other) for other in kept[1:]]


def _comparison(
    pairs: Sequence[Pair], files: Mapping[str, Path] | None = None, contributed: Contributed | None = None
) -> Comparison:
    """Return what is found of pairs.

    Args:
        pairs: of measurements.
        files: where the files are, by name; None: only records are at hand.
        contributed: what samples add to scores, by name.

    Raises:
        InputError: there are no pairs, because nothing was measured.
    """
    if not pairs:
        raise InputError("nothing of A and B was measured alike", "measure them again", code="compare-unpaired")
    changes = []
    for pair in pairs:
        here, there = (_at_hand(side, files or {}, contributed or {}) for side in (pair.here, pair.there))
        changes.append(Changes(Pair(here, there, pair.together), _operators(here, there)))
    notes = () if files is not None else ("operators: records do not hold them; give the files to see what differs",)
    return Comparison(tuple(changes), notes)


def _at_hand(side: Side, files: Mapping[str, Path], contributed: Contributed) -> Side:
    name = side.subject.name
    return replace(side, path=files.get(name), contributions=contributed.get(name))


def _operators(here: Side, there: Side) -> dict[str, tuple[int, int]] | None:
    """Return which operators differ; None of files that are not at hand, or of different formats."""
    if here.path is None or there.path is None or here.subject.format != there.subject.format:
        return None
    return operator_changes(inspect_file(here.path).operators, inspect_file(there.path).operators)


def _measured(
    paths: Sequence[Path], plan: Plan, fields: JsonMapping, command: Sequence[str], given: Mapping[str, Any]
) -> Comparison:
    """Measure files in rounds, and compare them."""
    from edgekit.measuring.several import measure

    target, out = given["target"], None if given["out"] is None else Path(given["out"])
    place = target if isinstance(target, Target) else find_target(str(target), trust=given["trust_target"])
    chosen, indices = _chosen(paths, tuple(given["only"]), given["runtime"])
    if out is not None:
        check_apart(out, [path for path in paths if (path / manifests.MANIFEST).is_file()], "--out", replaced=False)
        prove(out, into=True)
    contributed: Contributed = {}
    saved: list[Path | None] = []
    with working(given["progress"]) as (folder, receiver):
        reporter = Reporter(receiver)
        reporter.notify(f"Comparing on {place.name}: {', '.join(map(brief, paths))}")

        def keep(record: records.Record) -> None:
            if out is not None:
                path, trouble = records.save_record(out, record)
                saved.append(path)
                if trouble:
                    reporter.warn(trouble, "record-not-saved")

        identity, wheels = given["identity"], given["runtime_wheels"]
        record = measure(
            [place.at(given["host"], None if identity is None else str(identity))],
            chosen,
            plan,
            python=given["python"],
            clean=given["clean"],
            keep=keep,
            data=loaded(given["data"], folder, chosen, plan, reporter),
            preprocessing=fields,
            metric=given["metric"],
            kinds=given["task"] or "",
            forced=given["runtime"] is not None,
            wheels=None if wheels is None else Path(wheels),
            command=command,
            contributed=contributed,
            further=Further(MOST_ROUNDS, STEP, partial(_enough, indices)) if plan.processes is None else None,
            progress=reporter,
        ).records[0]
    files = {candidate.subject.name: candidate.path for candidate in chosen}
    found = _comparison(pairs_of(record, record, indices), files, contributed)
    return replace(found, path=next(iter(saved), None))


def _enough(indices: Sequence[tuple[int, int]], measurements: Sequence[records.Measurement]) -> bool:
    """Return whether a change of `SOUGHT` would be seen of every pair, or how it differs is beyond doubt.

    The first looks at how widely latencies vary only, so it does not make a difference more likely to show; of the
    second that is so, too, as good as: equal files are never that far apart.
    """
    medians = {(m.subject, m.threads): [run.median_ns for run in m.latency] for m in measurements}
    for first, second in indices:
        for count in {m.threads for m in measurements}:
            ours, theirs = medians.get((first, count), []), medians.get((second, count), [])
            if not ours or len(ours) != len(theirs) or not all(ours + theirs):
                continue  # a pass failed, and more rounds do not help
            found = paired_ratio(theirs, ours)
            half = math.log(found.interval.high / found.interval.low) / 2
            clear = abs(math.log(found.interval.value)) > BEYOND_DOUBT * half
            if not clear and not found.detectable <= SOUGHT:
                return False
    return True


def _chosen(
    paths: Sequence[Path], only: Sequence[str], runtime: str | None
) -> tuple[list[Candidate], list[tuple[int, int]]]:
    """Return the files to measure, those that are compared beside each other, and which belong together."""
    described = candidates(paths, only, runtime)
    if len(paths) == 1:
        indices = _first_and_others([candidate.subject for candidate in described], ())
    else:
        count = len(candidates(paths[:1], only, runtime))
        subjects = [candidate.subject for candidate in described]
        pairs = paired_subjects(subjects[:count], subjects[count:])
        indices = [(first, count + second) for first, second in pairs]
    order = list(dict.fromkeys(index for pair in indices for index in pair))
    return [described[i] for i in order], [(order.index(first), order.index(second)) for first, second in indices]
