"""`edgekit.compare`: two files, bundles or records against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.api.compared import Subject, compared
from edgekit.api.comparison import Comparison
from edgekit.api.compression import PerInput, preprocessing_fields
from edgekit.api.reporting import ProgressOption
from edgekit.api.words import face
from edgekit.devices.target import Target


@face
def compare(
    a: Subject,
    b: Subject | None = None,
    target: str | Path | Target = "desktop",
    *,
    host: str | None = None,
    identity: str | Path | None = None,
    trust_target: bool = False,
    threads: Sequence[int] = (1,),
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
    min_samples: int = 50,
    min_seconds: float = 0.1,
    timeout: float = 600.0,
    runtime: str | None = None,
    runtime_wheels: str | Path | None = None,
    python: str | None = None,
    pin: str = "",
    governor: str = "",
    cool_below_c: float | None = None,
    cool_timeout: float = 300.0,
    clean: bool = False,
    latency: bool = True,
    memory: bool = True,
    accuracy: bool = True,
    force: bool = False,
    out: str | Path | None = None,
    progress: ProgressOption = False,
) -> Comparison:
    """Compare two files, bundles or records: by what factor they differ, and with which certainty.

    Files are measured in rounds, a fresh process of either in each, and the rounds are paired. Of records, the rounds
    are paired if one session measured both; else their processes are compared.

    Args:
        a: a bundle, a `.tflite` or `.onnx` file, or a record.
        b: another, of the same kind; by default the first file of `a` is compared with each of its others.
        target: as for `edgekit.bench`, like all that follow and are not described here.
        host: likewise.
        identity: likewise.
        trust_target: likewise.
        threads: thread counts.
        only: of bundles and records: formats, schemes and, of records, names.
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
        processes: rounds; by default 15, up to 100 until a change of 3 % would be seen; 1 where the CPU is emulated.
        min_samples: timed samples per process, at least.
        min_seconds: seconds of timing per process, at least.
        timeout: seconds after which a process is given up.
        runtime: `ai-edge-litert` or `tflite-runtime`, for `.tflite` files.
        runtime_wheels: folder of wheels for the board, where this machine has no internet.
        python: another Python on the target.
        pin: keep the runner on these CPUs (`taskset`): `3` or `0-3`.
        governor: set while measuring, where that is permitted: `performance`.
        cool_below_c: before each process wait until the device is cooler than this, in degrees Celsius.
        cool_timeout: seconds to wait for that at most.
        clean: remove all of edgekit from the board afterwards.
        latency: whether to measure it.
        memory: whether to measure it.
        accuracy: whether to measure it.
        force: compare although conditions differ; they are listed.
        out: a folder to write the record of the measurements to.
        progress: as for `edgekit.compress`.

    Returns:
        The comparison; its `repr` is its text.

    Raises:
        InputError: nothing belongs together, or the conditions differ (`unlike-conditions`).
        EdgekitError: nothing can be measured.
    """
    given = dict(locals())
    how = {name: given.pop(name) for name in ("scale", "mean", "std", "layout", "channels")}
    return compared(preprocessing_fields(**how), command=["edgekit.compare"], **given)
