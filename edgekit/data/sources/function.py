"""`--data package.module:function` or `file.py:function`: data that the user's own code makes."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edgekit.data.sources.holdout import complete
from edgekit.data.sources.raw import Loose, Part, Raw, arrange, known_keys
from edgekit.data.sources.spec import Request, function_spec
from edgekit.data.sources.stream import is_tf_data, spooled
from edgekit.errors import EdgekitError, InputError
from edgekit.files.opening import expanded, kind
from edgekit.files.own_code import importable, module_of_file
from edgekit.frameworks.tensorflow import set_environment
from edgekit.schema.toml import nearest
from edgekit.tasks.samples import Array

SHAPES = (
    "give a dictionary with x_train, y_train, x_test, y_test; a tuple of these four; ((x_train, y_train), "
    "(x_test, y_test)); (x, y); one tf.data.Dataset or (train, test) of them; or one array without labels"
)


def takes(request: Request) -> bool:
    """Return whether it names a function, also one with options or a file without one (see `registry.Source`)."""
    if function_spec(request.typed) is not None or function_spec(str(request.path)) is not None:
        return True
    return request.path.suffix == ".py" and request.there == "a file"


def raw(request: Request) -> Raw:
    """Call a function without arguments and return the data it gives.

    It may return what `SHAPES` says. A missing test part is held out; `tf.data` is streamed to the disk.

    Args:
        request: `file.py:function`, or `package.module:function` that can be imported from the current folder. Its
            sample shape tells whether a `tf.data` set is batched.

    Raises:
        InputError: there is no such function, it fails, or it returns something else.
    """
    named = function_spec(request.typed)
    if named is None:
        request.spec.allow()
        raise InputError(
            f"--data {request.typed}: is a Python file",
            f"name a function in it: --data {request.typed}:load",
            code="function-not-named",
        )
    source = f"--data {request.typed}"
    return complete(loose_of(_called(*named, source), source, request.sample_shape), source)


def loose_of(given: Any, source: str, sample_shape: tuple[int | None, ...] | None = None) -> Loose:
    """Return data that Python code gave in one of the forms of `SHAPES`; a test part may be missing.

    Args:
        given: the data.
        source: where they are from, for messages.
        sample_shape: what the model takes, without batch: tells whether a `tf.data` set is batched.

    Raises:
        InputError: they have another form.
    """
    if is_tf_data(given):
        return Loose(*spooled(given, source, sample_shape))
    if isinstance(given, Mapping):
        return _of_mapping(given, source)
    if isinstance(given, (tuple, list)):
        if len(given) == 4:
            return _checked(*(_part(p, source) for p in given), source=source)
        if len(given) == 2 and all(is_tf_data(part) for part in given):
            (x, y), (x_test, y_test) = (spooled(part, source, sample_shape) for part in given)
            return _checked(x, y, x_test, y_test, source=source)
        if len(given) == 2 and all(isinstance(part, (tuple, list)) and len(part) == 2 for part in given):
            (x, y), (x_test, y_test) = given
            return _checked(*(_part(p, source) for p in (x, y, x_test, y_test)), source=source)
        if len(given) == 2 and all(isinstance(part, (np.ndarray, Mapping)) or _is_several(part) for part in given):
            return Loose(_given_part(given[0], source), _given_part(given[1], source))
    if isinstance(given, np.ndarray):
        return Loose(_array(given, source), None)
    kind = type(given).__name__ + (f" of {len(given)}" if isinstance(given, (tuple, list)) else "")
    raise InputError(
        f"{source}: returned {'nothing' if given is None else kind}", SHAPES, code="function-result-invalid"
    )


class _Relay(io.TextIOBase):
    """What is written goes to stderr, which the user's code can close only in name."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _called(place: str, name: str, source: str) -> Any:
    # What the function prints is not part of edgekit's output.
    set_environment()
    if place.endswith(".py"):
        _check_file(place, source)
    with importable(place), contextlib.redirect_stdout(_Relay()):
        module = _imported(place, source)
        function = _explained(lambda: getattr(module, name, None), source, f"reading {name}", None)
        if not callable(function):
            offered = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
            raise InputError(
                f"{source}: `{place}` has no function `{name}`",
                nearest(name, offered) if offered else "",
                code="unknown-name",
            )
        return _explained(function, source, f"{name}()", getattr(module, "__file__", None))


def _imported(place: str, source: str) -> ModuleType:
    if not place.endswith(".py"):
        try:
            known = importlib.util.find_spec(place.partition(".")[0]) is not None
        except (ImportError, ValueError):  # such as __main__
            known = False
        if not known:
            raise InputError(
                f"{source}: no module `{place}`",
                "it is looked for in the current folder and in this Python",
                code="data-not-found",
            )
        module: ModuleType = _explained(lambda: importlib.import_module(place), source, f"importing {place}", None)
        return module
    path = expanded(place)
    # A name of its own, so that a file called numpy.py is not taken for another module.
    title = f"edgekit_data_{path.stem}"
    sys.modules.pop(title, None)
    loaded: ModuleType = _explained(lambda: module_of_file(path, title), source, f"importing {place}", str(path))
    return loaded


def _check_file(place: str, source: str) -> None:
    found = kind(expanded(place))
    if found != "a file":
        why = f"is {found}, expected a file" if found else "no such file"
        raise InputError(
            f"{source}: {place}: {why}",
            "give FILE.py:FUNCTION, as written by edgekit init",
            code="not-a-file" if found else "file-missing",
        )


def _explained(call: Callable[[], Any], source: str, doing: str, file: str | None) -> Any:
    try:
        return call()
    except EdgekitError:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the user's code may raise what it likes
        last = traceback.format_exception_only(error)[-1].strip()
        where = _line_of(error, file)
        raise InputError(
            f"{source}: {doing} failed: {last}{where}",
            "call it in Python to see the whole error",
            code="function-failed",
        ) from error


def _line_of(error: BaseException, file: str | None) -> str:
    """Return ` (file:line)`: the last line in the user's file, else the last that is not the import system's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}:{error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    outside = [f for f in frames if f.filename != __file__ and "importlib" not in f.filename]
    own = [f for f in outside if file and Path(f.filename) == Path(file)] or outside
    return f" ({own[-1].filename}:{own[-1].lineno})" if own else ""


def _checked(x: Part | None, y: Part | None, x_test: Part | None, y_test: Part | None, *, source: str) -> Loose:
    if x is None or x_test is None:
        raise InputError(
            f"{source}: returned None for x_{'train' if x is None else 'test'}", SHAPES, code="function-result-invalid"
        )
    if (y is None) != (y_test is None):
        raise InputError(
            f"{source}: returned labels for one part only", "label both parts, or neither", code="array-missing"
        )
    return Loose(x, y, x_test, y_test)


def _of_mapping(given: Mapping[Any, Any], source: str) -> Loose:
    arrays: dict[str, Array] = {}
    for key, value in given.items():
        if not isinstance(key, str) or not known_keys([key]):
            raise InputError(f"{source}: returned the unknown key `{key}`", SHAPES, code="function-result-invalid")
        if isinstance(value, Mapping):
            arrays |= {f"{key}/{inner}": _array(array, source) for inner, array in value.items()}
        elif value is not None:
            arrays[key] = _array(value, source, str if key == "class_names" else None)
    return arrange(arrays, source)


def _part(value: Any, source: str) -> Part | None:
    return None if value is None else _given_part(value, source)


def _is_several(value: Any) -> bool:
    """Return whether it is a list of arrays of several inputs or outputs: as many samples each, of other shapes."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, np.ndarray) and item.ndim for item in value):
        return False
    return len({len(item) for item in value}) == 1 and len({item.shape for item in value}) > 1


def _given_part(value: Any, source: str) -> Part:
    if _is_several(value):
        return {str(index): array for index, array in enumerate(value)}
    if isinstance(value, Mapping):
        return {str(name): _array(array, source) for name, array in value.items()}
    return _array(value, source)


def _array(value: Any, source: str, dtype: type | None = None) -> Array:
    try:
        array = value if isinstance(value, np.ndarray) and dtype is None else np.asarray(value, dtype)
    except Exception as error:  # a value may have an __array__ of its own
        raise InputError(
            f"{source}: returned {type(value).__name__}, which is no array: {error}",
            SHAPES,
            code="function-result-invalid",
        ) from error
    if array.dtype.hasobject:
        raise InputError(
            f"{source}: returned an array of Python objects, from {type(value).__name__}",
            "samples of one shape make a numeric array",
            code="array-not-numbers",
        )
    return array
