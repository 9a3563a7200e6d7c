"""Models made to quantize better before they are quantized, while they compute the same in float.

registry.py     the rewrites in their order: one line each
apply.py        applies them, proves each equal on samples, drops those that are not
view.py         what a rewrite sees of a model: layers, who reads what; and how it makes another
affine.py       layers that compute factor * x + shift per channel
scaling.py      factors and shifts taken into the weights of a neighbour
behind.py       scales behind an activation into the layer before it
ahead.py        factors and shifts into the layers that read them
depthwise.py    factors and shifts that stay, as a 1x1 depthwise convolution
equalize.py     channels made alike in range before depthwise convolutions
activations.py  activations whose parts would have unbounded values
trained.py      what of this is done to models trained with fake quantization
"""
