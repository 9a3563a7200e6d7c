"""Modules of PyTorch in memory. PyTorch is not needed: a stand-in has what is asked of it, and exports by hand."""

from __future__ import annotations

import contextlib
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.api.compression import model_path
from edgekit.models.files.keras_file import read_keras_file
from tests.models.imported.nets import Net
from tests.support.raised import raised


class Tensor(np.ndarray):
    """An array with the methods of a tensor that are used."""

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> np.ndarray:
        return np.asarray(self)


class Module:
    """Doubles an image with channels first, of one channel."""

    def __init__(self, factor: float = 2.0) -> None:
        self.training, self.factor = True, factor

    def forward(self, image: Any) -> Any:
        if image.ndim != 4 or image.shape[1] != 1:
            raise RuntimeError(f"expected input {list(image.shape)} to have 1 channel")
        return (image * 2.0).view(Tensor)

    def __call__(self, *inputs: Any) -> Any:
        assert not self.training
        return self.forward(*inputs)

    def modules(self) -> list[Module]:
        return [self]

    def parameters(self) -> Iterator[Any]:
        return iter(())

    def eval(self) -> None:
        self.training = False


def export(
    module: Module, inputs: Any, path: str, *, input_names: list[str], output_names: list[str], **_: Any
) -> None:
    net = Net()
    x = net.input(input_names[0], *inputs[0].shape)
    net.out("Mul", x, net.const(module.factor))
    net.nodes[0].output[0] = net.outputs[0] = output_names[0]
    net.save(Path(path), *inputs[0].shape)


@pytest.fixture(autouse=True)
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Any = types.ModuleType("torch")
    found.nn, found.onnx = types.SimpleNamespace(Module=Module), types.SimpleNamespace(export=export)
    found.no_grad, found.long = contextlib.nullcontext, np.int64
    found.from_numpy = lambda array: array.view(Tensor)
    monkeypatch.setitem(sys.modules, "torch", found)


def sizes(path: Path) -> list[int]:
    import onnx

    return [size.dim_value for size in onnx.load(path).graph.input[0].type.tensor_type.shape.dim]


@pytest.mark.parametrize("shape", [(1, 4, 6), (4, 6, 1), (4, 6)])
def test_sizes_come_from_the_samples(shape: tuple[int, ...], tmp_path: Path) -> None:
    module = Module()
    path = model_path(module, tmp_path, np.zeros((20, *shape), np.float32))
    assert path.name == "Module.onnx" and sizes(path) == [1, 1, 4, 6]
    assert module.training


def test_sizes_that_are_given_go_first(tmp_path: Path) -> None:
    assert sizes(model_path(Module(), tmp_path, "digits", {"image": (1, 1, 8, 8)})) == [1, 1, 8, 8]


def test_what_is_not_known_or_does_not_fit_is_said(tmp_path: Path) -> None:
    with raised("input-shape-open", "`image`", "input_shapes"):
        model_path(Module(), tmp_path, "digits")
    with raised("input-unknown", "`x`", "image"):
        model_path(Module(), tmp_path, "digits", {"x": (1, 1, 8, 8)})
    with raised("samples-do-not-fit", "1x3x8x8", "1 channel"):
        model_path(Module(), tmp_path, "digits", {"image": (1, 3, 8, 8)})
    with raised("module-not-exported", "`Module`"):
        model_path(Module(factor=2.01), tmp_path, "digits", {"image": (1, 1, 8, 8)})


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    for member in ("net/data.pkl", "net/models/model.json"):
        with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
            archive.writestr(member, b"")
        with raised("format-unexpected", "a PyTorch file", "torch.onnx.export"):
            read_keras_file(tmp_path / "net.pt")
