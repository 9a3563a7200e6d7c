"""Every layer and activation of the bridge's tables, with other than default options and with random weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.layers.knowledge import LeftOut, Role, ToKeras2
from edgekit.frameworks.layers.register import LAYERS, names
from edgekit.frameworks.tensorflow import keras3
from edgekit.models.bridge.activations import RECIPES, RENAMED, TRACED
from edgekit.models.bridge.forward import bridge
from edgekit.progress import Silent
from tests.models.bridge_cases import CASES, called, check, kinds

pytestmark = pytest.mark.tensorflow


BRIDGED = {name: row.bridge for name, row in LAYERS.items() if isinstance(row.bridge, ToKeras2)}
LEFT_OUT = names(lambda row: isinstance(row.bridge, LeftOut) and row.role is Role.AUGMENTATION)


def test_every_layer_of_the_register_has_a_case() -> None:
    assert set(CASES) == set(BRIDGED) - {"InputLayer"}


@pytest.mark.parametrize("kind", CASES)
def test_a_layer(kind: str, tmp_path: Path) -> None:
    for build in CASES[kind]:
        source = build()
        # Keras 2 would refuse the saved copy of a Lambda
        bridged = bridge(source, Silent()) if kind == "Lambda" else check(source, tmp_path)
        assert (BRIDGED[kind].kind or kind) in kinds(bridged.model)
        assert {layer.name for layer in source.layers} <= {layer.name for layer in bridged.model.layers}


@pytest.mark.parametrize("group", [RENAMED, RECIPES, TRACED], ids=["renamed", "recipes", "traced"])
def test_activations(group: Iterable[str], tmp_path: Path) -> None:
    """Alone, after a layer, and in a layer that is called twice."""
    layers, names = keras3().layers, sorted(group)

    def call(x: Any) -> list[Any]:
        dense = {name: layers.Dense(6, activation=name, name=f"dense_{name}") for name in names}
        alone = [layers.Activation(name, name=f"alone_{name}")(x) for name in names]
        return (
            alone + [dense[name](x) for name in names] + [dense[name](layers.Activation("tanh")(x)) for name in names]
        )

    bridged = check(called([(4,)], call), tmp_path)
    made = [layer.name for layer in bridged.model.layers]
    assert {f"{how}_{name}" for how in ("alone", "dense") for name in names} <= set(made)
    assert len(set(made)) == len(made)


def test_every_named_activation_of_keras_3_is_covered() -> None:
    names = {n for n in dir(keras3().activations) if not n.startswith("_")} - {"get", "serialize", "deserialize"}
    assert names - {"threshold"} == {*RENAMED, *RECIPES, *TRACED}  # `threshold` cannot be used by name


def test_all_left_out_layers_do_nothing_at_inference() -> None:
    layers = keras3().layers
    x = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    options: dict[str, tuple[Any, ...]] = {
        **dict.fromkeys(("RandomElasticTransform", "RandomInvert", "RandomPerspective", "RandomErasing"), ()),
        **dict.fromkeys(("RandomFlip", "RandomGaussianBlur", "AugMix", "CutMix", "MixUp", "RandAugment"), ()),
        **{"RandomColorJitter": (), "RandomPosterization": (4,), "RandomTranslation": (0.1, 0.1)},
    }
    for kind in LEFT_OUT:
        layer = getattr(layers, kind)(*options.get(kind, (0.2,)))
        np.testing.assert_array_equal(np.asarray(layer(x, training=False)), x, err_msg=kind)
