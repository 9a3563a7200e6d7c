"""Factors and shifts that stay, as a 1x1 depthwise convolution.

A product with a constant and a sum with another are two operators with constants of one int8 step for all channels. A
depthwise convolution has a step for each channel, a shift of 32 bits, and rounds once.
"""

from __future__ import annotations

from math import prod

import numpy as np

from edgekit.export.rewrites.affine import Affine, chains, folded_by_converter
from edgekit.export.rewrites.view import View
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.keras.rebuild import Part


def to_depthwise(view: View) -> int:
    """Replace chains of factors and shifts; return how many."""
    places = 0
    for chain in chains(view):
        if folded_by_converter(view, chain) or _is_plain(chain):
            continue
        layers = _layers(chain)
        if layers is None:
            continue
        first, *others = (node.layer for node in chain.nodes)
        view.replace(first, layers)
        for layer in others:
            view.replace(layer, [])
        places += 1
    return places


def _is_plain(chain: Affine) -> bool:
    """Return whether one number says it all: int8 loses nothing then."""
    return not chain.shift.any() and len(np.unique(chain.factor.astype(np.float32))) == 1


def _layers(chain: Affine) -> list[Part] | None:
    """Return the convolution, between layers that make an image of other shapes; None for shapes that are unknown."""
    keras, name = tf_keras().layers, chain.nodes[0].layer.name
    weights = [chain.factor.astype(np.float32).reshape(1, 1, -1, 1), chain.shift.astype(np.float32)]
    convolution = Part(keras.DepthwiseConv2D(1, name=name), weights)
    shape: tuple[int, ...] = tuple(chain.input.shape)[1:]
    if len(shape) == 3:
        return [convolution]
    if None in shape:
        return None
    image = keras.Reshape((prod(shape[:-1]), 1, shape[-1]), name=f"{name}_image")
    return [Part(image), convolution, Part(keras.Reshape(shape, name=f"{name}_shape"))]
