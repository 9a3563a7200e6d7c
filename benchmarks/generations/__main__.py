"""`python -m benchmarks.generations make FOLDER [GENERATION ...]` and `... check FOLDER OUT.json`."""

from __future__ import annotations

import sys
from pathlib import Path

from .make import GENERATIONS, make

USAGE = f"""python -m benchmarks.generations make FOLDER [GENERATION ...]
python -m benchmarks.generations check FOLDER OUT.json
generations: {", ".join(GENERATIONS)}"""


def main(arguments: list[str]) -> int:
    """Parse, call, print; return 1 if something failed and 2 after a wrong call."""
    if len(arguments) >= 2 and arguments[0] == "make" and set(arguments[2:]) <= set(GENERATIONS):
        return 1 if make(arguments[2:] or list(GENERATIONS), Path(arguments[1]), print) else 0
    if len(arguments) == 3 and arguments[0] == "check" and Path(arguments[1]).is_dir():
        from .check import check, failures, table, to_json

        cells = check(Path(arguments[1]), print)
        Path(arguments[2]).write_text(to_json(cells), encoding="utf-8")
        print(table(cells))
        return 1 if failures(cells) else 0
    print(USAGE)
    return 2


sys.exit(main(sys.argv[1:]))
