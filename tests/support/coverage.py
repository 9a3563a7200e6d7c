"""Which share of the package's lines the tests ran, in total and by room: `python -m tests.support.coverage`.

It reads what `pytest --cov` left in `build/`, and writes `build/coverage.txt`. No share is asked for.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

BUILD = Path(__file__).parents[2] / "build"


def room(path: str) -> str:
    """Return the room of a file of the package, `edgekit/bench/session.py` or `edgekit/stats.py`."""
    return Path(path).parts[1].removesuffix(".py")


def by_room(files: dict[str, Any]) -> str:
    """Return a table of rooms, the least covered first.

    Args:
        files: by path, what `coverage json` says of it.
    """
    lines, covered = Counter[str](), Counter[str]()
    for path, file in files.items():
        for name in (room(path), "all"):
            lines[name] += file["summary"]["num_statements"]
            covered[name] += file["summary"]["covered_lines"]
    shares = {name: covered[name] / lines[name] if lines[name] else 1.0 for name in lines}
    ordered = ["all", *sorted(set(shares) - {"all"}, key=lambda name: (shares[name], name))]
    rows = [f"{shares[name]:8.1%} {lines[name]:10,} {lines[name] - covered[name]:8,}  {name}" for name in ordered]
    return "\n".join([f"{'covered':>8} {'statements':>10} {'missed':>8}  room", *rows]) + "\n"


def main() -> None:
    target = BUILD / "coverage.json"
    command = [sys.executable, "-m", "coverage", "json", "--quiet", "--ignore-errors", "-o", str(target)]
    subprocess.run(command, check=True, cwd=BUILD.parent)
    text = by_room(json.loads(target.read_text())["files"])
    (BUILD / "coverage.txt").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
