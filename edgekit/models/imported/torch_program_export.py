"""A program of torch.export as an ONNX file that is proved to compute the same; PyTorch is in a child process."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import InputError, MissingExtraError, RunnerError
from edgekit.errors.printable import visible
from edgekit.files.temporary import Temporary
from edgekit.models.imported.torch_module import SEED, flat, prove_export, quiet
from edgekit.models.imported.torch_program import EXPORT, write_clean
from edgekit.processes.child import memory_for, worker
from edgekit.schema.types import JsonObject
from edgekit.tasks.samples import Array

_SECONDS = 600.0
_OPEN = 1
"""Size of an axis that a program leaves open, where it takes that."""


def exported_program(path: Path) -> tuple[Path, Temporary]:
    """Return an ONNX file of a program, and the folder that keeps it.

    Args:
        path: of a `.pt2`.

    Raises:
        InputError: it is none, holds what is not loaded, or cannot be exported.
        MissingExtraError: PyTorch or the packages of its exporter are not installed.
    """
    folder = Temporary("program")
    clean, target = folder.path / "program.pt2", folder.path / f"{path.stem}.onnx"
    write_clean(path, clean)
    lacking = [name for name in ("torch", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
    if lacking:
        raise MissingExtraError(f"{path}: reading a program of torch.export", "torch", f"no {', '.join(lacking)}")
    try:
        worker().call(
            f"{__name__}:export",
            what=f"{path}: exporting it as ONNX",
            seconds=_SECONDS,
            memory=2 * memory_for(path),
            path=str(clean),
            target=str(target),
            name=path.name,
        )
    except RunnerError as error:
        raise InputError(error.message, error.hint or EXPORT, code=error.code) from error
    return target, folder


def export(*, path: str, target: str, name: str) -> tuple[JsonObject, list[Array]]:
    """Do what `exported_program` asks for, in its child."""
    torch = _without_pickles()
    try:
        with quiet():
            program = torch.export.load(path)
            inputs = _inputs(torch, program)
            module = program.module()
            with torch.no_grad():
                outputs = flat(module(*inputs))
            torch.onnx.export(program, inputs, target, dynamo=True, external_data=False, verbose=False)
    except Exception as error:  # PyTorch raises what it likes
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise InputError(
            f"{name}: PyTorch {torch.__version__} cannot load and export this program: "
            f"{visible(type(error).__name__)}: {visible(reason.strip()[:300])}",
            EXPORT,
            code="program-not-exported",
        ) from error
    prove_export(Path(target), inputs, outputs, name)
    return {}, []


def _without_pickles() -> Any:
    """Return PyTorch, in which nothing is unpickled but tensors: the archive holds none, and this holds it to that."""
    import torch
    import torch.export.pt2_archive._package as package

    load = torch.load

    def tensors_only(*arguments: Any, **options: Any) -> Any:
        return load(*arguments, **{**options, "weights_only": True})

    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a pickle, which is not loaded")

    torch.load = tensors_only
    package.pickle.loads = refuse
    torch._C._pickle_load_obj = refuse
    return torch


def _inputs(torch: Any, program: Any) -> tuple[Any, ...]:
    """Return random inputs of the sizes that a program declares."""
    wanted = dict.fromkeys(program.graph_signature.user_inputs)
    rng, made = np.random.default_rng(SEED), []
    for node in program.graph.nodes:
        if node.op != "placeholder" or node.name not in wanted:
            continue
        meta = node.meta["val"]
        sizes = tuple(size if isinstance(size, int) else _OPEN for size in meta.shape)
        if meta.dtype.is_floating_point:
            made.append(torch.from_numpy(np.asarray(rng.standard_normal(sizes), np.float32)).to(meta.dtype))
        else:
            made.append(torch.zeros(sizes, dtype=meta.dtype))
    return tuple(made)
