"""The table of a bundle: sizes, accuracy on samples of the test part (or of validation), and agreement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.bundle.manifest import Agreement, Artifact, Bundle, Manifest
from edgekit.tasks.channels import SPLIT, lost_text
from edgekit.tasks.metrics import Score
from edgekit.tasks.scores import score_text, title
from edgekit.text.printable import lines
from edgekit.text.tables import table

HEADER = (
    "file",
    "bytes",
    "x",
    "gzip -9",
    "{part} {score}",
    "test {score}",
    "{same} = {source}",
    "max steps",
    "SQNR dB",
    "made by",
)
SAME, TEST = HEADER.index("{same} = {source}"), HEADER.index("test {score}")
SOURCE = "source model"


def bundle_table(bundle: Bundle) -> str:
    """Return the table; `x` is the size against the first file, agreement is with the model that a file was made of."""
    manifest = bundle.manifest
    against_float = {a.other: a for a in manifest.agreement if a.reference.endswith("model")}
    first = manifest.artifacts[0].bytes
    part = manifest.data.get("check", {}).get("split", "validation")
    test: Mapping[str, Any] = manifest.data.get("test", {})
    tested = {name: score_text(Score.from_dict(found)) for name, found in test.get("scores", {}).items()}
    rows = [_row(a, against_float.get(a.file), tested.get(a.file, ""), first) for a in manifest.artifacts]
    pairs = [_pair(a) for a in manifest.agreement if not a.reference.endswith("model")]
    pairs += [lost_text(a.other, lost) for a in against_float.values() for lost in a.lost]
    if any(a.lost for a in against_float.values()):
        pairs.append(f"to keep such values: {SPLIT}")
    samples = next((a.samples for a in manifest.agreement), 0)
    main = manifest.task.main
    same = "top-1" if main.kind in ("classification", "unlabelled") else "decisions"
    source = "source" if any("format" in step for step in manifest.lineage) else "Keras"
    short = "val" if part == "validation" else part
    columns = [name.format(score=title(main.metric), same=same, source=source, part=short) for name in HEADER]
    for index in (SAME, TEST):  # outputs that decide nothing, such as a regression's; recipes that train nothing
        if all(row[index] in ("", "-") for row in rows):
            columns, *rows = ([*row[:index], *row[index + 1 :]] for row in (columns, *rows))
    of = f" of output {main.name}" if len(manifest.task.heads) > 1 else ""
    judged = f"{main.metric}{of}" if main.metric == "agreement" else f"{main.metric}{of} and agreement"
    notes = [f"{judged}: the files themselves, on {samples} {part} samples"]
    if tested:
        notes.append(
            f"test: {main.metric} on {test['samples']} test samples, the source model's {tested.get(SOURCE, '-')}"
        )
        if not _of_edgekit(manifest):
            notes.append(
                "validation samples are cut from x_train, which the source model may have been trained on: trust test"
            )
    if manifest.data.get("held_out") and not _of_edgekit(manifest):
        notes.append(
            "the test part was cut from the data given: a model that was trained on all of them has seen it, too"
        )
    wide = [f"{note} (see edgekit inspect)" for note in map(Artifact.wide_weights, manifest.artifacts) if note]
    return table(columns, rows) + "\n\n" + lines([*pairs, *wide, *notes])


def _of_edgekit(manifest: Manifest) -> bool:
    """Return whether edgekit trained the source on these data, and so kept validation and test samples from it."""
    trained = [step for step in manifest.lineage if step.get("step") == "train"]
    return any(step.get("data") == manifest.data.get("name") for step in trained)


def _row(artifact: Artifact, agreement: Agreement | None, tested: str, first: int) -> list[str]:
    sizes = (artifact.file, f"{artifact.bytes:,}", f"{artifact.bytes / first:.2f}x", f"{artifact.gzip_bytes:,}")
    if agreement is None or artifact.validation is None:
        return [*sizes, "", "", "", "", "", artifact.made_by]
    return [
        *sizes,
        score_text(Score.from_dict(artifact.validation)),
        tested,
        "-" if agreement.top1 is None else f"{agreement.top1:.1%}",
        "-" if agreement.max_steps is None else f"{agreement.max_steps:.1f}",
        _sqnr(agreement),
        artifact.made_by,
    ]


def _sqnr(agreement: Agreement) -> str:
    if agreement.sqnr_db is None:  # equal, or class numbers, which have no distance
        return "equal" if agreement.max_abs == 0 else "-"
    return f"{agreement.sqnr_db:.1f}"


def _pair(agreement: Agreement) -> str:
    if agreement.max_abs == 0:
        return f"{agreement.other} = {agreement.reference}: every output equal"
    if agreement.sqnr_db is None and agreement.top1 is not None:
        return f"{agreement.other} ~ {agreement.reference}: same class on {agreement.top1:.1%}"
    steps = "" if agreement.max_steps is None else f" = {agreement.max_steps:.1f} steps"
    same = "" if agreement.top1 is None else f"same class on {agreement.top1:.1%}, "
    return f"{agreement.other} ~ {agreement.reference}: {same}largest difference {agreement.max_abs:.2g}{steps}"
