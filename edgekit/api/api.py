"""edgekit from Python: what `edgekit.compress` and `edgekit.bench` do.

Compressing happens in a process of its own, by the command line, because TensorFlow has to be started with Keras 2
behind it there, whatever is imported here, and because its memory is given back afterwards.
"""

from __future__ import annotations

import html
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

import edgekit.bundle.manifest
import edgekit.bundle.records
from edgekit.bundle.manifest import read_bundle
from edgekit.bundle.recipe import Recipe
from edgekit.devices.transports.local import LocalTransport
from edgekit.errors import EdgekitError, InputError
from edgekit.files.destinations import check_apart, prove
from edgekit.files.temporary import temporary_folder
from edgekit.processes.python import environment, module_argv
from edgekit.text.printable import visible

LINE = re.compile(r"edgekit: (?P<message>.*?)(?: \[(?P<code>[a-z0-9-]+)\])?")
HINT = re.compile(r"  hint: (?P<hint>.*)")


class Bundle(edgekit.bundle.manifest.Bundle):
    """A bundle on disk that shows its table."""

    def table(self) -> str:
        """Return sizes, scores on test or validation samples and agreement of every file."""
        from edgekit.report.bundle_table import bundle_table

        return bundle_table(self)

    def __repr__(self) -> str:
        return f"Bundle({str(self.path)!r})\n{self.table()}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


class Record(edgekit.bundle.records.Record):
    """A session of measurements that shows its table."""

    def table(self) -> str:
        """Return latency, memory and scores of every file, with verdicts and conditions."""
        from edgekit.report.bench_table import bench_table

        return bench_table(self)

    def __repr__(self) -> str:
        return f"Record({self.target!r}, {visible(self.created)})\n{self.table()}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def compress(
    model: Any,
    data: Any,
    recipe: str | Path | Recipe = "int8",
    out: str | Path | None = None,
    *,
    scale: float | None = None,
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
    layout: str | None = None,
    channels: str | None = None,
    normalize_outside: bool = False,
    metric: str | None = None,
    task: str | None = None,
    seed: int | None = None,
    custom: Sequence[str] = (),
    allow_unsafe: bool = False,
    anyway: bool = False,
    force: bool = False,
    verbose: bool = True,
) -> Bundle:
    """Compress a model into a bundle of TFLite and ONNX files.

    Args:
        model: a Keras 2 or Keras 3 model in memory, or the path of a model file.
        data: what `--data` takes; or arrays: `(x, y)`, `(x_train, y_train, x_test, y_test)`, `((x_train, y_train),
            (x_test, y_test))`, a dictionary with these names, `tf.data` sets, or one array without labels. Without a
            test part a fixed random fifth becomes one.
        recipe: a recipe's name, a `.toml` file, or a `Recipe`.
        out: the folder to create; by default MODEL-RECIPE in the current folder.
        scale: inputs are `(x * scale - mean) / std`; by default as the model was trained, else 1/255 for bytes,
            or 1 if the model begins with a Rescaling or Normalization of its own, or what a trial on labelled samples
            finds to be clearly better.
        mean: one number, or one a channel.
        std: as `mean`.
        layout: `NHWC` or `NCHW`, what the model expects.
        channels: `RGB` or `BGR`, what the model expects of samples stored as RGB.
        normalize_outside: move Rescaling and (Batch)Normalization of the model's start into the preprocessing.
        metric: as `--metric`.
        task: as `--task`, such as `regression`, where labels and outputs do not show it.
        seed: governs everything random; by default the recipe's.
        custom: classes and functions that the model needs, each `module:NAME` or `file.py:NAME`.
        allow_unsafe: load Lambda layers, which run code from the model file.
        anyway: go on, and accept the bundle, where edgekit finds the model or the files worthless; else that is an
            error, and a bundle that is there already is kept.
        force: replace the bundle at `out`.
        verbose: show progress on stderr.

    Returns:
        The bundle; its `repr` is the table of its files.

    Raises:
        EdgekitError: what the command line would say, with its hint.

    Example:
        >>> bundle = edgekit.compress(model, (x, y), "dynamic", out="small", verbose=False)
        >>> [artifact.file for artifact in bundle.manifest.artifacts]
        ['digits-float32.tflite', 'digits-dynamic.tflite', 'digits-float32.onnx']
    """
    with temporary_folder("api") as folder:
        path = _model_file(model, folder)
        name = recipe.name if isinstance(recipe, Recipe) else Path(recipe).stem
        target = Path(out) if out is not None else Path(f"{path.stem}-{name}")
        argv = ["compress", str(path), "--data", _data_spec(data, folder), "--out", str(target)]
        argv += ["--recipe", _recipe_spec(recipe, folder)]
        for option, value in (("--scale", scale), ("--mean", mean), ("--std", std)):
            argv += [option, _numbers(value)] if value is not None else []
        words = {"--layout": layout, "--channels": channels, "--metric": metric, "--task": task}
        argv += [part for option, word in words.items() if word for part in (option, word)]
        argv += ["--seed", str(seed)] if seed is not None else []
        argv += [part for item in custom for part in ("--custom", item)]
        flags = {"--normalize-outside": normalize_outside, "--allow-unsafe": allow_unsafe}
        flags |= {"--anyway": anyway, "--force": force}
        argv += [flag for flag, on in flags.items() if on]
        _run(argv, verbose=verbose)
    found = read_bundle(target)
    return Bundle(found.path, found.manifest)


def bench(
    subjects: edgekit.bundle.manifest.Bundle | str | Path | Sequence[Any],
    target: str | Path = "desktop",
    *,
    host: str | None = None,
    identity: str | Path | None = None,
    trust_target: bool = False,
    threads: Sequence[int] = (),
    processes: int | None = None,
    only: Sequence[str] = (),
    data: str | None = None,
    metric: str | None = None,
    task: str | None = None,
    latency: bool = True,
    memory: bool = True,
    accuracy: bool = True,
    out: str | Path | None = None,
) -> Record:
    """Measure files on this machine, a board or a phone.

    Args:
        subjects: a bundle, the path of one, a `.tflite` or `.onnx` file, or several of these.
        target: a target's name or file.
        host: address of the board.
        identity: private key file for ssh.
        trust_target: use the target's file whatever it says; see `--trust-target`.
        threads: thread counts; by default as the target says.
        processes: fresh processes per file and thread count.
        only: of bundles: formats and schemes.
        data: evaluate on this test set: what `--data` takes.
        metric: as `--metric`.
        task: as `--task`, for files that no bundle describes.
        latency: whether to measure it.
        memory: whether to measure it.
        accuracy: whether to measure it.
        out: a folder to write the record to.

    Returns:
        The record; its `repr` is its table.

    Raises:
        EdgekitError: nothing can be measured; what failed in single passes stands in the record.

    Example:
        >>> record = edgekit.bench("small", threads=[1], only=["dynamic"], latency=False)
        >>> [(m.threads, m.accuracy["samples"]) for m in record.measurements]
        [(1, 359)]
    """
    from edgekit.api.console import Console
    from edgekit.bench.plan import Plan
    from edgekit.bench.several import measure
    from edgekit.bench.subjects import candidates
    from edgekit.data.fitting import shape_of
    from edgekit.data.loading import load_data
    from edgekit.devices.targets import find_target

    several = [subjects] if isinstance(subjects, (edgekit.bundle.manifest.Bundle, str, Path)) else list(subjects)
    paths = [item.path if isinstance(item, edgekit.bundle.manifest.Bundle) else Path(item) for item in several]
    plan = Plan(tuple(threads), processes, latency=latency, memory=memory, accuracy=accuracy)
    place = find_target(str(target), trust=trust_target).at(host, str(identity) if identity else None)
    chosen = candidates(paths, tuple(only))
    loaded = load_data(data, shape_of(chosen[0].inputs)) if data is not None else None
    console = Console()
    if out is not None:
        bundles = [path for path in paths if (path / edgekit.bundle.manifest.MANIFEST).is_file()]
        check_apart(Path(out), bundles, "out", replaced=False)
        prove(Path(out), into=True)
    found = measure([place], chosen, plan, data=loaded, metric=metric, kinds=task or "", progress=console)
    record = found.records[0]
    if out is not None:
        _, trouble = edgekit.bundle.records.save_record(Path(out), record)
        if trouble:
            console.warn(trouble)
    return Record(**{f.name: getattr(record, f.name) for f in fields(record)})


def _model_file(model: Any, folder: Path) -> Path:
    if isinstance(model, (str, Path)):
        return Path(model)
    if not callable(getattr(model, "save", None)) or not hasattr(model, "layers"):
        raise InputError(f"model: is a {type(model).__name__}", "give a Keras model, or the path of a model file")
    path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', str(model.name)) or 'model'}.keras"
    try:
        model.save(path)
    except Exception as error:  # Keras raises what it likes
        raise InputError(f"model: Keras cannot save it: {error}", "save it yourself and give the path") from error
    return path


def _data_spec(data: Any, folder: Path) -> str:
    if isinstance(data, (str, Path)):
        return str(data)
    from edgekit.data.sources.function import loose_of

    loose = loose_of(data, "data")
    whole = loose.x_test is None  # a test part is held out where the data are read, which is said there
    arrays: dict[str, Any] = {} if not loose.class_names else {"class_names": np.array(loose.class_names)}
    parts = {"x" if whole else "x_train": loose.x, "y" if whole else "y_train": loose.y}
    for key, part in (parts | {"x_test": loose.x_test, "y_test": loose.y_test}).items():
        if isinstance(part, Mapping):
            arrays |= {f"{key}/{name}": array for name, array in part.items()}
        elif part is not None:
            arrays[key] = part
    np.savez(folder / "data.npz", **arrays)
    return str(folder / "data.npz")


def _recipe_spec(recipe: str | Path | Recipe, folder: Path) -> str:
    if not isinstance(recipe, Recipe):
        return str(recipe)
    path = folder / f"{recipe.name}.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    return str(path)


def _numbers(value: Sequence[float] | float) -> str:
    return ",".join(repr(float(v)) for v in (value if isinstance(value, Sequence) else [value]))


def _run(argv: Sequence[str], *, verbose: bool) -> None:
    """Run a command of edgekit, which ends with us, showing what it says, and raise what it explains."""
    message, code, hint, last = "", "", "", ""

    def read(line: str) -> None:
        nonlocal message, code, hint, last
        if found := LINE.fullmatch(line):
            message, code = found["message"], found["code"] or ""
        elif found := HINT.match(line):
            hint = found["hint"]
        elif verbose:
            sys.stderr.write(line + "\n")
        last = line.strip() or last

    done = LocalTransport().run(module_argv("edgekit", *argv), timeout=math.inf, env=environment(), on_line=read)
    if done.returncode:
        raise EdgekitError(
            message or f"edgekit {argv[0]} ended with exit code {done.returncode}: {last}", hint, code=code
        )
