"""edgekit: from a trained model to int8 files for a phone or a small board, measured.

    >>> import edgekit
    >>> bundle = edgekit.compress("model.keras", "my.npz", "int8")  # doctest: +SKIP
    >>> edgekit.bench(bundle, target="rpi4", host="pi@10.0.0.7")  # doctest: +SKIP

Functions take the same parameters as the commands. What is exported here is the Python face; nothing else is promised
to stay. Everything is imported when it is first asked for: `edgekit --help` does without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgekit.processes.telemetry import switch_off
from edgekit.version import __version__

if TYPE_CHECKING:
    from edgekit.api.checking import Gate, check
    from edgekit.api.comparing import compare
    from edgekit.api.comparison import Comparison
    from edgekit.api.compression import compress
    from edgekit.api.files import inspect, load_bundle, load_record, push
    from edgekit.api.histories import History, history
    from edgekit.api.measurement import bench
    from edgekit.api.names import Stage, doctor, explain, find_target, init, list_recipes, list_targets, load_recipe
    from edgekit.api.reports import Report, report
    from edgekit.api.results import Bundle, BundleFile, Ledger
    from edgekit.api.rows import Record
    from edgekit.api.schemas import json_schema
    from edgekit.api.search import FrontPoint, Search, search
    from edgekit.api.sensitivity import Sensitivity, sensitivity
    from edgekit.api.training import train
    from edgekit.bundle.recipe import Recipe
    from edgekit.devices.target import Target
    from edgekit.errors import (
        ChanceError,
        ConnectionFailed,
        ConversionError,
        EdgekitError,
        InputError,
        MissingExtraError,
        OutputError,
        QualityError,
        RunnerCrashed,
        RunnerError,
        RunnerTimeout,
        TargetError,
        TargetTimeout,
    )
    from edgekit.progress import Counted, Event, Notice, Warned
    from edgekit.reporting.rows import Row
    from edgekit.tasks.metrics import Score

_FROM = {
    "edgekit.api.checking": ("Gate", "check"),
    "edgekit.api.comparing": ("compare",),
    "edgekit.api.comparison": ("Comparison",),
    "edgekit.api.compression": ("compress",),
    "edgekit.api.files": ("inspect", "load_bundle", "load_record", "push"),
    "edgekit.api.histories": ("History", "history"),
    "edgekit.api.measurement": ("bench",),
    "edgekit.api.names": (
        "Stage", "doctor", "explain", "find_target", "init", "list_recipes", "list_targets", "load_recipe",
    ),
    "edgekit.api.reports": ("Report", "report"),
    "edgekit.api.results": ("Bundle", "BundleFile", "Ledger"),
    "edgekit.api.rows": ("Record",),
    "edgekit.api.schemas": ("json_schema",),
    "edgekit.api.search": ("FrontPoint", "Search", "search"),
    "edgekit.api.sensitivity": ("Sensitivity", "sensitivity"),
    "edgekit.reporting.rows": ("Row",),
    "edgekit.api.training": ("train",),
    "edgekit.bundle.recipe": ("Recipe",),
    "edgekit.devices.target": ("Target",),
    "edgekit.errors": (
        "ChanceError", "ConnectionFailed", "ConversionError", "EdgekitError", "InputError", "MissingExtraError",
        "OutputError", "QualityError", "RunnerCrashed", "RunnerError", "RunnerTimeout", "TargetError", "TargetTimeout",
    ),
    "edgekit.progress": ("Counted", "Event", "Notice", "Warned"),
    "edgekit.tasks.metrics": ("Score",),
}  # fmt: skip
_MODULES = {name: module for module, names in _FROM.items() for name in names}

__all__ = [  # noqa: RUF022 - functions, results, errors
    "__version__",
    "bench", "check", "compare", "compress", "doctor", "explain", "find_target", "history", "init", "inspect",
    "json_schema", "list_recipes", "list_targets", "load_bundle", "load_record", "load_recipe", "push", "report",
    "search", "sensitivity", "train",
    "Bundle", "BundleFile", "Comparison", "Counted", "Event", "FrontPoint", "Gate", "History", "Ledger", "Notice",
    "Recipe", "Record", "Report", "Row", "Score", "Search", "Sensitivity", "Stage", "Target", "Warned",
    "ChanceError", "ConnectionFailed", "ConversionError", "EdgekitError", "InputError", "MissingExtraError",
    "OutputError", "QualityError", "RunnerCrashed", "RunnerError", "RunnerTimeout", "TargetError", "TargetTimeout",
]  # fmt: skip

switch_off()


def __getattr__(name: str) -> Any:
    """Import what is exported when it is first asked for."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'edgekit' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the exported names."""
    return sorted(__all__)
