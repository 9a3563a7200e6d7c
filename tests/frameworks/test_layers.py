"""The register of layers: every class of Keras has a row, and every answer can be bound by its room, or holds true."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from typing import Any

import pytest

from edgekit.export.rewrites import affine
from edgekit.frameworks.layers.knowledge import (
    Handling,
    Int8,
    LayerKnowledge,
    LeftOut,
    Loop,
    No,
    Role,
    Sparse,
    ToKeras2,
    ToKeras3,
)
from edgekit.frameworks.layers.register import LAYERS, SUBJECTS, names, of_role
from edgekit.frameworks.tensorflow import keras3, tf_keras, tfmot
from edgekit.models.bridge import layers as forward
from edgekit.models.bridge import unbridge_layers as backward
from edgekit.models.files.gate import symbols
from edgekit.techniques import qat_preflight
from edgekit.techniques.channels import rules

UNNAMED = {"SyncBatchNormalization"}
"""Of Keras 2, without a name below `keras.layers`."""


def modules(generation: int) -> list[tuple[Any, frozenset[str]]]:
    """Return where layers of a generation are: modules, with the classes of `keras.applications` that have no name."""
    keras = keras3() if generation == 3 else tf_keras()
    listed = {name for name, item in vars(keras.layers).items() if inspect.isclass(item)}
    others = symbols.OTHERS_3 if generation == 3 else symbols.OTHERS_2
    places = [(importlib.import_module(name), classes) for name, classes in others.items()]
    return [(keras.layers, frozenset(listed)), *places]


def classes(generation: int) -> dict[str, Any]:
    keras = keras3() if generation == 3 else tf_keras()
    items = [getattr(module, name) for module, listed in modules(generation) for name in listed]
    return {item.__name__: item for item in items if issubclass(item, keras.layers.Layer)}


@pytest.mark.tensorflow
@pytest.mark.parametrize("generation", [2, 3])
def test_every_class_of_keras_has_a_row(generation: int) -> None:
    """A new Keras brings new layers: answer for them in `edgekit.frameworks.layers`."""
    rows = {name for name, row in LAYERS.items() if generation in row.keras} - UNNAMED
    assert set(classes(generation)) == rows


def test_no_answer_has_a_default() -> None:
    """A row that leaves out an answer is a TypeError when the register is imported."""
    for field in dataclasses.fields(LayerKnowledge):
        assert field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING, field.name


def test_no_class_has_two_rows() -> None:
    assert len(LAYERS) == sum(len(subject.ROWS) for subject in SUBJECTS)


def test_every_reason_is_given() -> None:
    for name, row in LAYERS.items():
        for field in dataclasses.fields(row):
            answer = getattr(row, field.name)
            assert not isinstance(answer, No) or answer.why, f"{name}: {field.name}"


@pytest.mark.parametrize(
    ("room", "wanted"),
    [
        (forward.BUILDERS, {r.bridge.build for r in LAYERS.values() if isinstance(r.bridge, ToKeras2)}),
        (backward.BUILDERS, {r.back.build for r in LAYERS.values() if isinstance(r.back, ToKeras3)}),
        (rules.FLOWS, {r.channels for r in LAYERS.values() if isinstance(r.channels, str)}),
        (qat_preflight.REWRITES, {r.qat.rewrite for r in LAYERS.values()}),
        (affine.LAYERS, {r.export.affine for r in LAYERS.values()}),
    ],
    ids=["bridge", "back", "channels", "quantization-aware training", "affine"],
)
def test_every_named_function_is_bound_and_used(room: dict[str, Any], wanted: set[str]) -> None:
    assert set(room) == wanted - {""}


@pytest.mark.tensorflow
def test_keras_2_has_what_the_bridge_makes_and_keras_3_what_comes_back() -> None:
    for name, row in LAYERS.items():
        if isinstance(row.bridge, ToKeras2):
            assert hasattr(tf_keras().layers, row.bridge.kind or name), name
        if isinstance(row.back, ToKeras3):
            assert row.keras == (2, 3), name


@pytest.mark.tensorflow
def test_what_is_simulated_is_what_tfmot_knows() -> None:
    registry = tfmot().quantization.keras.default_8bit.Default8BitQuantizeRegistry()
    supported = {kind.__name__ for kind in registry._layer_quantize_map}
    assert supported - {"Conv2DTranspose"} == set(names(lambda row: row.qat.handling is Handling.TRAINED))


@pytest.mark.parametrize("generation", [2, 3])
@pytest.mark.tensorflow
def test_the_allow_list_agrees(generation: int) -> None:
    """The gate keeps a list of its own, by every public name; it and the register must say the same."""
    listed, others = (symbols.LAYERS_2, symbols.OTHERS_2) if generation == 2 else (symbols.LAYERS_3, symbols.OTHERS_3)
    keras = tf_keras() if generation == 2 else keras3()
    allowed = {getattr(keras.layers, name).__name__ for name in listed} | set().union(*others.values())
    assert allowed == {name for name, row in LAYERS.items() if generation in row.keras and row.file is True}


def test_answers_fit_each_other() -> None:
    for name, row in LAYERS.items():
        if isinstance(row.sparse, Sparse):
            assert row.sparse.kernel in row.kernels, name
        if row.role is Role.RECURRENT:
            assert row.loop is not Loop.NONE and isinstance(row.back, ToKeras3) and row.back.joined_states, name
        if isinstance(row.bridge, No):
            assert row.export.int8 in (Int8.UNTRIED, Int8.INSIDE, Int8.YES), name
        if row.qat.kernel:
            assert row.kernels and row.qat.handling is Handling.TRAINED, name


@pytest.mark.tensorflow
def test_kernels_are_weights_of_the_layer() -> None:
    """Each named kernel is made by some layer of Keras 2 when it is built."""
    keras = tf_keras()
    shapes = {"1D": (1, 8, 4), "2D": (1, 8, 8, 4), "3D": (1, 8, 8, 8, 4)}
    for name in (*of_role(Role.DENSE), *(n for n in LAYERS if "Conv" in n and "LSTM" not in n)):
        options: dict[str, Any] = {"units": 2} if name == "Dense" else {"kernel_size": 3}
        if not name.startswith(("Dense", "Depthwise")):
            options["filters"] = 2
        layer = getattr(keras.layers, name)(**options)
        layer.build(shapes.get(name.removesuffix("Transpose")[-2:], (1, 4)))
        made = {str(weight.name).rpartition("/")[2].partition(":")[0] for weight in layer.weights} - {"bias"}
        assert made == set(LAYERS[name].kernels), name


def test_left_out_layers_act_in_training_only() -> None:
    for name, row in LAYERS.items():
        if isinstance(row.bridge, LeftOut):
            assert row.role is Role.AUGMENTATION and row.acts == "in training only", name
