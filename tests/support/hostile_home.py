"""A folder whose files Python would import rather than its own, if it looked there; each leaves a trace."""

from __future__ import annotations

import sys
from pathlib import Path

MODULES = (
    "platform", "json", "numpy", "threading", "tarfile", "shutil", "struct", "importlib", "typing",
    "sitecustomize", "usercustomize", "ai_edge_litert", "onnxruntime", "signal", "math", "os", "time",
)  # fmt: skip
TRACE = "was-imported"


def lay(home: Path, version: str = f"{sys.version_info[0]}.{sys.version_info[1]}") -> None:
    """Put them into a home folder, into the user's site-packages in it, and a `.pth` file beside the latter."""
    site = home / ".local" / "lib" / f"python{version}" / "site-packages"
    site.mkdir(parents=True, exist_ok=True)
    text = f"import os\nopen(os.path.expanduser('~/{TRACE}'), 'a').write(__name__)\nraise SystemExit('imported')\n"
    for folder in (home, site):
        for name in MODULES:
            (folder / f"{name}.py").write_text(text)
    (site / "evil.pth").write_text(f"import os; open(os.path.expanduser('~/{TRACE}'), 'a').write('pth')\n")


def traces(home: Path) -> list[str]:
    """Return what ran all the same, and folders of bytecode."""
    trace = home / TRACE
    ran = [trace.read_text()] if trace.exists() else []
    return ran + [str(path) for path in home.rglob("__pycache__") if "runtimes" not in path.parts]
