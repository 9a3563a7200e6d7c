"""A pytest plugin: `--quick` runs the tests that need neither TensorFlow nor processes, and holds them to it."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

import pytest

LEFT_OUT = ("tensorflow", "e2e", "board", "processes", "browser")
"""Markers of the tests that a quick run leaves out."""
PROCESS_FIXTURES = {"edgekit", "home"}
"""Fixtures whose tests start processes: the command line, and the shell of a board."""
HEAVY = {"tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "tf2onnx"}


class Refused(importlib.abc.Loader):
    """Loads nothing."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        raise AssertionError(f"a quick test imports {spec.name}: mark it `tensorflow`")

    def exec_module(self, module: ModuleType) -> None:
        raise NotImplementedError


class NoTensorFlow(importlib.abc.MetaPathFinder):
    """Finds TensorFlow and its kind where they are installed, so that one can ask for them, and does not load them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in HEAVY:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None:
            spec.loader = Refused()
        return spec


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help=f"leave out {', '.join(LEFT_OUT)}; refuse TensorFlow")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        sys.meta_path.insert(0, NoTensorFlow())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if PROCESS_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.processes)
    if config.getoption("--quick"):
        slow = [item for item in items if any(item.get_closest_marker(name) for name in LEFT_OUT)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in set(slow)]
