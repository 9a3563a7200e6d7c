"""The models: how each is made and trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.frameworks.tensorflow import seed_everything, tf_keras

from .data import Data, cifar, mnist, prices, windows
from .networks import (
    Layers,
    activated,
    attention,
    cancelling,
    conv1d,
    deep_residual,
    heads,
    mobile,
    mobile_v3,
    pre_activation,
    preprocessed,
    recurrent,
    regression,
    relu_bn,
    relu_bn_dense,
    residual,
    swish_dead,
)
from .spoiling import larger, massive, uneven_bottleneck, uneven_channels, uneven_scales, uneven_units

BRIGHT = slice(300, 700, 100)


@dataclass(frozen=True)
class Hard:
    """A model that int8 hurts.

    Attributes:
        data: makes the samples.
        build: from Keras's layers and an input to the outputs; of several the first is the classes.
        epochs: of training.
        spoil: changes the trained model, computing the same.
        options: for `edgekit compress`.
        rate: of learning.
    """

    data: Callable[[], Data]
    build: Callable[[Layers, Any], Any]
    epochs: int = 3
    spoil: Callable[[Any], None] = lambda model: None
    options: Sequence[str] = ()
    rate: float = 1e-3


TEN: dict[str, Hard] = {
    "relu-bn-uneven": Hard(mnist, relu_bn, 2, uneven_scales),
    "swish": Hard(mnist, swish_dead),
    "hard-swish": Hard(mnist, mobile_v3, 3, uneven_bottleneck),
    "softplus": Hard(mnist, activated("softplus"), 4),
    "mish": Hard(mnist, activated("mish")),
    "mobile-uneven": Hard(mnist, mobile, 4, uneven_channels),
    "outliers": Hard(lambda: windows(1.0, 60), conv1d(normalization=False), 8),
    "residual-wide": Hard(mnist, deep_residual, 2, massive),
    "lstm-relu": Hard(mnist, recurrent("LSTM", 32, unroll=True), 12, uneven_units, rate=4e-3),
    "regression-wide": Hard(prices, regression, 10, uneven_scales, rate=3e-3),
}
"""Those of the target."""
HARD: dict[str, Hard] = TEN | {
    "relu-bn": Hard(cifar, relu_bn, 4),
    "relu-bn-dense": Hard(mnist, relu_bn_dense, 3, uneven_scales),
    "pre-activation": Hard(mnist, pre_activation, 2),
    "selu": Hard(mnist, activated("selu")),
    "elu": Hard(mnist, activated("elu")),
    "uneven-inputs": Hard(windows, conv1d(normalization=True), 8, options=("--normalize-outside",)),
    "residual": Hard(mnist, residual, 2),
    "cancelling": Hard(mnist, cancelling, 2, larger),
    "swish-plain": Hard(mnist, activated("swish")),
    "lstm-loop": Hard(mnist, recurrent("LSTM")),
    "gru-relu": Hard(mnist, recurrent("GRU")),
    "rnn-relu": Hard(mnist, recurrent("SimpleRNN")),
    "preprocessed": Hard(lambda: mnist(scale=1.0), preprocessed),
    "attention": Hard(mnist, attention, 4),
    "heads": Hard(mnist, heads),
}


def trained(name: str, folder: Path) -> Any:
    """Return the model of a name, trained before or now; its data lies beside it."""
    keras, path, hard = tf_keras(), folder / "model.h5", HARD[name]
    if path.exists():
        return keras.models.load_model(path, compile=False)
    folder.mkdir(parents=True, exist_ok=True)
    seed_everything(0)
    x, y, xt, yt = hard.data()
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, hard.build(keras.layers, inputs), name=name.replace("-", "_"))
    several = len(model.outputs) > 1
    loss = "sparse_categorical_crossentropy" if y.dtype == np.int64 else "mae"
    model.compile(keras.optimizers.Adam(hard.rate), [loss, *["mse"] * (len(model.outputs) - 1)])
    others = [x.reshape(len(x), -1)[:, BRIGHT] * np.float32(5)]
    model.fit(x, [y, *others] if several else y, epochs=hard.epochs, batch_size=64, verbose=0)
    hard.spoil(model)
    values = {"x_train": x, "x_test": xt}
    if several:
        amounts = xt.reshape(len(xt), -1)[:, BRIGHT] * np.float32(5)
        values |= {"y_train/classes": y, "y_test/classes": yt, "y_train/amounts": others[0], "y_test/amounts": amounts}
    else:
        values |= {"y_train": y, "y_test": yt}
    np.savez(folder / "data.npz", **values)
    model.save(path)
    return model
