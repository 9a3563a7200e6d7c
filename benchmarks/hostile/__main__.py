"""The sweep's command line."""

from __future__ import annotations

import importlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.hostile.run import GOOD, Result, preload, run
from edgekit.text.tables import table

PARTS = ("keras", "models", "texts", "data", "outputs", "kills")


def command(
    parts: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(PARTS)}. Default: all.")] = None,
    count: Annotated[int | None, typer.Option(help="Cases a part, about. Default: each part's own.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    jobs: Annotated[int, typer.Option(help="Cases at a time.")] = 2,
    only: Annotated[str, typer.Option(help="Cases whose kind or name holds this.")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON with every result.")] = None,
    scratch: Annotated[Path | None, typer.Option(help="Folder for the cases; on a disk with space.")] = None,
) -> None:
    """Run parts of the sweep and print counts."""
    results: dict[str, list[Result]] = {}
    for name in parts or PARTS:
        module = importlib.import_module(f"benchmarks.hostile.{name}")
        preload(module.PRELOAD)
        with tempfile.TemporaryDirectory(prefix="hostile-", dir=scratch) as folder:
            found = results[name] = []
            for result in _results(module, seed, count or module.COUNT, jobs, only, Path(folder)):
                found.append(result)
                if not result.good:
                    print(f"{name}: {result.kind}: {result.name}: {result.verdict}: {result.said}", flush=True)
                if len(found) % 100 == 0:
                    print(f"{name}: {len(found)}", flush=True)
        if out:
            written = {part: [asdict(result) for result in rows] for part, rows in results.items()}
            out.write_text(json.dumps(written, indent=1) + "\n")
    print(_counts(results))
    raise typer.Exit(0 if all(r.good for rows in results.values() for r in rows) else 1)


def _results(module: Any, seed: int, count: int, jobs: int, only: str, folder: Path) -> Iterator[Result]:
    """Run a part's cases; a part whose cases are no forked commands runs them itself."""
    if hasattr(module, "results"):
        return module.results(seed, count, folder, jobs)  # type: ignore[no-any-return]
    return run((c for c in module.cases(seed, count) if only in c.kind or only in c.name), folder, jobs)


def _counts(results: dict[str, list[Result]]) -> str:
    verdicts = [*GOOD, *sorted({r.verdict for rows in results.values() for r in rows} - set(GOOD))]
    lines = []
    for part, rows in results.items():
        for kind in dict.fromkeys(r.kind for r in rows):
            counts = Counter(r.verdict for r in rows if r.kind == kind)
            slowest = max(r.seconds for r in rows if r.kind == kind)
            lines.append([part, kind, str(counts.total()), *(str(counts[v] or "") for v in verdicts), f"{slowest:.1f}"])
    return str(table(["part", "kind", "cases", *verdicts, "slowest s"], lines))


if __name__ == "__main__":
    typer.run(command)
