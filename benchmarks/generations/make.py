"""Throw-away environments with old and new Keras, in each of which `save.py` runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

GENERATIONS: dict[str, tuple[str, ...]] = {
    "tensorflow-2.12": ("tensorflow==2.12.1",),
    "tensorflow-2.13": ("tensorflow==2.13.1",),
    "tensorflow-2.14": ("tensorflow==2.14.1",),
    "tensorflow-2.15": ("tensorflow==2.15.1",),
    "tf_keras-2.21": ("tensorflow==2.21.0", "tf_keras==2.21.0"),
    "keras-3.0": ("tensorflow==2.16.2", "keras==3.0.5"),
    "keras-3.15": ("tensorflow==2.21.0", "keras==3.15.1"),
}
"""What pip installs for every generation, from the oldest that the registry serves for Python 3.11."""
SAVE = Path(__file__).with_name("save.py")
TAIL = 2000


def make(names: list[str], folder: Path, say: Callable[[str], None]) -> list[str]:
    """Make the files of some generations, one environment (2 GB) at a time, each deleted afterwards.

    Args:
        names: keys of `GENERATIONS`.
        folder: where `GENERATION/NAME.*` are written.
        say: told what happens.

    Returns:
        The generations that failed.
    """
    failed = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="edgekit-generation-") as temporary:
            environment = Path(temporary) / "env"
            say(f"{name}: installing {', '.join(GENERATIONS[name])}")
            venv.create(environment, with_pip=True)
            python = str(environment / "bin" / "python")
            done = _run([python, "-m", "pip", "install", "-q", "--no-cache-dir", *GENERATIONS[name], "setuptools<80"])
            if done.returncode == 0:
                done = _run([python, str(SAVE), str(folder / name)], legacy=name.startswith("tf_keras"))
            ended = done.stdout.strip().splitlines()[-1] if done.returncode == 0 else f"failed\n{done.stderr[-TAIL:]}"
            say(f"{name}: {ended}")
            failed += [name] if done.returncode else []
    return failed


def _run(argv: list[str], *, legacy: bool = False) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "TF_USE_LEGACY_KERAS")}
    return subprocess.run(
        argv, env=env | ({"TF_USE_LEGACY_KERAS": "1"} if legacy else {}), capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(1 if make(sys.argv[2:] or list(GENERATIONS), Path(sys.argv[1]), print) else 0)
