"""What a search costs beside its training, and how much two workers do in the time of one.

    EDGEKIT_DATA=folder-with-mnist.npz python benchmarks/search_cost.py MODEL WORK --data mnist [--effort 0.25]

The recipes that every search begins with are run once. Then, in copies of that search, trials of equal length (one
student at other learning rates, each trained anew) are run by one worker, and by two, with one thread each. Printed:
the share of a trial that is not training, and how many times as fast two workers are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

THREADS = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
CALIBRATED = {"quantize": "calibrate", "calibration": "minmax"}
WORKER = """
import json, sys, time
import edgekit
from edgekit.progress import Counted

options = json.loads(sys.argv[1])
spent, begun = {}, {}

def follow(event):
    if isinstance(event, Counted) and event.label.startswith("training"):
        begun.setdefault(event.label, time.monotonic())
        if event.ended:
            spent["training"] = spent.get("training", 0.0) + time.monotonic() - begun.pop(event.label)

edgekit.search(**options, progress=follow)
print(json.dumps(spent))
"""


def worker(work: Path, options: dict[str, Any]) -> subprocess.Popen[str]:
    """Start one."""
    environment = {**os.environ, **THREADS, "EDGEKIT_WORK": str(work)}
    command = [sys.executable, "-c", WORKER, json.dumps(options)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> float:
    """Wait for a worker; return the seconds that it trained."""
    text, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a worker failed with exit code {process.returncode}")
    return float(json.loads(text.splitlines()[-1]).get("training", 0.0))


def study_of(folder: Path) -> Any:
    """Open the trials of a search's folder."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "study.journal"))
    return optuna.load_study(study_name="edgekit", storage=optuna.storages.JournalStorage(backend))


def queue(folder: Path, params: dict[str, Any], trials: int) -> int:
    """Queue trials of equal length; return the number of those before."""
    study = study_of(folder)
    before = len(study.get_trials(deepcopy=False))
    for number in range(trials):
        study.enqueue_trial({**params, "rate": round(0.002 + 0.0002 * number, 4)})
    return before


def window(folder: Path, before: int) -> tuple[float, float]:
    """Return the seconds from the start of the first queued trial to the end of the last, and those in trials."""
    trials = [trial for trial in study_of(folder).get_trials(deepcopy=False) if trial.number >= before]
    ends: list[datetime] = [trial.datetime_complete for trial in trials if trial.datetime_complete]
    starts: list[datetime] = [trial.datetime_start for trial in trials if trial.datetime_start]
    in_trials = sum(trial.user_attrs["trial"]["seconds"] for trial in trials if "trial" in trial.user_attrs)
    return (max(ends) - min(starts)).total_seconds(), in_trials


def main(
    model: Path,
    work: Path,
    data: Annotated[str, typer.Option(help="As for edgekit search.")] = "mnist",
    effort: Annotated[float, typer.Option(help="Factor on all epochs.")] = 0.25,
    width: Annotated[float, typer.Option(help="Of the student of every trial.")] = 0.25,
    trials: Annotated[int, typer.Option(help="Of equal length.")] = 6,
    rounds: Annotated[int, typer.Option(help="One worker and two, in turn.")] = 1,
) -> None:
    """Print the share of a trial that is not training, and the speed of two workers."""
    work.mkdir(parents=True, exist_ok=True)
    common = {"model": str(model), "data": data, "effort": effort}
    first = work / "first"
    if not first.exists():
        ended(worker(work / "first-work", {**common, "trials": 7, "out": str(first)}))
    student = {"student": "scaled", "width": width, "taper": 1.0, "shallower": 0, "temperature": 4.0, "alpha": 0.7}
    params = {**student, "pruned": False, **CALIBRATED}
    for number in range(1, rounds + 1):
        seconds = {}
        for workers in (1, 2):
            folder, own = work / f"{number}-{workers}", work / f"{number}-{workers}-work"
            shutil.copytree(first, folder)
            shutil.copytree(work / "first-work", own)
            before = queue(folder, params, trials)
            options = {**common, "trials": before + trials, "out": str(folder)}
            trained = sum([ended(process) for process in [worker(own, options) for _ in range(workers)]])
            seconds[workers], in_trials = window(folder, before)
            print(
                f"round {number}, {workers} worker{'s' * (workers > 1)}: {seconds[workers]:.1f} s for {trials} trials; "
                f"{in_trials:.1f} s in trials, {trained:.1f} s of training: {1 - trained / in_trials:.1%} beside it",
                flush=True,
            )
        print(f"round {number}: two workers are {seconds[1] / seconds[2]:.2f} times as fast as one")


if __name__ == "__main__":
    typer.run(main)
