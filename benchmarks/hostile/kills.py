"""Commands killed at random moments: what goes on, what is left, and what the same command makes of it afterwards.

Every case is a process of its own, started as a user would and ended by a signal, at a random moment or as soon as a
half-written output lies on the disk. Afterwards nothing of it may run, the output is what it was, or none, or whole,
the next start removes what is left, and the same command, tried for every `REPEATED`th case, gives what an
uninterrupted one gave, byte for byte.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.hostile.run import Result
from edgekit.bundle.manifest import MANIFEST, read_bundle
from edgekit.bundle.records import read_record
from edgekit.errors import EdgekitError
from edgekit.files.whole import sha256

PRELOAD: tuple[str, ...] = ()
COUNT = 60
REPEATED = 6
GONE_SECONDS = 5.0
"""After which nothing of a killed command may run."""
SLOW_SECONDS = 30.0
"""After which a command that was asked to end hangs."""
DIFFER = ("created", "ledger.*.latency", "ledger.*.seconds")
"""What may differ in the manifests of two runs of one job."""
_MARK = "EDGEKIT_HOSTILE_CASE"
_NEXT = """
import sys
from pathlib import Path
from edgekit.files.whole import check_free
try:
    from edgekit.files.temporary import temporary_folder
except ImportError:  # an edgekit that does not sweep
    raise SystemExit(0)
with temporary_folder("next"):
    check_free(Path(sys.argv[1]), force=True, marker="manifest.json")
"""
"""What every command begins with that writes anything."""


@dataclass(frozen=True)
class Job:
    """A command to kill.

    Attributes:
        name: of its kind.
        argv: its arguments, the output excepted.
        out: the option and the value that name the output.
        weight: how often it comes.
        seconds: None: as long as it takes; else until when it is killed.
    """

    name: str
    argv: tuple[str, ...]
    out: tuple[str, str]
    weight: int
    seconds: float | None = None


@dataclass(frozen=True)
class _Done:
    """An uninterrupted run: how long it took, and its output."""

    seconds: float
    output: Path


def results(seed: int, count: int, scratch: Path, jobs: int) -> Iterator[Result]:
    """Run the cases, `jobs` at a time, and yield results as they come, in order."""
    model = scratch / "digits.keras"
    _run(["train", "digits-cnn", "--data", "digits", "--epochs", "3", "-o", str(model)], scratch / "training").check()
    compress = ("compress", str(model), "--data", "digits", "--anyway")
    stages = ("--stage", "finetune:epochs=3", "--stage", "quantize:epochs=2")
    settings = ("--processes", "2", "--min-seconds", "0.3", "--threads", "1")
    kinds = [
        Job("compress", (*compress, "--recipe", "int8", "--force"), ("-o", "out"), 2),
        Job("compress, two stages", (*compress, *stages, "--force"), ("-o", "out"), 2),
    ]
    whole = {job.name: _uninterrupted(job, scratch / f"whole-{index}") for index, job in enumerate(kinds)}
    bundle = whole["compress"].output
    kinds.append(Job("bench", ("bench", str(bundle), *settings), ("--out", "records"), 2))
    whole["bench"] = _uninterrupted(kinds[-1], scratch / "whole-2")
    # One whose runner would measure for minutes.
    kinds.append(Job("bench, long", ("bench", str(bundle), "--min-seconds", "300"), ("--out", "records"), 1, 10.0))
    whole["bench, long"] = _Done(10.0, whole["bench"].output)
    random_ = random.Random(seed)
    cases = []
    for number in range(count):
        job = random_.choices(kinds, [kind.weight for kind in kinds])[0]
        which = random_.choices([signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP], [7, 1, 1, 1])[0]
        on_sight = not job.name.startswith("bench") and random_.random() < 0.25
        share, old = random_.uniform(0, 1.05), random_.random() < 0.5
        cases.append((number, job, which, on_sight, share, old))
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda case: _case(*case, whole=whole, bundle=bundle, scratch=scratch), cases)


def _case(
    number: int,
    job: Job,
    which: signal.Signals,
    on_sight: bool,
    share: float,
    old: bool,
    *,
    whole: dict[str, _Done],
    bundle: Path,
    scratch: Path,
) -> Result:
    """Kill a command and look at what becomes of it."""
    folder = scratch / f"case-{number}"
    output = folder / job.out[1]
    folder.mkdir()
    if old and not job.name.startswith("bench"):
        shutil.copytree(bundle, output)
    before = _digests(output)
    command = _Command(job, folder)
    moment = whole[job.name].seconds * share
    if on_sight:
        _until(lambda: command.ended or any(folder.glob(".out.tmp-*/**/*.tflite")), SLOW_SECONDS * 4)
        moment = time.monotonic() - command.started
    else:
        _until(lambda: command.ended, moment)
    wrong = command.end(which) or _wrong(job, command, before, whole[job.name].output)
    if not wrong:
        wrong = _afterwards(job, folder, output)
    repeated = not wrong and number % REPEATED == 0 and job.seconds is None
    if repeated:
        wrong = _again(job, folder, output, whole[job.name].output)
    if not wrong:
        shutil.rmtree(folder, ignore_errors=True)
    verdict, said = wrong or ("works", "and again, the same" if repeated else "")
    where = f"{moment:.1f} s of {whole[job.name].seconds:.1f}{', on sight' if on_sight else ''}"
    return Result(f"{job.name}, {which.name}", f"{number} after {where}", verdict, said, moment)


class _Command:
    """A command under way; all its processes carry its mark.

    Attributes:
        started: when, of `time.monotonic`.
        errors: the file with what it printed to stderr.
    """

    def __init__(self, job: Job, folder: Path) -> None:
        self._mark = f"{_MARK}={folder}"
        self.errors = folder / "stderr"
        argv = [sys.executable, "-m", "edgekit", *job.argv, job.out[0], str(folder / job.out[1])]
        with self.errors.open("wb") as errors, (folder / "stdout").open("wb") as printed:
            self._child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=printed, stderr=errors, env=_environment(folder), cwd=folder
            )
        self.started = time.monotonic()

    @property
    def ended(self) -> bool:
        """Whether its first process has ended."""
        return self._child.poll() is not None

    @property
    def code(self) -> int:
        """Its exit code."""
        return int(self._child.returncode)

    @property
    def said(self) -> str:
        """What it printed to stderr."""
        return self.errors.read_text(errors="replace")

    def check(self) -> None:
        """Wait for a good end."""
        if self._child.wait(600):
            raise RuntimeError(self.said)

    def end(self, which: signal.Signals) -> tuple[str, str] | None:
        """Send a signal; return what is wrong with how all ends, as a verdict and a sentence."""
        self._child.send_signal(which)
        try:
            self._child.wait(SLOW_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            return "hang", f"runs {SLOW_SECONDS:g} s after {which.name}"
        if not _until(lambda: not self._alive(), GONE_SECONDS):
            return "goes on", "; ".join(self._alive())
        # A traceback without a line of edgekit is Python's, which was interrupted before it started us.
        ours = "/edgekit/" in self.said or "Exception ignored" in self.said
        if "Traceback (most recent call last)" in self.said and ours:
            return "traceback", self.said.strip().splitlines()[-1][:300]
        if self.code not in (0, -which, 128 + which):
            return "code", f"exit code {self.code} after {which.name}: {self.said[-200:]}"
        return None

    def _alive(self) -> list[str]:
        """Return the command lines of its processes that run."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() not in (process / "environ").read_bytes().split(b"\0"):
                    continue
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if line:  # else it has ended and waits for its parent to look
                found.append(line)
        return found


def _wrong(job: Job, command: _Command, before: dict[str, str], whole: Path) -> tuple[str, str] | None:
    """Return what is wrong with what is visible now."""
    folder = command.errors.parent
    output = folder / job.out[1]
    if command.code > 0 and (left := _left(folder)):
        return "litter", f"left although it could tidy up: {', '.join(left)}"
    if job.name.startswith("bench"):
        return _unreadable(output)
    now = _digests(output)
    if not now and before:
        return "lost", "the old bundle is gone"
    if now and now != before:
        try:
            read_bundle(output)
        except EdgekitError as error:
            return "half", error.message
        return _different(output, whole)
    return None


def _afterwards(job: Job, folder: Path, output: Path) -> tuple[str, str] | None:
    """Return what is wrong after the next start."""
    argv = [sys.executable, "-c", _NEXT, str(output)]
    done = subprocess.run(argv, env=_environment(folder), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        return "next", done.stderr[-300:]
    left = _left(folder)
    return ("litter", f"left after the next start: {', '.join(left)}") if left else None


def _again(job: Job, folder: Path, output: Path, whole: Path) -> tuple[str, str] | None:
    """Run the command again, to its end, and return what is wrong with that."""
    command = _Command(job, folder)
    try:
        command.check()
    except RuntimeError as error:
        return "again", str(error)[-300:]
    if left := _left(folder):
        return "litter", f"left after the command ran again: {', '.join(left)}"
    return _unreadable(output) if job.name.startswith("bench") else _different(output, whole)


def _left(folder: Path) -> list[str]:
    """Return what is left of temporaries and half-written files."""
    known = {"tmp", "home", "work", "out", "records", "stdout", "stderr"}
    found = [path for path in folder.iterdir() if path.name not in known]
    found += [path for path in (folder / "tmp").iterdir() if path.name != ".ses"]  # onnxruntime's own
    found += [path for place in ("work", "records", "out") for path in (folder / place).rglob("*.tmp-*")]
    return [str(path.relative_to(folder)) for path in found]


def _unreadable(records: Path) -> tuple[str, str] | None:
    for path in records.glob("*"):
        try:
            read_record(path)
        except EdgekitError as error:
            return "half", error.message
    return None


def _different(output: Path, whole: Path) -> tuple[str, str] | None:
    """Return how a bundle differs from the one of an uninterrupted run."""
    now, then = _digests(output), _digests(whole)
    names = sorted(name for name in {*now, *then} - {MANIFEST} if now.get(name) != then.get(name))
    manifests = [_settled(json.loads((path / MANIFEST).read_text())) for path in (output, whole)]
    names += [key for key in manifests[1] if manifests[0].get(key) != manifests[1][key]]
    return ("differs", f"from the uninterrupted run: {', '.join(names)}") if names else None


def _settled(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest without `DIFFER`."""
    ledger = [
        {key: value for key, value in entry.items() if key not in ("latency", "seconds")}
        for entry in manifest.get("ledger", [])
    ]
    return {**{key: value for key, value in manifest.items() if key != "created"}, "ledger": ledger}


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in folder.iterdir()} if folder.is_dir() else {}


def _uninterrupted(job: Job, folder: Path) -> _Done:
    folder.mkdir()
    command = _Command(job, folder)
    command.check()
    return _Done(time.monotonic() - command.started, folder / job.out[1])


def _run(argv: list[str], folder: Path) -> _Command:
    folder.mkdir()
    return _Command(Job("", tuple(argv[:-2]), (argv[-2], argv[-1]), 0), folder)


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of a case: its own temporary folder, home and cache."""
    for name in ("tmp", "home", "work"):
        (folder / name).mkdir(exist_ok=True)
    own = {"TMPDIR": str(folder / "tmp"), "HOME": str(folder / "home"), "EDGEKIT_WORK": str(folder / "work")}
    return {**os.environ, **own, _MARK: str(folder)}


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; return whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
