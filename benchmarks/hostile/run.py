"""Run cases, each forked from this process, and judge what became of them."""

from __future__ import annotations

import importlib
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hostile.case import Canary, Case

GOOD = ("works", "refused", "usage", "partly")
CODES = {0: "works", 1: "refused", 2: "usage", 3: "partly"}
MEMORY = 6 << 30
"""Bytes of resident memory above which a case is wrong; TensorFlow with a tiny model needs less than one GiB."""
MAKING = 120
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Result:
    """What became of a case.

    Attributes:
        verdict: one of `GOOD`, or what is wrong: `touched` (a canary), `traceback`, `crash`, `hang`, `memory`,
            `accepted` (exit code 0 where it must be refused), `silent` (failed without a sentence), `control` (control
            characters on the terminal), `litter` (files left in the temporary folder or at home), `unmade` (the case
            itself failed).
        said: the sentence, or the end of what was printed.
        seconds: of the command, without the making.
    """

    kind: str
    name: str
    verdict: str
    said: str
    seconds: float

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return self.verdict in GOOD


@dataclass
class _Running:
    case: Case
    folder: Path
    canary: Canary
    started: float


def preload(modules: Iterable[str]) -> None:
    """Import what the commands will need, TensorFlow and both Keras where `edgekit.models` is among it."""
    for name in modules:
        importlib.import_module(name)
    if any(name.startswith(("edgekit.models", "edgekit.pipeline.run")) for name in modules):
        from edgekit.frameworks.tensorflow import keras3, quiet, tf_keras

        tf_keras(), keras3()
        with quiet():
            import onnx  # noqa: F401
            import tf2onnx  # noqa: F401


def run(cases: Iterable[Case], scratch: Path, jobs: int) -> Iterator[Result]:
    """Run cases, `jobs` at a time, and yield results as they come."""
    waiting, running, number = iter(cases), dict[int, _Running](), 0
    while True:
        while len(running) < jobs and (case := next(waiting, None)) is not None:
            folder = scratch / f"case-{number}"
            number += 1
            for name in ("tmp", "home", "here"):
                (folder / name).mkdir(parents=True)
            canary = Canary(folder / "canary")
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                _child(case, folder, canary)
            running[pid] = _Running(case, folder, canary, time.monotonic())
        if not running:
            return
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if pid:
            yield _judge(running.pop(pid), os.waitstatus_to_exitcode(status), usage.ru_maxrss << 10)
            continue
        for pid, item in running.items():
            begun = _begun(item.folder)
            if time.monotonic() - (begun or item.started + MAKING) > item.case.timeout:
                (item.folder / "hang").touch()
                os.killpg(pid, signal.SIGKILL)
        time.sleep(0.01)


def _child(case: Case, folder: Path, canary: Canary) -> None:
    """Make the files and run the command; never returns."""
    code = 70
    try:
        os.setpgid(0, 0)
        os.chdir(folder / "here")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.environ.update(
            TMPDIR=str(folder / "tmp"), HOME=str(folder / "home"), COLUMNS="200", **dict(case.environment)
        )
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "EDGEKIT_WORK", "EDGEKIT_DATA"):
            os.environ.pop(name, None)
        import tempfile

        tempfile.tempdir = None
        for number, name in ((1, "stdout"), (2, "stderr")):
            file = os.open(folder / name, os.O_WRONLY | os.O_CREAT)
            os.dup2(file, number)
        try:
            argv = [str(part) for part in case.make(canary)]
        except BaseException:
            traceback.print_exc()
            (folder / "unmade").touch()
            os._exit(71)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 30, 2 << 30))
        canary.touched()
        (folder / "argv").write_text("\0".join(argv), errors="surrogateescape")
        (folder / "begun").write_text(repr(time.monotonic()))
        from edgekit.cli import main

        sys.argv = ["edgekit", *argv]
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        sys.stdout.flush(), sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:  # also where the command closed stderr
        os._exit(code)


def _begun(folder: Path) -> float | None:
    try:
        return float((folder / "begun").read_text())
    except (OSError, ValueError):
        return None


def _judge(item: _Running, code: int, memory: int) -> Result:
    case, folder = item.case, item.folder
    seconds = time.monotonic() - (_begun(folder) or item.started)
    printed, failed = (
        (folder / name).read_text(errors="replace") if (folder / name).exists() else "" for name in ("stdout", "stderr")
    )
    sentences = [line for line in failed.splitlines() if line.startswith("edgekit: ")]
    sentences += [line for line in printed.splitlines() if line.startswith("   error  ")]  # of `targets check`
    said = sentences[-1] if sentences else " ".join((failed or printed).split())[-300:]
    touched = item.canary.touched()
    item.canary.close()
    litter = [str(path.relative_to(folder)) for place in ("tmp", "home") for path in _left(folder / place)]
    if (folder / "unmade").exists():
        verdict, said = "unmade", failed[-600:]
    elif touched:
        verdict, said = "touched", f"{', '.join(touched)}; {said}"
    elif (folder / "hang").exists():
        verdict = "hang"
    elif "Traceback (most recent call last)" in failed:
        verdict, said = "traceback", failed.strip().splitlines()[-1][:300]
    elif code < 0 or code not in CODES:
        verdict = "crash"
    elif memory > MEMORY:
        verdict, said = "memory", f"{memory >> 20} MiB; {said}"
    elif code == 0 and not case.may_work:
        verdict = "accepted"
    elif code == 1 and not sentences:
        verdict = "silent"
    elif CONTROL.search(printed + failed):
        verdict = "control"
    elif litter:
        verdict, said = "litter", f"{', '.join(litter[:3])}; {said}"
    else:
        verdict = CODES[code]
    subprocess.run(["rm", "-rf", folder], check=False)  # folders may be nested deeper than Python recurses
    return Result(case.kind, case.name, verdict, said, seconds)


def _left(folder: Path) -> Iterator[Path]:
    """Yield what is still there, but for edgekit's cache, and files that TensorFlow and onnxruntime own.

    TensorFlow removes its own at the interpreter's end, which a forked process does not reach.
    """
    for path in folder.iterdir():
        if path.name not in (".cache", ".ses") and not path.name.startswith("__autograph_generated_file"):
            yield path
