"""Networks of PyTorch through both of its ONNX exporters: rebuilt or refused, and their int8 files.

    python -m venv VENV
    VENV/bin/pip install torch==2.14.1 torchvision==0.29.1 timm onnx onnxscript litert-torch==0.10.0
    python -m benchmarks.networks VENV/bin/python WORK --out benchmarks/networks/results.jsonl

The networks of `zoo.py` have random weights, seeded. Each is exported by PyTorch's two exporters (`dynamo` and `older`)
by VENV, which also keeps 100 samples for calibration and 100 others with their outputs in float. Then, one process at a
time, a few networks in each:

import   the ONNX file is rebuilt as layers, and proven equal
files    a float `.tflite` of it, and its outputs against those of onnxruntime; an int8 one, against those of PyTorch
litert   litert-torch's own file, quantized by its quantizer with the same samples, likewise; one for both exporters
latency  the two int8 files in turns

What was done, or failed, is not done again unless its file in WORK/NETWORK is deleted. OUT has one line of JSON
for each network and exporter, in the order of `zoo.py`, and is written after every process; the table is printed from
it, and written beside it as `.txt`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from edgekit.files.whole import atomic_file

from .table import show

HERE = Path(__file__).parent
EXPORTERS = ("dynamo", "older")
STEPS = ("export", "import", "files", "litert", "latency")
SECONDS = 1800
TOGETHER = 6
"""Networks that go through all steps before the next ones."""
JUDGING = ("-m", "benchmarks.networks.judging")


def main(
    python: Annotated[Path, typer.Argument(metavar="VENV/bin/python")],
    work: Annotated[Path, typer.Argument(metavar="WORK")],
    out: Annotated[Path, typer.Option(metavar="OUT.jsonl")] = HERE / "results.jsonl",
    only: Annotated[str, typer.Option(help="Networks, with commas between them, else all.")] = "",
    steps: Annotated[str, typer.Option(help="With commas between them, else all.")] = ",".join(STEPS),
    exporters: Annotated[str, typer.Option(help="Whose graphs go through them, likewise.")] = ",".join(EXPORTERS),
) -> None:
    """Fill the table."""
    work, python = work.resolve(), python.absolute()  # the link itself: it says which venv
    names = _names(python)
    wanted = only.split(",") if only else names
    for start in range(0, len(wanted), TOGETHER):
        folders = {work / name.replace("/", "-"): name for name in wanted[start : start + TOGETHER]}
        for step in steps.split(","):
            _do_all(_jobs(step, folders, exporters.split(",")), python, lambda: _write(out, names, work))
    _write(out, names, work)
    print(out.with_suffix(".txt").read_text())


def _names(python: Path) -> list[str]:
    code = "from zoo import ZOO; print(*ZOO)"
    return subprocess.run([python, "-c", code], check=True, cwd=HERE, capture_output=True, text=True).stdout.split()


Jobs = dict[Path, tuple[str, ...]]
"""What is made, a file of JSON each, and by which arguments: the script first, then the step."""


def _jobs(step: str, folders: dict[Path, str], exporters: Sequence[str]) -> Jobs:
    """Return what a step has to do for some networks."""
    jobs: Jobs = {}
    for folder, name in folders.items():
        if step == "export":
            jobs[folder / "export.json"] = ("exporting.py", "files", name, str(folder))
        elif step == "litert":
            jobs[folder / "converted.json"] = ("exporting.py", "litert", name, str(folder))
            jobs[folder / "litert.json"] = ("judging.py", step, "", str(folder))
        else:
            for exporter in exporters:
                if (folder / f"{exporter}.onnx").exists():
                    jobs[folder / f"{exporter}-{step}.json"] = ("judging.py", step, exporter, str(folder))
    return jobs


def _do_all(jobs: Jobs, python: Path, write: Callable[[], None]) -> None:
    """Do what is not done yet, all of one script in one process; another one goes on where it ends early."""
    for script, own in (("exporting.py", [python, HERE / "exporting.py"]), ("judging.py", [sys.executable, *JUDGING])):
        left = {made: job[1:] for made, job in jobs.items() if job[0] == script and not made.exists()}
        while left:
            for made in left:
                made.parent.mkdir(parents=True, exist_ok=True)
            _run([*own, *(part for made, job in left.items() for part in (made, *job))], list(left))
            write()
            left = {made: job for made, job in left.items() if not made.exists()}


def _run(command: Sequence[str | Path], makes: Sequence[Path]) -> None:
    """Run a process until it ends, or takes too long for the next file; that file then says what happened."""
    with tempfile.TemporaryFile("w+") as errors, subprocess.Popen(command, stderr=errors, stdout=errors) as process:
        waited, seen = 0, 0
        while process.poll() is None and waited < SECONDS:
            time.sleep(1)
            done = sum(made.exists() for made in makes)
            waited = waited + 1 if done == seen else 0
            seen = done
        process.kill()
        process.wait()
        errors.seek(0)
        text = errors.read()
    missing = next((made for made in makes if not made.exists()), None)
    if missing is not None:
        (missing.parent / f"{missing.stem}.log").write_text(text)
        last = next((line for line in reversed(text.splitlines()) if line.strip()), "")
        missing.write_text(json.dumps({"failed": f"the process ended with {process.returncode}: {last[:200]}"}))


def _write(out: Path, names: list[str], work: Path) -> None:
    """Write what is known, one line for each network and exporter, and the table."""
    lines = []
    for name in names:
        folder = work / name.replace("/", "-")
        known = {p.stem: json.loads(p.read_text()) for p in folder.glob("*.json")}
        exported = known.get("export")
        for exporter in EXPORTERS if exported else ():
            line = {"network": name, "exporter": exporter, "parameters": exported.get("parameters")}
            line |= {"sizes": exported.get("sizes"), "export": exported.get(exporter, exported.get("failed"))}
            line |= {step: known[f"{exporter}-{step}"] for step in STEPS if f"{exporter}-{step}" in known}
            if "converted" in known:
                line["litert"] = known["converted"] | known.get("litert", {})
            lines.append(line)
    for path, text in (
        (out, "".join(json.dumps(line) + "\n" for line in lines)),
        (out.with_suffix(".txt"), show(lines)),
    ):
        with atomic_file(path) as temporary:
            temporary.write_text(text)


if __name__ == "__main__":
    typer.run(main)
