"""`edgekit report`."""

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.output import asked, look, progress, show_json
from edgekit.cli.terminal import show
from edgekit.errors.printable import lines

NAME = "report"
HELP = """Report which file to ship, and the numbers behind it, of records, bundles and searches.

A folder is walked for those; what it holds that cannot be read is skipped, and listed. Statistics are computed from the
raw samples in the records. The first file of the first record is what all others are compared with; what makes two
records hard to compare stands below the table. A bundle is shown with its effect ledger, a search with its front."""
EXAMPLES = (
    "edgekit report edgekit-records",
    "edgekit report before.json after.json",
    "edgekit report demo edgekit-records -o report.html",
    "edgekit report edgekit-records --format csv > rows.csv",
)
PANELS = {"Output": "out format force"}
"""Groups of options in `--help`, in its order."""


def command(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="RECORD|BUNDLE|SEARCH|FOLDER", help="What edgekit bench, compress and search wrote."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the report here. [default: print it]")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="terminal, md, csv, json or html. [default: as the suffix of -o; else terminal]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file at --out.")] = False,
) -> None:
    """Report records, bundles and searches."""
    from edgekit.api.reports import save
    from edgekit.bundle.collection import gather
    from edgekit.files.whole import check_free_file
    from edgekit.reporting.contents import Contents
    from edgekit.reporting.formats.document import document
    from edgekit.reporting.formats.terminal import decided, skipped_count
    from edgekit.reporting.rendering import CSV, format_for, rendered

    written_as = format_for(out, format)
    if out is not None:
        check_free_file(out, force=force)
    contents = Contents.of(gather(sources))
    skipped = contents.collection.skipped
    if out is not None:
        save(contents, out, written_as, force=force)
    if asked().as_json:
        show_json({**document(contents), "written": None if out is None else str(out)})
    elif out is None:
        show(rendered(contents, written_as, look()), nl=False)
    else:
        show(f"{decided(contents.decisions)}\n\n{lines([f'report: {out}'])}")
    if skipped and (out is not None or written_as == CSV):
        named = f"{skipped[0].path}: {skipped[0].message}" + ", ..." * (len(skipped) > 1)
        progress().warn(f"{skipped_count(skipped)} {named}", "files-skipped")
