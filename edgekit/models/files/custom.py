"""The user's own layers and functions, from `--custom module:NAME`."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from edgekit.errors import InputError
from edgekit.files.own_code import importable, module_of_file
from edgekit.frameworks.tensorflow import has_keras3, keras3, tf_keras
from edgekit.frameworks.types import KerasObject

FORM = "write it as --custom package.module:NAME or --custom path/to/file.py:NAME"


def register(custom: Sequence[str]) -> None:
    """Import classes and functions, and let both generations of Keras find them by name.

    Args:
        custom: `package.module:NAME`, also of the current folder, or `path/to/file.py:NAME`.

    Raises:
        InputError: a module that cannot be imported, a name that is not in it, or that is no class or function.
    """
    for text in custom:
        name, item = _find(text)
        for keras in (tf_keras(), keras3()):
            keras.saving.get_custom_objects()[name] = item


def register_packaged(kinds: Sequence[str]) -> None:
    """Let Keras find registered objects under the names that a file gives them, such as `package>NAME`.

    Args:
        kinds: names in a file.
    """
    for keras in (tf_keras(), *([keras3()] if has_keras3() else [])):
        known = keras.saving.get_custom_objects()
        for kind in kinds:
            if ">" in kind and kind not in known and kind.rpartition(">")[2] in known:
                known[kind] = known[kind.rpartition(">")[2]]


def _find(text: str) -> tuple[str, KerasObject]:
    place, _, name = text.rpartition(":")
    if not place or not name:
        raise _invalid(text, "expected a module and a name in it", FORM)
    tf_keras()  # before the user's module imports TensorFlow
    module = _module(place, text)
    if not hasattr(module, name):
        raise _invalid(text, f"`{place}` has no `{name}`", FORM)
    item = getattr(module, name)
    if not inspect.isclass(item) and not inspect.isfunction(item):
        raise _invalid(text, f"`{name}` is a {type(item).__name__}, expected a class or a function", FORM)
    return name, item


def _module(place: str, text: str) -> ModuleType:
    from_file, path = place.endswith(".py") or "/" in place, Path(place).expanduser()
    if from_file and not path.is_file():
        raise _invalid(text, f"no such file {path}", FORM)
    try:
        with importable(place):
            return module_of_file(path, path.stem) if from_file else importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            raise _invalid(text, f"no module `{place}`", FORM) from error
        hint = "install it in the environment of edgekit"
        raise _invalid(text, f"`{place}` imports `{error.name}`, which is not installed", hint) from error
    except Exception as error:  # the user's code
        why = f"importing `{place}` fails: {type(error).__name__}: {error}"
        raise _invalid(text, why, f"try `python -c 'import {place}'` first") from error


def _invalid(text: str, why: str, hint: str) -> InputError:
    return InputError(f"`--custom {text}`: {why}", hint, code="custom-invalid")
