"""A PyTorch module in memory as an ONNX file, which is proved to compute the same, for the worker process.

The export runs here, where the module's classes are; everything behind it, in the worker, sees the file only.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import logging
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import InputError, MissingExtraError
from edgekit.errors.printable import visible

Module = Any
"""A `torch.nn.Module`."""
TOLERANCE = 1e-4
"""Of outputs of the ONNX file, times the largest one: onnxruntime and PyTorch add in other orders."""
SEED = 20261201


def is_module(model: object) -> bool:
    """Return whether a model is a module of PyTorch, which nobody imports for the question."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def exported(module: Module, folder: Path, data: Any, shapes: Mapping[str, Sequence[int]] | None) -> Path:
    """Write a module as an ONNX file of one sample, and return its path.

    Args:
        module: it is run in evaluation mode, and left in the mode that it was in.
        folder: to write in.
        data: of `compress`; arrays in memory tell the sizes of the inputs.
        shapes: of its inputs, with the batch, by the names of the arguments of `forward`; these go first.

    Raises:
        InputError: sizes are not known, the module cannot be exported, or the file computes something else.
        MissingExtraError: onnxruntime is not installed.
    """
    torch = sys.modules["torch"]
    names = _arguments(module)
    path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', type(module).__name__) or 'model'}.onnx"
    with _evaluating(module), torch.no_grad():
        inputs = _example(module, names, data, shapes or {})
        outputs = flat(module(*inputs))
        try:
            with quiet():
                _export(module, inputs, names, len(outputs), path)
        except Exception as error:  # the exporters raise what they like
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise InputError(
                f"model: PyTorch cannot export `{type(module).__name__}`: {reason.strip()[:300]}",
                "export it yourself with torch.onnx.export, and give the path",
                code="module-not-exported",
            ) from error
        prove_export(path, inputs, outputs, type(module).__name__)
    return path


def _arguments(module: Module) -> list[str]:
    """Return the names of the arguments of `forward` that have to be given."""
    parameters = inspect.signature(module.forward).parameters.values()
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in plain and p.default is inspect.Parameter.empty]
    return names or ["input"]


def _example(module: Module, names: Sequence[str], data: Any, shapes: Mapping[str, Sequence[int]]) -> tuple[Any, ...]:
    """Return inputs that the module takes: of the sizes given, or those of a sample, channels first if need be."""
    unknown = sorted(set(shapes) - set(names))
    if unknown:
        raise InputError(
            f"`input_shapes`: `forward` has no argument `{unknown[0]}`",
            f"its arguments are: {', '.join(names)}",
            code="input-unknown",
        )
    samples = _samples(data, names)
    lacking = [name for name in names if name not in shapes and name not in samples]
    if lacking:
        raise InputError(
            f"model: the sizes of `{'`, `'.join(lacking)}` are not known: a PyTorch module does not have them",
            f"give `input_shapes={{{lacking[0]!r}: (1, 3, 224, 224)}}`, or arrays as `data`, with samples as `forward` "
            "takes them",
            code="input-shape-open",
        )
    given = {name: [tuple(map(int, shapes[name]))] if name in shapes else _forms(samples[name].shape) for name in names}
    dtypes = {name: samples[name].dtype if name in samples else np.dtype(np.float32) for name in names}
    refusal = ""
    for number in range(max(map(len, given.values()))):
        sizes = [given[name][min(number, len(given[name]) - 1)] for name in names]
        inputs = tuple(_values(module, size, dtypes[name]) for name, size in zip(names, sizes, strict=True))
        try:
            module(*inputs)
        except Exception as error:  # as PyTorch refuses shapes
            refusal = refusal or (str(error).splitlines() or [type(error).__name__])[0]
            continue
        return inputs
    shown = ", ".join(f"{name} {'x'.join(map(str, forms[0]))}" for name, forms in given.items())
    raise InputError(
        f"model: `{type(module).__name__}` does not take {shown}: {refusal[:200]}",
        "give `input_shapes` with sizes that `forward` takes, the batch of 1 first",
        code="samples-do-not-fit",
    )


def _samples(data: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return one sample of every input, of arrays in memory; nothing of data that only a name or path stands for."""
    if isinstance(data, (str, Path)):
        return {}
    from edgekit.data.sources.function import loose_of

    x = loose_of(data, "data").x
    if isinstance(x, Mapping):
        return {name: np.asarray(x[name][:1]) for name in names if name in x}
    return {names[0]: np.asarray(x[:1])} if len(names) == 1 else {}


def _forms(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the shapes in which a module may take a sample: as it is, channels first, or with a channel."""
    forms = [tuple(shape)]
    if len(shape) in (3, 4):
        forms.append((shape[0], shape[-1], *shape[1:-1]))
        forms.append((shape[0], 1, *shape[1:]))
    return forms


def _values(module: Module, sizes: Sequence[int], dtype: Any) -> Any:
    torch = sys.modules["torch"]
    first = next(module.parameters(), None)
    rng = np.random.default_rng(SEED)
    if dtype.kind in "iu" and dtype.itemsize > 1:
        return torch.zeros(tuple(sizes), dtype=torch.long, device=None if first is None else first.device)
    made = torch.from_numpy(rng.standard_normal(tuple(sizes)).astype(np.float32))
    return made if first is None else made.to(first.device)


def _export(module: Module, inputs: tuple[Any, ...], names: Sequence[str], count: int, path: Path) -> None:
    """Export with the newer exporter where its packages are there, else, or where it fails, with the older one."""
    torch = sys.modules["torch"]
    outputs = ["output"] if count == 1 else [f"output_{i}" for i in range(count)]
    options = {"input_names": list(names), "output_names": outputs}
    if importlib.util.find_spec("onnxscript") is not None:
        try:
            torch.onnx.export(module, inputs, str(path), dynamo=True, external_data=False, verbose=False, **options)
        except Exception:  # tried again below, whose error is reported
            pass
        else:
            return
    torch.onnx.export(module, inputs, str(path), dynamo=False, **options)


def prove_export(path: Path, inputs: tuple[Any, ...], outputs: Sequence[Any], name: str) -> None:
    """Compare the file with the module or program, on the inputs that it was exported with.

    Raises:
        InputError: outputs differ.
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("checking an exported module", "compress", str(error)) from error
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {value.name: x.cpu().numpy() for value, x in zip(session.get_inputs(), inputs, strict=True)}
    for number, (made, expected) in enumerate(zip(session.run(None, feed), outputs, strict=True)):
        old = expected.detach().cpu().numpy()
        allowed = TOLERANCE * max(1e-3, float(np.abs(old).max(initial=0.0)))
        if made.shape != old.shape or not np.allclose(made, old, rtol=0, atol=allowed):
            raise InputError(
                f"model: the ONNX file that PyTorch exports of `{visible(name)}` computes something else: output "
                f"{number} differs",
                "export it yourself with the other exporter (`dynamo=True` or `False`), and give the path",
                code="module-not-exported",
            )


def flat(outputs: Any) -> list[Any]:
    """Return the tensors of a structure of outputs."""
    if isinstance(outputs, Mapping):
        return [tensor for part in outputs.values() for tensor in flat(part)]
    if isinstance(outputs, (list, tuple)):
        return [tensor for part in outputs for tensor in flat(part)]
    return [outputs]


@contextlib.contextmanager
def _evaluating(module: Module) -> Iterator[None]:
    """Put a module in evaluation mode for a while; every part of it gets its own mode back."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporters from writing to the user's screen."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(None):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
