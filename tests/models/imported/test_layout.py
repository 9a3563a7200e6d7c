"""Where the channels of rebuilt models are: found in the graph, last or first as asked, no transpose that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.models.imported.lowering.layout import channels_of
from tests.models.imported.nets import Net, graph_in, proved, rebuilt

pytestmark = pytest.mark.tensorflow


def image(channels: int, size: tuple[int, int] = (6, 8)) -> Net:
    """From an image, scaled, to an image of two channels."""
    net = Net()
    x = net.op("Mul", net.input("x", 1, channels, *size), net.const(2.0))
    y = net.op("Relu", net.op("Conv", x, net.random(4, channels, 3, 3), pads=[1, 1, 1, 1]))
    net.out("Conv", y, net.random(2, 4, 1, 1), net.random(2))
    net.out("Conv", y, net.random(1, 4, 1, 1), net.random(1))
    net.out("ReduceMean", y, axes=[2, 3], keepdims=0)
    return net


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_are_first_or_last_as_asked(channels: int, tmp_path: Path) -> None:
    path = image(channels).save(tmp_path / "image.onnx")
    for first in (False, True):
        made, graph = rebuilt(path, first=first)
        proved(path, made, graph)
        shapes = [tuple(tensor.shape[1:]) for tensor in (*made.model.inputs, *made.model.outputs)]
        last = [(6, 8, channels), (6, 8, 2), (6, 8, 1), (4,)]
        assert shapes == ([(*shape[2:], *shape[:2]) if len(shape) == 3 else shape for shape in last] if first else last)
        moves = [layer.name for layer in made.model.layers if type(layer).__name__ == "Permute"]
        assert bool(moves) == first and len(moves) <= 2
        assert [port.channels for port in (*made.inputs, *made.outputs)] == [1, 1, 1, None]
        assert [port.first for port in (*made.inputs, *made.outputs)] == [first, first, first, False]


def test_channels_are_found_behind_transposes(tmp_path: Path) -> None:
    """As litert-torch writes them: channels first outside, last inside."""
    net = Net()
    x = net.op("Transpose", net.input("x", 1, 3, 6, 8), perm=[0, 2, 3, 1])
    x = net.op("Transpose", net.op("Neg", x), perm=[0, 3, 1, 2])
    net.out("Conv", x, net.random(2, 3, 3, 3))
    y = net.op("Transpose", net.input("last", 1, 6, 8, 3), perm=[0, 3, 1, 2])
    net.out("Transpose", net.op("Conv", y, net.random(2, 3, 3, 3)), perm=[0, 2, 3, 1])
    net.out("Softmax", net.input("rows", 1, 5, 7), axis=2)
    path = net.save(tmp_path / "transposed.onnx")
    assert channels_of(graph_in(path)) == {"x": 1, "last": 3}
    made, graph = rebuilt(path)
    proved(path, made, graph)
    assert [tuple(i.shape[1:]) for i in made.model.inputs] == [(6, 8, 3), (6, 8, 3), (5, 7)]
    assert not [layer for layer in made.model.layers if type(layer).__name__ == "Permute"]
