"""The table of a fresh bundle: sizes, accuracy on validation samples, and agreement."""

from __future__ import annotations

from edgekit.manifest import Agreement, Artifact, Bundle
from edgekit.metrics import Score
from edgekit.printable import lines
from edgekit.report.scores import score_text, title
from edgekit.report.text import table

HEADER = ("file", "bytes", "x", "gzip -9", "val {score}", "{same} = {source}", "max steps", "SQNR dB", "made by")
SAME = HEADER.index("{same} = {source}")


def bundle_table(bundle: Bundle) -> str:
    """Return the table; `x` is the size against the first file, agreement is with the model that a file was made of."""
    manifest = bundle.manifest
    against_float = {a.other: a for a in manifest.agreement if a.reference.endswith("model")}
    first = manifest.artifacts[0].bytes
    rows = [_row(artifact, against_float.get(artifact.file), first) for artifact in manifest.artifacts]
    pairs = [_pair(a) for a in manifest.agreement if not a.reference.endswith("model")]
    samples = next((a.samples for a in manifest.agreement), 0)
    main = manifest.task.main
    same = "top-1" if main.kind in ("classification", "unlabelled") else "decisions"
    source = "source" if any("format" in step for step in manifest.lineage) else "Keras"
    columns = [name.format(score=title(main.metric), same=same, source=source) for name in HEADER]
    if all(row[SAME] in ("", "-") for row in rows):  # outputs that decide nothing, such as a regression's
        columns, *rows = ([*row[:SAME], *row[SAME + 1 :]] for row in (columns, *rows))
    of = f" of output {main.name}" if len(manifest.task.heads) > 1 else ""
    judged = f"{main.metric}{of}" if main.metric == "agreement" else f"{main.metric}{of} and agreement"
    notes = [f"{judged}: the files themselves, on {samples} validation samples"]
    return table(columns, rows) + "\n\n" + lines([*pairs, *notes])


def _row(artifact: Artifact, agreement: Agreement | None, first: int) -> list[str]:
    sizes = (artifact.file, f"{artifact.bytes:,}", f"{artifact.bytes / first:.2f}x", f"{artifact.gzip_bytes:,}")
    if agreement is None or artifact.validation is None:
        return [*sizes, "", "", "", "", artifact.made_by]
    return [
        *sizes,
        score_text(Score.from_dict(artifact.validation)),
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
