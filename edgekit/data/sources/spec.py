"""What stands behind `--data`: a path with options, or a function."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from edgekit.errors import InputError
from edgekit.files.opening import check_readable, exists, expanded, kind
from edgekit.progress import SILENT, Progress
from edgekit.schema.toml import nearest

_FUNCTION = re.compile(r"(?P<place>[^:?]+):(?P<name>[A-Za-z_]\w*)")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class PathSpec:
    """A path, and the options behind its question mark."""

    path: Path
    options: Mapping[str, str] = field(default_factory=dict)

    def allow(self, *keys: str) -> None:
        """Raise `InputError` if there is another option, and name the nearest of these."""
        for key in self.options:
            if key not in keys:
                hint = nearest(key, keys) if keys else "nothing can be chosen for this kind of data"
                raise InputError(f"--data {self.path}: unknown option `{key}`", hint, code="unknown-name")

    def share(self, key: str, default: float) -> float:
        """Return an option between 0 and 1."""
        text = self.options.get(key)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 < value < 1:
            raise InputError(
                f"--data {self.path}: option `{key}` is {text}",
                "expected a number between 0 and 1, such as 0.2",
                code="data-option-invalid",
            )
        return value

    def choice(self, key: str, known: Sequence[str]) -> str:
        """Return an option that is one of some words; the first of them is the default."""
        text = self.options.get(key, known[0])
        if text not in known:
            raise InputError(
                f"--data {self.path}: option `{key}` is {text}", nearest(text, known), code="data-option-invalid"
            )
        return text

    def size(self, key: str) -> tuple[int, int] | None:
        """Return an option such as `96x128`, height and width."""
        text = self.options.get(key)
        if text is None:
            return None
        match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
        if not match:
            raise InputError(
                f"--data {self.path}: option `{key}` is {text}",
                "expected height and width, such as 96x128",
                code="data-option-invalid",
            )
        return int(match[1]), int(match[2])


@dataclass(frozen=True)
class Request:
    """Data that are asked for.

    Attributes:
        typed: what stands behind `--data`.
        sample_shape: what the model takes, without batch; None where open or unknown.
        progress: notified of slow steps.
    """

    typed: str
    sample_shape: tuple[int | None, ...] | None = None
    progress: Progress = SILENT

    @cached_property
    def spec(self) -> PathSpec:
        """Path and options, if it is a path."""
        return path_spec(self.typed)

    @property
    def path(self) -> Path:
        """The path, if it is one."""
        return self.spec.path

    @cached_property
    def there(self) -> str:
        """What the path leads to, `a file`, `a folder` or another; empty: nothing.

        Raises:
            InputError: it cannot be looked at.
        """
        check_readable(self.path)
        return kind(self.path)


def path_spec(spec: str) -> PathSpec:
    """Read `PATH` or `PATH?key=value&key=value`; what exists under the whole name is that.

    Raises:
        InputError: an option has no `=`, or is given twice; or no file can have the name.
    """
    whole = expanded(spec)
    if "?" not in spec or exists(whole):
        return PathSpec(_given(spec, whole))
    path, _, query = spec.rpartition("?")
    options: dict[str, str] = {}
    for part in query.split("&"):
        key, equals, value = part.partition("=")
        if not equals or unquote(key) in options:
            raise InputError(
                f"--data {spec}: cannot read the option `{part}`",
                "expected KEY=VALUE, such as file.csv?target=price&test=0.2",
                code="data-option-invalid",
            )
        options[unquote(key)] = unquote(value)
    return PathSpec(_given(path, expanded(path)), options)


def _given(typed: str, path: Path) -> Path:
    if not typed:
        raise InputError(
            "`--data` is empty", "give a known name, a file, a folder, or file.py:function", code="data-not-found"
        )
    return path


def function_spec(spec: str) -> tuple[str, str] | None:
    """Return file or module and function of `file.py:function` or `package.module:function`; None if it is neither."""
    match = _FUNCTION.fullmatch(spec)
    if not match or exists(Path(spec)):
        return None
    place = match["place"]
    return (place, match["name"]) if place.endswith(".py") or _MODULE.fullmatch(place) else None
