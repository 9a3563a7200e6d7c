"""`edgekit.bench`: files measured on this machine, a board or a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edgekit.bundle.manifest as manifests
import edgekit.bundle.records as records
from edgekit.api.compression import PerInput, data_spec, preprocessing_fields
from edgekit.api.reporting import ProgressOption, working
from edgekit.api.results import BundleFile
from edgekit.api.rows import Record
from edgekit.api.words import face
from edgekit.devices.target import TFLITE_RUNTIMES, Target
from edgekit.devices.targets import find_target
from edgekit.errors import InputError
from edgekit.errors.printable import quoted
from edgekit.files.destinations import check_apart, prove
from edgekit.measuring.plan import Plan
from edgekit.progress import Progress, Reporter

if TYPE_CHECKING:
    from edgekit.data.dataset import Dataset

Subjects = manifests.Bundle | BundleFile | str | Path | Sequence[manifests.Bundle | BundleFile | str | Path]
"""A bundle or a file, by its path or as edgekit returned it, or several of these."""


@face
def bench(
    subjects: Subjects,
    target: str | Path | Target = "desktop",
    *,
    host: str | None = None,
    identity: str | Path | None = None,
    trust_target: bool = False,
    threads: Sequence[int] = (),
    only: Sequence[str] = (),
    data: Any = None,
    scale: float | Mapping[str, float] | None = None,
    mean: PerInput | None = None,
    std: PerInput | None = None,
    layout: str | Mapping[str, str] | None = None,
    channels: str | Mapping[str, str] | None = None,
    metric: str | None = None,
    task: str | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    input_values: Mapping[str, float] | None = None,
    processes: int | None = None,
    min_samples: int = 100,
    min_seconds: float = 0.5,
    timeout: float = 600.0,
    runtime: str | None = None,
    runtime_wheels: str | Path | None = None,
    benchmark_model: str | Path | None = None,
    python: str | None = None,
    pin: str = "",
    governor: str = "",
    cool_below_c: float | None = None,
    cool_timeout: float = 300.0,
    clean: bool = False,
    latency: bool = True,
    memory: bool = True,
    accuracy: bool = True,
    out: str | Path | None = None,
    progress: ProgressOption = False,
) -> Record:
    """Measure files on this machine, a board or a phone.

    Args:
        subjects: a bundle, the path of one, a `.tflite` or `.onnx` file, or several of these; the first file is the
            baseline.
        target: a target's name or file, or a `Target`.
        host: address of the board, or serial number of the phone.
        identity: private key file for ssh.
        trust_target: use the target's file whatever it says; see `--trust-target`.
        threads: thread counts; by default as the target says.
        only: of bundles: formats and schemes.
        data: evaluate on this test set: what `--data` takes, or arrays as for `edgekit.compress`.
        scale: of files that no bundle describes: as for `edgekit.compress`.
        mean: likewise.
        std: likewise.
        layout: likewise.
        channels: likewise.
        metric: as `--metric`.
        task: as `--task`, for files that no bundle describes.
        input_shapes: sizes with the batch, by name, of inputs with dynamic sizes.
        input_values: of inputs that hold one number.
        processes: fresh processes per file and thread count; by default 5, and 1 where the CPU is emulated.
        min_samples: timed samples per process, at least.
        min_seconds: seconds of timing per process, at least.
        timeout: seconds after which a process is given up.
        runtime: `ai-edge-litert` or `tflite-runtime`, for `.tflite` files.
        runtime_wheels: folder of wheels for the board, where this machine has no internet.
        benchmark_model: TFLite's program of this name, for devices without Python.
        python: another Python on the target.
        pin: keep the runner on these CPUs (`taskset`): `3` or `0-3`.
        governor: set while measuring, where that is permitted: `performance`.
        cool_below_c: before each process wait until the device is cooler than this, in degrees Celsius.
        cool_timeout: seconds to wait for that at most.
        clean: remove all of edgekit from the board afterwards.
        latency: whether to measure it.
        memory: whether to measure it.
        accuracy: whether to measure it.
        out: a folder to write the record to.
        progress: as for `edgekit.compress`.

    Returns:
        The record; its `repr` is its table.

    Raises:
        EdgekitError: nothing can be measured; what failed in single passes stands in the record.

    Example:
        >>> record = edgekit.bench("small", threads=[1], only=["dynamic"], latency=False)
        >>> record["dynamic", 1].accuracy.samples
        359
    """
    plan = Plan(
        threads=tuple(threads),
        processes=processes,
        min_samples=min_samples,
        min_seconds=min_seconds,
        timeout=timeout,
        latency=latency,
        memory=memory,
        accuracy=accuracy,
        pin=pin,
        governor=governor,
        cool_below_c=cool_below_c,
        cool_timeout=cool_timeout,
        input_shapes={name: tuple(map(int, sizes)) for name, sizes in (input_shapes or {}).items()},
        input_values={name: float(value) for name, value in (input_values or {}).items()},
    )
    check_runtime(runtime)
    place = target if isinstance(target, Target) else find_target(str(target), trust=trust_target)
    paths = _paths(subjects)
    from edgekit.measuring.candidates import candidates
    from edgekit.measuring.several import measure

    chosen = candidates(paths, tuple(only), runtime)
    if out is not None:
        bundles = [path for path in paths if (path / manifests.MANIFEST).is_file()]
        check_apart(Path(out), bundles, "out", replaced=False)
        prove(Path(out), into=True)
    with working(progress) as (folder, receiver):
        reporter = Reporter(receiver)
        measured = measure(
            [place.at(host, str(identity) if identity else None)],
            chosen,
            plan,
            python=python,
            clean=clean,
            keep=lambda record: _keep(record, out, reporter),
            data=loaded(data, folder, chosen, plan, reporter),
            preprocessing=preprocessing_fields(scale=scale, mean=mean, std=std, layout=layout, channels=channels),
            metric=metric,
            kinds=task or "",
            forced=runtime is not None,
            wheels=None if runtime_wheels is None else Path(runtime_wheels),
            native=None if benchmark_model is None else Path(benchmark_model),
            command=["edgekit.bench"],
            progress=reporter,
        )
    return Record.of(measured.records[0])


def check_runtime(runtime: str | None) -> None:
    """Refuse a runtime that is none for `.tflite` files.

    Raises:
        InputError: with the names of those that are.
    """
    if runtime not in (None, *TFLITE_RUNTIMES):
        expected = " or ".join(TFLITE_RUNTIMES)
        raise InputError(f"runtime: expected {expected}, got {quoted(runtime)}", code="unknown-name")


def _paths(subjects: Subjects) -> list[Path]:
    several = [subjects] if isinstance(subjects, (manifests.Bundle, BundleFile, str, Path)) else list(subjects)
    return [item.path if isinstance(item, (manifests.Bundle, BundleFile)) else Path(item) for item in several]


def loaded(data: Any, folder: Path, chosen: Sequence[Any], plan: Plan, progress: Progress) -> Dataset | None:
    """Return a test set: what `--data` takes, or arrays, which pass through a file in `folder`."""
    from edgekit.data.fitting import shape_of
    from edgekit.data.loading import load_data
    from edgekit.measuring.inputs import fed_ports

    if data is None:
        return None
    return load_data(data_spec(data, folder), shape_of(fed_ports(chosen[0], plan.input_values)), progress)


def _keep(record: records.Record, out: str | Path | None, progress: Progress) -> None:
    if out is not None:
        _, trouble = records.save_record(Path(out), record)
        if trouble:
            progress.warn(trouble, "record-not-saved")
