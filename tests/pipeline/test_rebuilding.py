"""What becomes of a file that cannot be rebuilt as layers: refused, or taken as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgekit.bundle.recipe import Recipe, StageSpec
from edgekit.errors import ConversionError
from edgekit.models.imported import importing
from edgekit.models.sources.file_source import FileSource
from edgekit.pipeline.rebuilding import with_layers
from edgekit.pipeline.request import Request
from edgekit.pipeline.source import Source
from tests.support.heard import Heard
from tests.support.raised import raised

PLAIN = Recipe("plain", schemes=("int8",), formats=("tflite", "onnx"))


def _opened(code: str, monkeypatch: pytest.MonkeyPatch) -> Source:
    def import_file(*_: Any, **__: Any) -> Any:
        raise ConversionError("net.onnx: is not rebuilt", "export it again", code=code)

    monkeypatch.setattr(importing, "import_file", import_file)
    info: Any = SimpleNamespace(format="onnx", inputs=(), outputs=())
    file = FileSource(Path("net.onnx"), info)
    file.__dict__["model"] = None
    return Source("net", file, "", {"notes": []})


@pytest.mark.parametrize(
    "code, recipe",
    [
        ("operator-not-rebuilt", replace(PLAIN, stages=(StageSpec("finetune", {}),))),
        ("operator-not-rebuilt", replace(PLAIN, layout_out="NHWC")),
        ("graph-damaged", PLAIN),
        ("weights-not-finite", PLAIN),
    ],
)
def test_where_layers_are_needed_it_is_refused(code: str, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    with raised(code, "net.onnx"):
        with_layers(_opened(code, monkeypatch), Request(Path("net.onnx"), "d", recipe))


def test_else_it_stays_an_onnx_file(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, source = Heard(), _opened("operator-not-rebuilt", monkeypatch)
    found = with_layers(source, Request(Path("net.onnx"), "d", PLAIN, progress=heard))
    assert found.model is source.model and "is not rebuilt" in found.step["notes"][0]
    assert list(heard.codes) == ["operator-not-rebuilt"]
    with raised("nothing-to-export", ".onnx"):
        with_layers(source, Request(Path("net.onnx"), "d", replace(PLAIN, formats=("tflite",))))
