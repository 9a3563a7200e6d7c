"""Calls of functional models: their order, and graphs that have none."""

from __future__ import annotations

import random
from typing import Any

import pytest

from edgekit.models.files.gate.graph import GraphError, ordered


def entry(name: str = "in") -> dict[str, Any]:
    return {"class_name": "InputLayer", "name": name, "config": {"name": name}, "inbound_nodes": []}


def dense(name: str, *calls: Any) -> dict[str, Any]:
    return {"class_name": "Dense", "name": name, "config": {"name": name}, "inbound_nodes": list(calls)}


def tensor(generation: int, layer: str, index: int = 0) -> Any:
    if generation == 2:
        return [layer, index, 0, {}]
    return {"class_name": "__keras_tensor__", "config": {"shape": [None, 4], "keras_history": [layer, index, 0]}}


def call(generation: int, *inputs: Any) -> Any:
    return list(inputs) if generation == 2 else {"args": [list(inputs)], "kwargs": {}}


def model(layers: list[dict[str, Any]], last: str, index: int = 0) -> dict[str, Any]:
    return {"name": "m", "layers": layers, "input_layers": [["in", 0, 0]], "output_layers": [[last, index, 0]]}


def names(layers: list[dict[str, Any]]) -> list[str]:
    return [layer["name"] for layer in layers]


both = pytest.mark.parametrize("generation", [2, 3])


@both
def test_what_keras_writes_stays_as_it_is(generation: int) -> None:
    def t(name: str, index: int = 0) -> Any:
        return call(generation, tensor(generation, name, index))

    # A shared layer is called a second time on what comes behind it.
    layers = [
        entry(),
        dense("shared", t("in"), t("between")),
        dense("between", t("shared")),
        dense("last", t("shared", 1)),
    ]
    assert ordered(model(layers, "last"), generation) == layers


@both
def test_layers_in_any_order_are_put_right(generation: int) -> None:
    chain = [
        entry(),
        *(dense(f"d{i}", call(generation, tensor(generation, f"d{i - 1}" if i else "in"))) for i in range(50)),
    ]
    shuffled = chain[:]
    random.Random(0).shuffle(shuffled)
    assert names(ordered(model(shuffled, "d49"), generation)) == names(chain)


@both
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("circle", "in a circle: `a`, `b`"),
        ("itself", "in a circle: `a`"),
        ("missing", "no layer `nobody`"),
        ("twice", "two layers are called `a`"),
        ("beyond", "no call number 7"),
        ("constant", "called without a tensor"),
        ("never", "is never called"),
    ],
)
def test_graphs_without_an_order(generation: int, kind: str, why: str) -> None:
    def t(name: str, index: int = 0) -> Any:
        return call(generation, tensor(generation, name, index))

    constant = (
        [["_CONSTANT_VALUE", -1, "path", {"contents": "x"}]] if generation == 2 else {"args": [1.0], "kwargs": {}}
    )
    layers = {
        "circle": [dense("a", t("b")), dense("b", t("a"))],
        "itself": [dense("a", t("a"))],
        "missing": [dense("a", t("nobody"))],
        "twice": [dense("a", t("in")), dense("a", t("in"))],
        "beyond": [dense("b", t("in")), dense("a", t("b", 7))],
        "constant": [dense("a", constant)],
        "never": [dense("b"), dense("a", t("b"))],
    }[kind]
    with pytest.raises(GraphError, match=why):
        ordered(model([entry(), *layers], "a"), generation)


def test_a_constant_beside_a_tensor_is_what_one_minus_x_is() -> None:
    node = [["_CONSTANT_VALUE", -1, 1.0, {"y": ["in", 0, 0], "name": None}]]
    layers = [entry(), {**dense("minus", node), "class_name": "TFOpLambda"}]
    assert ordered(model(layers, "minus"), 2) == layers


def test_a_constant_that_looks_like_a_reference_is_a_number() -> None:
    node = [["_CONSTANT_VALUE", -1, [[1.0, 2.0]], {"axis": 1}], ["in", 0, 0, {}]]
    assert len(ordered(model([entry(), dense("concat", node)], "concat"), 2)) == 2


def test_models_count_the_call_that_made_them() -> None:
    inner = {"class_name": "Functional", "name": "inner", "config": {"name": "inner", "layers": [entry()]}}
    inner["inbound_nodes"] = [[["in", 0, 0, {}]]]
    layers = [entry(), inner, dense("last", [["inner", 1, 0, {}]])]
    assert ordered(model(layers, "last"), 2) == layers
    with pytest.raises(GraphError, match="no call number 0"):
        ordered(model([entry(), inner, dense("last", [["inner", 0, 0, {}]])], "last"), 2)
