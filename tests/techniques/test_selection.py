from __future__ import annotations

import pytest

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.techniques.selection import choose
from tests.support.raised import raised
from tests.techniques.tiny import network

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        ("all", ["stem", "conv", "dense", "logits"]),
        ("conv", ["stem", "conv"]),
        ("dense", ["dense", "logits"]),
        ("name:*on*", ["conv"]),
        ("name:[ds]*e*", ["stem", "dense"]),
        ("name:logits", ["logits"]),
    ],
)
def test_choices(layers: str, names: list[str]) -> None:
    assert [layer.name for layer in choose(network(), layers, "pruned").layers] == names


def test_what_matches_and_stays_whole_is_named() -> None:
    assert set(choose(network(), "conv", "pruned").not_pruned) == {"depthwise"}
    assert choose(network(), "dense", "pruned").not_pruned == {}


@pytest.mark.parametrize(
    ("layers", "code", "names"),
    [
        ("convs", "unknown-name", ("`convs`", "conv")),
        ("name:", "unknown-name", ("name:PATTERN",)),
        ("name:Conv", "no-layer-matches", ("`name:Conv`", "did you mean `conv`")),
        ("name:zzz", "no-layer-matches", ("`name:zzz`", "its layers: stem, depthwise, conv, dense, logits")),
        ("name:depthwise", "nothing-to-prune", ("depthwise", "other layers")),
    ],
)
def test_choices_that_mean_nothing(layers: str, code: str, names: tuple[str, ...]) -> None:
    with raised(code, *names):
        choose(network(), layers, "pruned")


def test_models_without_such_layers() -> None:
    keras = tf_keras()
    inputs = keras.Input((4,))
    only_dense = keras.Model(inputs, keras.layers.Dense(2, name="only")(inputs))
    with raised("no-layer-matches", "no convolution", "only"):
        choose(only_dense, "conv", "pruned")
    only_norm = keras.Model(inputs, keras.layers.BatchNormalization()(inputs))
    with raised("no-layer-matches", "no convolution or dense layer"):
        choose(only_norm, "all", "pruned")
