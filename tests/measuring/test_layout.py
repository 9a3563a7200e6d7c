"""Data with channels first for files of bundles whose model had them first, too."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekit.data.dataset import Dataset
from edgekit.measuring.candidates import Candidate, _channels_first
from edgekit.measuring.preprocessing import with_axes_of
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import NamedArrays
from edgekit.tasks.tensors import TensorSpec


def candidate(*shapes: tuple[int, ...], first: tuple[str, ...] = (), layout: str = "NHWC") -> Candidate:
    inputs = tuple(TensorSpec(f"x{i}", (1, *shape), "float32", None, None) for i, shape in enumerate(shapes))
    subject: Any = SimpleNamespace(name="a.tflite")
    how = Preprocessing(layout=layout)
    return Candidate(subject, Path("a.tflite"), how, inputs, (), None, None, channels_first=frozenset(first))


def taken(x: Any, file: Candidate) -> Any:
    found = with_axes_of(Dataset("d", x, None, x, None, ()), file)
    assert found is not None
    return found.x_test


@pytest.mark.parametrize(
    "given, file, stored",
    [
        ((3, 4, 5), candidate((4, 5, 3), first=("x0",)), (4, 5, 3)),
        ((4, 5, 3), candidate((4, 5, 3), first=("x0",)), (4, 5, 3)),
        ((3, 4, 5), candidate((4, 5, 3)), (3, 4, 5)),  # nothing says that these are channels
        ((3, 4, 5), candidate((3, 4, 5), layout="NCHW"), (4, 5, 3)),
        ((4, 5, 3), candidate((3, 4, 5), layout="NCHW"), (4, 5, 3)),
        ((2, 7), candidate((7, 2), first=("x0",)), (7, 2)),
    ],
)
def test_channels_are_put_last(given: tuple[int, ...], file: Candidate, stored: tuple[int, ...]) -> None:
    x = np.arange(2 * np.prod(given)).reshape(2, *given)
    found = taken(x, file)
    assert found.shape == (2, *stored)
    assert np.array_equal(found, x if stored == given else np.moveaxis(x, 1, -1))


def test_several_inputs_are_moved_by_name() -> None:
    x = NamedArrays({"x1": np.zeros((2, 3, 4, 5)), "x0": np.zeros((2, 6))})
    found = taken(x, candidate((6,), (4, 5, 3), first=("x1",)))
    assert [array.shape for array in found.arrays] == [(2, 4, 5, 3), (2, 6)]


def test_a_manifest_says_which_channels_were_first() -> None:
    manifest: Any = SimpleNamespace(lineage=[{"step": "load", "channels_last": {"x0": [0, 2, 3, 1]}}, {"step": "x"}])
    assert _channels_first(manifest) == {"x0"}
    assert _channels_first(SimpleNamespace(lineage=[{"channels_last": "x0"}])) == frozenset()  # type: ignore[arg-type]
