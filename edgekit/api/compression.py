"""`edgekit.compress`: the request, checked and written down, and the bundle that comes back.

Compressing happens in a process of its own, because TensorFlow has to be started with Keras 2 behind it there, whatever
is imported here, and because its memory is given back afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.api.reporting import ProgressOption, working
from edgekit.api.results import Bundle
from edgekit.api.words import face
from edgekit.bundle.manifest import read_bundle
from edgekit.bundle.recipe import Recipe, StageSpec, load_recipe, parse, parse_stage
from edgekit.errors import InputError, QualityError
from edgekit.errors.printable import quoted
from edgekit.models.imported.torch_module import exported, is_module
from edgekit.processes import work
from edgekit.tasks.preprocessing import checked_fields

PerInput = float | Sequence[float] | Mapping[str, "float | Sequence[float]"]
"""One number, one a channel, or either for each input by its name."""


@face
def compress(
    model: Any = None,
    data: Any = "digits",
    recipe: str | Path | Recipe = "int8",
    out: str | Path | None = None,
    *,
    stages: Sequence[str | StageSpec] = (),
    scale: float | Mapping[str, float] | None = None,
    mean: PerInput | None = None,
    std: PerInput | None = None,
    layout: str | Mapping[str, str] | None = None,
    layout_out: str | None = None,
    channels: str | Mapping[str, str] | None = None,
    normalize_outside: bool = False,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    input_values: Mapping[str, float] | None = None,
    split_outputs: bool = False,
    seed: int | None = None,
    eval_samples: int | None = None,
    calibration_samples: int | None = None,
    calibration_method: str | None = None,
    max_drop: float | None = None,
    metric: str | None = None,
    task: str | None = None,
    allow_unsafe: bool = False,
    custom: Sequence[str] = (),
    fresh: bool = False,
    anyway: bool = False,
    force: bool = False,
    progress: ProgressOption = False,
) -> Bundle:
    """Compress a model into a bundle of TFLite and ONNX files.

    Args:
        model: a Keras 2 or Keras 3 model or a PyTorch module in memory, or the path of a model file; None trains the
            demo model. A module is exported as ONNX and rebuilt as layers; the sizes of its inputs are those of
            `input_shapes`, by the names of the arguments of `forward`, or of the arrays in `data`.
        data: what `--data` takes; or arrays: `(x, y)`, `(x_train, y_train, x_test, y_test)`, `((x_train, y_train),
            (x_test, y_test))`, a dictionary with these names, `tf.data` sets, or one array without labels. Without a
            test part a fixed random fifth becomes one.
        recipe: a recipe's name, a `.toml` file, or a `Recipe`.
        out: the folder to create; by default MODEL-RECIPE in the current folder.
        stages: after the recipe's: `Stage("prune", amount=0.5)`, or text as `--stage` takes it.
        scale: inputs are `(x * scale - mean) / std`; of several inputs by name. By default as the model was trained,
            else 1/255 for bytes, or 1 if the model begins with a Rescaling or Normalization of its own, or what a trial
            on labelled samples finds to be clearly better.
        mean: one number, or one a channel; of several inputs by name.
        std: as `mean`.
        layout: `NHWC` or `NCHW`, what the model expects.
        layout_out: `NHWC` or `NCHW`, what the files of a model that is rebuilt as layers take; by default channels
            are last.
        channels: `RGB` or `BGR`, what the model expects of samples stored as RGB.
        normalize_outside: move Rescaling and (Batch)Normalization of the model's start into the preprocessing.
        input_shapes: sizes with the batch, by name, of inputs that leave some open.
        input_values: of inputs that hold one number: constants from now on.
        split_outputs: give boxes and scores of a detector as outputs of their own, each with its own int8 scale.
        seed: governs everything random; by default the recipe's.
        eval_samples: test samples kept in the bundle; 0: all; by default the recipe's.
        calibration_samples: that set quantization ranges; by default the recipe's.
        calibration_method: `minmax`, `percentile` or `mse`; by default the recipe's.
        max_drop: what int8 may lose: points of accuracy, percent of an error; ranges, operators in float and training
            are tried, the cheapest first. By default int8 is made in one way, whatever that loses.
        metric: as `--metric`.
        task: as `--task`, such as `regression`, where labels and outputs do not show it.
        allow_unsafe: load Lambda layers, which run code from the model file.
        custom: classes and functions that the model needs, each `module:NAME` or `file.py:NAME`.
        fresh: start over, in place of going on where an interrupted run of the same job stopped.
        anyway: go on, and accept the bundle, where edgekit finds the model or the files worthless.
        force: replace the bundle at `out`.
        progress: True shows lines and bars on stderr; a function gets every `edgekit.Event`.

    Returns:
        The bundle; its `repr` is the table of its files.

    Raises:
        QualityError: the bundle is made, and lost too much of the model's quality; it is `error.bundle`.
        EdgekitError: what the command line would say: its class, message, hint and code.
        KeyboardInterrupt: Ctrl-C; the worker process has ended, and nothing is left half-written.

    Example:
        >>> bundle = edgekit.compress(model, (x, y), "dynamic", out="small")
        >>> [file.name for file in bundle.files]
        ['digits-float32.tflite', 'digits-dynamic.tflite', 'digits-float32.onnx']
    """
    with working(progress) as (folder, receiver):
        path = None if model is None else model_path(model, folder, data, input_shapes)
        chosen = _recipe(
            recipe, stages, seed, eval_samples, calibration_samples, calibration_method, max_drop, layout_out
        )
        chosen = replace(chosen, normalize_outside=normalize_outside or chosen.normalize_outside)
        target = Path(out) if out is not None else chosen.default_folder(path)
        (folder / "recipe.toml").write_text(chosen.to_toml(), encoding="utf-8")
        request = {
            "model": path and str(path.absolute()),
            "data": data_spec(data, folder),
            "recipe": [chosen.name, str(folder / "recipe.toml")],
            "out": str(target),
            "preprocessing": preprocessing_fields(scale=scale, mean=mean, std=std, layout=layout, channels=channels),
            "input_shapes": {name: list(map(int, sizes)) for name, sizes in (input_shapes or {}).items()},
            "input_values": {name: float(value) for name, value in (input_values or {}).items()},
            "metric": metric,
            "task": task or "",
            "allow_unsafe": allow_unsafe,
            "custom": list(custom),
            "fresh": fresh,
            "anyway": anyway,
            "split_outputs": split_outputs,
            "force": force,
        }
        result = work.run("edgekit.pipeline.worker:compress", plain_request(request), receiver, f"compress {target}")
    bundle = Bundle.of(read_bundle(target), tuple(receiver.warnings))
    if isinstance(result, dict) and result["refusal"] and not anyway:
        raise QualityError(
            result["refusal"],
            f"{result['advice']}; --anyway accepts it",
            code="quality-lost",
            bundle=bundle,
        )
    return bundle


def model_path(
    model: Any, folder: Path, data: Any = "", input_shapes: Mapping[str, Sequence[int]] | None = None
) -> Path:
    """Return the path of a model file; a model in memory is saved in `folder`: of Keras, or of PyTorch as ONNX.

    Args:
        model: in memory, or a path.
        folder: to write in.
        data: what it is used with: arrays tell the sizes of a PyTorch module's inputs.
        input_shapes: those sizes, where they are given.

    Raises:
        InputError: it is neither, or cannot be saved.
    """
    if isinstance(model, (str, Path)):
        return Path(model)
    if is_module(model):
        return exported(model, folder, data, input_shapes)
    if not callable(getattr(model, "save", None)) or not hasattr(model, "layers"):
        raise InputError(
            f"model: expected a Keras model, a PyTorch module or a path, got {type(model).__name__}",
            "give a model of Keras or PyTorch, or the path of a model file",
            code="model-wrong-type",
        )
    path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', str(model.name)) or 'model'}.keras"
    try:
        model.save(path)
    except Exception as error:  # Keras raises what it likes
        raise InputError(
            f"model: Keras cannot save it: {error}", "save it yourself and give the path", code="model-not-saved"
        ) from error
    return path


def data_spec(data: Any, folder: Path) -> str:
    """Return what `--data` takes: as it is, or arrays written to a file in `folder`."""
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


def _recipe(
    recipe: str | Path | Recipe,
    stages: Sequence[str | StageSpec],
    seed: int | None,
    eval_samples: int | None,
    calibration_samples: int | None,
    calibration_method: str | None,
    max_drop: float | None,
    layout_out: str | None,
) -> Recipe:
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(str(recipe))
    chosen = chosen.with_stages(parse_stage(stage) if isinstance(stage, str) else stage for stage in stages)
    chosen = chosen.changed(
        seed=seed,
        eval_samples=eval_samples,
        calibration_samples=calibration_samples,
        calibration_method=calibration_method,
        max_drop=max_drop,
        layout_out=layout_out,
    )
    return parse(chosen.to_toml(), chosen.name, f"recipe {chosen.name}")  # its values are checked as those of a file


def preprocessing_fields(**given: Any) -> dict[str, Any]:
    """Return fields of `Preprocessing` as the command line reads them; what is given by name stands under `inputs`."""
    fields: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping):
            for name, own in value.items():
                fields.setdefault("inputs", {}).setdefault(str(name), {})[key] = _numbers(key, own)
        elif value is not None:
            fields[key] = _numbers(key, value)
    return checked_fields(fields)


def _numbers(key: str, value: Any) -> Any:
    if key in ("layout", "channels"):
        return str(value).upper()
    several = isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str)
    try:
        return float(value) if key == "scale" else [float(number) for number in (value if several else [value])]
    except (TypeError, ValueError) as error:
        expected = "a number" if key == "scale" else "a number, or one a channel"
        raise InputError(f"`{key}`: expected {expected}, got {quoted(value)}", code="value-wrong-type") from error


def plain_request(request: Mapping[str, Any]) -> Any:
    """Return a request as JSON gives it back, so that what JSON does not take is refused here."""
    try:
        return json.loads(json.dumps(request, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"an argument is of a type that cannot be used: {error}", code="argument-wrong-type"
        ) from error
