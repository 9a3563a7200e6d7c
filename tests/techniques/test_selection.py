from __future__ import annotations

import pytest

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.techniques.selection import choose
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
    assert set(choose(network(), "conv", "pruned").whole) == {"depthwise"}
    assert choose(network(), "dense", "pruned").whole == {}


@pytest.mark.parametrize(
    ("layers", "message", "hint"),
    [
        ("convs", "unknown choice of layers `convs`", "conv"),
        ("name:", "unknown choice", "name:PATTERN"),
        ("name:Conv", "matches `name:Conv`", "did you mean `conv`"),
        ("name:zzz", "matches `name:zzz`", "its layers: stem, depthwise, conv, dense, logits"),
        ("name:depthwise", "not pruned: depthwise kernels", "other layers"),
    ],
)
def test_choices_that_mean_nothing(layers: str, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        choose(network(), layers, "pruned")
    assert hint in caught.value.hint


def test_models_without_such_layers() -> None:
    keras = tf_keras()
    inputs = keras.Input((4,))
    only_dense = keras.Model(inputs, keras.layers.Dense(2, name="only")(inputs))
    with pytest.raises(InputError, match="no convolution") as caught:
        choose(only_dense, "conv", "pruned")
    assert "only" in caught.value.hint
    only_norm = keras.Model(inputs, keras.layers.BatchNormalization()(inputs))
    with pytest.raises(InputError, match="no convolution or dense layer") as caught:
        choose(only_norm, "all", "pruned")
    assert caught.value.hint
