"""Errors as Python says them: hints name parameters in place of command-line options, and stand in the traceback."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from edgekit.errors import EdgekitError

FLAGS = {
    "accuracy", "allow-unsafe", "anyway", "clean", "force", "fresh", "gzip", "join", "latency", "memory",
    "normalize-outside", "split-outputs", "trust-target",
}  # fmt: skip
"""Options that are switched on by being there, and off by `--no-`."""
VALUES = {
    "augment", "baseline", "benchmark-model", "budget", "cache-size", "calibration-method",
    "calibration-samples", "channels", "cool-below", "cool-timeout", "custom", "data", "dest", "effort",
    "eval-samples", "format", "governor", "host", "identity", "input-shape", "input-value", "junit", "layout",
    "layout-out", "markdown", "max-drop", "max-error", "max-growth", "max-latency", "max-latency-p90", "max-macs",
    "max-memory", "max-size", "max-slowdown", "mean", "metric", "min-accuracy", "min-samples", "min-seconds",
    "only", "out", "pin", "plot", "processes", "python", "recipe", "runtime", "runtime-wheels", "sampler",
    "samples", "sarif", "scale", "scheme", "seed", "stage", "std", "storage", "student", "study", "target",
    "task", "teacher", "threads", "time", "timeout", "trial-timeout", "trials",
}  # fmt: skip
"""Options that take a value."""
TIMES = {"cool-timeout", "min-seconds", "time", "timeout", "trial-timeout"}
"""Options whose value is a time, which Python takes in seconds."""
SEVERAL = {
    "custom": "custom",
    "only": "only",
    "input-shape": "input_shapes",
    "input-value": "input_values",
    "scheme": "schemes",
    "stage": "stages",
    "student": "students",
}
"""Options that may be given again, and the parameters that take all of them."""
RENAMED = {
    **SEVERAL, "cache-size": "cache_bytes", "cool-below": "cool_below_c", "max-latency": "max_latency_ms",
    "max-latency-p90": "max_latency_p90_ms",
    "max-memory": "max_memory_bytes", "max-size": "max_size_bytes", "time": "seconds",
}  # fmt: skip
"""Options that Python calls otherwise than by their words."""
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_QUANTITY = re.compile(r"([0-9.]+) ?(ms|s|min|m|h|)")
_OPTION = re.compile(r"--(?P<no>no-)?(?P<name>[a-z][a-z0-9-]*[a-z0-9])(?:[ =](?P<value>'[^']*'|\"[^\"]*\"|[^\s;)`]+))?")
QUOTES = "'\""
_WORDS = frozenset(["and", "are", "as", "for", "in", "is", "of", "or", "take", "takes", "to", "with"])
"""What stands behind an option in a sentence, and is no value."""
_OUT = re.compile(r"(?<!\w)-o\b")
_NUMBER = re.compile(r"-?[0-9.]+(?:e-?[0-9]+)?(?:/[0-9.]+)?")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z_=,:.]*")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def python_words(text: str) -> str:
    """Return a hint with `force=True` for `--force`, and `scale=1/255` for `--scale 1/255`.

    Whole commands (`edgekit ...`) and options of other programs stay as they are.
    """
    commands = re.split(r"((?:edgekit|ssh|adb|pip) [a-z]+ [^;]*)", text)
    said = "".join(
        part if index % 2 else _OUT.sub("`out`", _OPTION.sub(_parameter, part)) for index, part in enumerate(commands)
    )
    return re.sub(r"``(\w+)``", r"`\1`", said)  # of an option that stood in backticks already


def _parameter(match: re.Match[str]) -> str:
    name, value = match["name"], match["value"]
    parameter = RENAMED.get(name, name.replace("-", "_"))
    if name in FLAGS:
        return f"{parameter}={not match['no']}{match[0][match.end('name') - match.start() :]}"
    if name not in VALUES or match["no"]:
        return match[0]
    if value is None:
        return f"`{parameter}`"
    if value in _WORDS:
        return f"`{parameter}` {value}"
    end = value[len(value.rstrip(".,:")) :]
    if name in ("input-shape", "input-value") and "=" not in value:
        return f"{parameter}[{value.removesuffix(end)!r}]{end}"
    return f"{parameter}={_value(name, value.removesuffix(end).strip(QUOTES))}{end}"


def _value(name: str, value: str) -> str:
    if name in ("input-shape", "input-value"):
        key, _, numbers = value.rpartition("=")
        shape = f"({numbers.replace(',', ', ')}{',' * (',' not in numbers)})"
        return f"{{{key!r}: {numbers if name == 'input-value' else shape}}}"
    quantity = _QUANTITY.fullmatch(value) if name in TIMES else None
    if quantity:
        return f"{float(quantity[1]) * _SECONDS[quantity[2]]:g}"
    if name == "cool-below":
        return value.removesuffix("C")
    if name == "threads":
        return f"[{value.replace(',', ', ')}]"
    text = value if _NUMBER.fullmatch(value) or _PLACEHOLDER.fullmatch(value) else repr(value)
    return f"[{text}]" if name in SEVERAL else text


def in_python(error: EdgekitError) -> EdgekitError:
    """Say an error's message and hint in Python's words, and let a traceback show its hint and code; return it."""
    error.message, error.hint = python_words(error.message), python_words(error.hint)
    error.args = (error.message,)
    for note in (f"hint: {error.hint}" if error.hint else "", f"code: {error.code}" if error.code else ""):
        if note and note not in getattr(error, "__notes__", ()):
            error.add_note(note)
    return error


def face(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let a function of the Python face raise its errors `in_python`."""

    @functools.wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except EdgekitError as error:
            raise in_python(error)  # noqa: B904 - the same error

    return call


def as_command(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function of the Python face as the command line calls it: its errors name options."""
    plain: Callable[Arguments, Result] = inspect.unwrap(function)
    return plain
