"""Build an untrained student from a short description, for `edgekit compress --stage distill:student=FILE`.

    python benchmarks/targets/student.py 32x32x3 10 c16-b32/2-b40/2 student.keras

Blocks, separated by `-`, each followed by batch normalization and ReLU: `cN` a 3x3 convolution of N channels, `cNk5` a
5x5 one, `cNv` one without padding, `bN` a residual block of two (He et al. 2015), `bN.M` with M channels inside; `/2`
halves the resolution with the block's first convolution; `p` is 2x2 max pooling. At the end: average over the image,
and a dense layer; or `s`, a 3x3 convolution to the classes, and the average, which is one operator less; or `f`, a
dense layer of all positions.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import seed_everything, tf_keras

BLOCK = re.compile(
    r"c(?P<plain>\d+)(k(?P<size>\d))?(?P<valid>v)?(/(?P<stride>\d))?|b(?P<channels>\d+)(\.(?P<inner>\d+))?(/(?P<step>\d))?"
)


def build(shape: tuple[int, ...], classes: int, description: str) -> Any:
    """Return the tf_keras model."""
    layers = tf_keras().layers
    inputs = x = layers.Input(shape, name="image")
    for number, text in enumerate(description.split("-"), 1):
        if text == "p":
            x = layers.MaxPooling2D(name=f"pool{number}")(x)
            continue
        if text == "f":
            return _finished(inputs, layers.Dense(classes, name="logits")(layers.Flatten(name="flatten")(x)))
        if text == "s":
            x = layers.Conv2D(classes, 3, padding="same", name="scores")(x)
            return _finished(inputs, layers.GlobalAveragePooling2D(name="logits")(x))
        match = BLOCK.fullmatch(text)
        if match is None:
            raise InputError(f"`{text}` is no block", "e.g. c16, c8k5v/2, b32/2, b32.24, p, s, f")
        if match["plain"]:
            size, stride = int(match["size"] or 3), int(match["stride"] or 1)
            y = _convolution(
                x, int(match["plain"]), size, stride, f"conv{number}", "valid" if match["valid"] else "same"
            )
            x = layers.ReLU(name=f"relu{number}")(y)
            continue
        channels, stride = int(match["channels"]), int(match["step"] or 1)
        y = _convolution(x, int(match["inner"] or channels), 3, stride, f"conv{number}a")
        y = _convolution(layers.ReLU(name=f"relu{number}a")(y), channels, 3, 1, f"conv{number}b")
        if stride != 1 or x.shape[-1] != channels:
            x = _convolution(x, channels, 1, stride, f"shortcut{number}")
        x = layers.ReLU(name=f"relu{number}b")(layers.Add(name=f"add{number}")([x, y]))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return _finished(inputs, layers.Dense(classes, name="logits")(x))


def _finished(inputs: Any, logits: Any) -> Any:
    return tf_keras().Model(inputs, tf_keras().layers.Softmax(name="probabilities")(logits), name="student")


def _convolution(x: Any, channels: int, size: int, stride: int, name: str, padding: str = "same") -> Any:
    layers = tf_keras().layers
    x = layers.Conv2D(channels, size, stride, padding=padding, use_bias=False, name=name)(x)
    return layers.BatchNormalization(name=f"{name}_bn")(x)


def main(shape: str, classes: int, description: str, out: Path) -> None:
    seed_everything(0)
    model = build(tuple(map(int, shape.split("x"))), classes, description)
    model.save(out)
    print(f"{out}: {model.count_params():,} parameters")


if __name__ == "__main__":
    typer.run(main)
