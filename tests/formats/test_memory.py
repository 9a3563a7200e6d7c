"""How many bytes of activations are needed at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import InputError
from edgekit.formats.memory import activation_bytes, working_set
from edgekit.formats.tflite.graph import Graph, Operator, Span, Tensor
from tests.support.tiny_tflite import tiny_tflite


def graph(sizes: list[int], operators: list[tuple[list[int], list[int]]], outputs: list[int], **more: Any) -> Graph:
    dtype = more.get("dtype", "int8")
    constants = more.get("constants", ())
    tensors = tuple(
        Tensor(None, (size,), (size,), dtype, Span(0, size) if i in constants else None, ())
        for i, size in enumerate(sizes)
    )
    made = tuple(Operator(None, "ADD", tuple(a), tuple(b)) for a, b in operators)
    return Graph(tensors, (0,), tuple(outputs), made)


def test_a_chain_needs_two_neighbours() -> None:
    assert working_set(graph([10, 40, 5], [([0], [1]), ([1], [2])], [2])) == 50
    assert working_set(graph([10, 40, 5], [([0], [1]), ([1], [2])], [2], dtype="float32")) == 200


def test_a_residual_is_kept_until_it_is_added() -> None:
    chain = [([0], [1]), ([1], [2]), ([2, 0], [3])]
    assert working_set(graph([10, 40, 30, 10], chain, [3])) == 80


def test_constants_and_missing_inputs_do_not_count() -> None:
    assert working_set(graph([10, 1000, 20], [([0, 1, -1], [2])], [2], constants=(1,))) == 30


def test_outputs_stay_to_the_end() -> None:
    assert working_set(graph([10, 20, 30], [([0], [1]), ([0], [2])], [1, 2])) == 60


def test_of_a_file(tmp_path: Path) -> None:
    path = tiny_tflite(tmp_path / "a.tflite")
    found = activation_bytes(path)
    assert found is not None
    assert 16 <= found < 10_000
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError):
        activation_bytes(path)
