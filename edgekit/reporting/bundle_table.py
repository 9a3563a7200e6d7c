"""The table of a bundle: sizes, accuracy on samples of the test part (or of validation), and agreement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.bundle.agreement import Agreement
from edgekit.bundle.manifest import Artifact, Bundle, Manifest
from edgekit.errors.printable import lines
from edgekit.tasks.channels import SPLIT, SPLIT_BOXES, lost_text
from edgekit.tasks.metrics import Score
from edgekit.tasks.scores import brief_text, brief_title, score_text, title
from edgekit.text.columns import INTERVAL, PLAIN, Column, Look, Value, interval, render, without_prefix
from edgekit.text.tables import size_text

SOURCE = "source model"


@dataclass(frozen=True)
class Row:
    """What a column may use: a file, and what is known of it.

    Attributes:
        artifact: the file.
        agreement: with the model that it was made of; None for C headers.
        score: on the samples of `data.check`; None for C headers.
        tested: score on the test part, where stages chose by validation samples.
        baseline_bytes: size of the first file.
    """

    artifact: Artifact
    agreement: Agreement | None
    score: Score | None
    tested: Score | None
    baseline_bytes: int


@dataclass(frozen=True)
class Words:
    """Headers that depend on the bundle: of scores, and of the share of equal decisions."""

    part: str = "validation"
    score: str = "accuracy [95 %]"
    brief: str = "accuracy"
    same: str = "top-1 = Keras"


def columns(words: Words = Words(), names: Mapping[str, str] | None = None) -> list[Column[Row]]:
    """Return the columns.

    Args:
        words: in headers.
        names: shorter ones of files, for a narrow terminal.
    """
    names = names or {}
    short = {"validation": "val"}.get(words.part, words.part)
    return [
        Column(
            "file", "file", "", 5, "A file of the bundle.",
            lambda row: row.artifact.file, lambda row: row.artifact.file,
            brief=lambda row: names.get(row.artifact.file, row.artifact.file), left=True,
        ),
        Column(
            "bytes", "size", "bytes", 1, "Size of the file, and its ratio to the first file's.",
            lambda row: size_text(row.artifact.bytes, row.baseline_bytes), lambda row: row.artifact.bytes,
            brief=lambda row: f"{row.artifact.bytes:,} B",
        ),
        Column(
            "gzip_bytes", "gzip", "bytes", 9, "Size after gzip -9, as in an app package or an update.",
            lambda row: f"{row.artifact.gzip_bytes:,} B", lambda row: row.artifact.gzip_bytes,
        ),
        Column(
            "score", f"{short} {words.score}", "", 3,
            "The metric of the task, of the file itself, on samples of the part that the header names.",
            lambda row: _score(row.score), lambda row: _interval(row.score),
            brief=lambda row: _score(row.score, brief_text), short=f"{short} {words.brief}", parts=INTERVAL,
        ),
        Column(
            "test_score", f"test {words.score}", "", 2,
            "The same on test samples, which nothing was chosen by; only where stages train.",
            lambda row: _score(row.tested), lambda row: _interval(row.tested),
            brief=lambda row: _score(row.tested, brief_text), short=f"test {words.brief}", parts=INTERVAL,
        ),
        Column(
            "same_share", words.same, "share", 4, "Share of samples on which file and source model decide the same.",
            lambda row: _agreement(row, lambda a: None if a.top1 is None else f"{a.top1:.1%}"),
            lambda row: row.agreement.top1 if row.agreement else None,
        ),
        Column(
            "largest_difference_steps", "max steps", "quantization steps", 10,
            "Largest difference of an output from the source model's, in steps of the output's scale.",
            lambda row: _agreement(row, lambda a: None if a.max_steps is None else f"{a.max_steps:.1f}"),
            lambda row: row.agreement.max_steps if row.agreement else None,
        ),
        Column(
            "sqnr_db", "SQNR dB", "dB", 8,
            "Signal-to-quantization-noise ratio of the outputs; `equal` where no bit differs.",
            lambda row: _agreement(row, _sqnr), lambda row: row.agreement.sqnr_db if row.agreement else None,
        ),
        Column(
            "made_by", "made by", "", 11, "What wrote the file.",
            lambda row: row.artifact.made_by, lambda row: row.artifact.made_by, left=True,
        ),
    ]  # fmt: skip


OPTIONAL = ("test_score", "same_share")
"""Columns that are left out where they are empty: recipes that train nothing, outputs that decide nothing."""


def bundle_table(bundle: Bundle, look: Look = PLAIN) -> str:
    """Return the table; sizes are against the first file, agreement is with the model that a file was made of."""
    manifest = bundle.manifest
    against_float = _against_float(manifest)
    part = _checked_part(manifest)
    test: Mapping[str, Any] = manifest.data.get("test", {})
    main = manifest.task.main
    pairs = [_pair(a) for a in manifest.agreement if not a.reference.endswith("model")]
    pairs += [lost_text(a.other, lost) for a in against_float.values() for lost in a.lost]
    if any(a.lost for a in against_float.values()):
        joined = manifest.task.detection is not None and len(manifest.task.heads) == 1
        pairs.append(f"to keep such values: {SPLIT_BOXES if joined else SPLIT}")
    samples = next((a.samples for a in manifest.agreement), 0)
    of = f" of output {main.name}" if len(manifest.task.scored) > 1 else ""
    judged = f"{main.metric}{of}" if main.metric == "agreement" else f"{main.metric}{of} and agreement"
    notes = [f"{judged}: the files themselves, on {samples} {part} samples"]
    if test.get("scores"):
        reference = test["scores"].get(SOURCE)
        before = score_text(Score.from_dict(reference)) if reference else "-"
        notes.append(f"test: {main.metric} on {test['samples']} test samples, the source model's {before}")
        if not _of_edgekit(manifest):
            notes.append(
                "validation samples are cut from x_train, which the source model may have been trained on: trust test"
            )
    if manifest.data.get("held_out") and not _of_edgekit(manifest):
        notes.append(
            "the test part was cut from the data given: a model that was trained on all of them has seen it, too"
        )
    wide = [f"{note} (see edgekit inspect)" for note in map(Artifact.wide_weights, manifest.artifacts) if note]
    return render(shown_columns(bundle), rows(manifest), look) + "\n\n" + lines([*pairs, *wide, *notes])


def shown_columns(bundle: Bundle) -> list[Column[Row]]:
    """Return the columns that tell something about a bundle, with headers that fit it."""
    manifest = bundle.manifest
    main = manifest.task.main
    same = "top-1" if main.kind in ("classification", "unlabelled") else "decisions"
    source = "source" if any("format" in step for step in manifest.lineage) else "Keras"
    words = Words(_checked_part(manifest), title(main.metric), brief_title(main.metric), f"{same} = {source}")
    names = without_prefix([a.file for a in manifest.artifacts if a.format != "c"])
    table = rows(manifest)
    return [
        column
        for column in columns(words, names)
        if column.name not in OPTIONAL or any(column.text(row) not in ("", "-") for row in table)
    ]


def _checked_part(manifest: Manifest) -> str:
    """Return the part of the data that the files' scores are on."""
    return manifest.data.get("check", {}).get("split", "validation")


def rows(manifest: Manifest) -> list[Row]:
    """Return a row for every file."""
    against_float = _against_float(manifest)
    tested = manifest.data.get("test", {}).get("scores", {})
    return [
        Row(
            artifact,
            against_float.get(artifact.file),
            Score.from_dict(artifact.validation) if artifact.validation else None,
            Score.from_dict(tested[artifact.file]) if artifact.file in tested else None,
            manifest.artifacts[0].bytes,
        )
        for artifact in manifest.artifacts
    ]


def _against_float(manifest: Manifest) -> dict[str, Agreement]:
    return {a.other: a for a in manifest.agreement if a.reference.endswith("model")}


def _of_edgekit(manifest: Manifest) -> bool:
    """Return whether edgekit trained the source on these data, and so kept validation and test samples from it."""
    trained = [step for step in manifest.lineage if step.get("step") == "train"]
    return any(step.get("data") == manifest.data.get("name") for step in trained)


def _score(score: Score | None, text: Callable[[Score], str] = score_text) -> str:
    return "" if score is None else text(score)


def _interval(score: Score | None) -> Value:
    return None if score is None else interval(score.interval)


def _agreement(row: Row, text: Callable[[Agreement], str | None]) -> str:
    return "" if row.agreement is None else text(row.agreement) or "-"


def _sqnr(agreement: Agreement) -> str | None:
    if agreement.sqnr_db is None:  # equal, or class numbers, which have no distance
        return "equal" if agreement.max_abs == 0 else None
    return f"{agreement.sqnr_db:.1f}"


def _pair(agreement: Agreement) -> str:
    if agreement.max_abs == 0:
        return f"{agreement.other} = {agreement.reference}: every output equal"
    if agreement.sqnr_db is None and agreement.top1 is not None:
        return f"{agreement.other} ~ {agreement.reference}: same class on {agreement.top1:.1%}"
    steps = "" if agreement.max_steps is None else f" = {agreement.max_steps:.1f} steps"
    same = "" if agreement.top1 is None else f"same class on {agreement.top1:.1%}, "
    return f"{agreement.other} ~ {agreement.reference}: {same}largest difference {agreement.max_abs:.2g}{steps}"
