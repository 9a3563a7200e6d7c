"""As which scheme a model between two stages is measured. The files here are texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgekit.bundle.recipe import Recipe
from edgekit.errors import ConversionError
from edgekit.pipeline import effect
from tests.support.raised import raised


class Meter:
    """Answers with what it was asked."""

    def __init__(self, *given: Any) -> None:
        pass

    def entry(self, *asked: Any) -> Any:
        return asked


def meter(monkeypatch: pytest.MonkeyPatch, folder: Path, schemes: Sequence[str], code: str) -> effect.EffectMeter:
    """A meter of models whose weights are not tolerated in 4 bits before they are trained so."""

    def export(model: Any, recipe: Recipe, calibration: Any, out: Path, name: str, *rest: Any) -> list[Any]:
        [scheme] = recipe.schemes
        if scheme == "int4" and model != "trained":
            raise ConversionError("no layer", code=code)
        path = out / f"{name}-{scheme}"
        path.write_text(scheme)
        return [SimpleNamespace(path=path)]

    monkeypatch.setattr(effect, "export", export)
    monkeypatch.setattr(effect, "FileMeter", Meter)
    splits = SimpleNamespace(x_calibration=None)
    preprocessing: Any = SimpleNamespace(apply=lambda x: x)
    given: Any = ("device", "plain", Recipe("x", schemes=tuple(schemes)), splits, preprocessing, "task", folder)
    return effect.EffectMeter(*given)


def test_what_is_trained_for_int4_later_is_measured_as_int8_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = meter(monkeypatch, tmp_path, ["int8", "int4"], "int4-not-tolerated")
    source, other, trained = found.source(), found.measure("distill", "other", 1.0), found.measure("q", "trained", 1.0)
    assert [entry[1] for entry in (source, other, trained)] == ["int8", "int8", "int4"]
    assert [entry[2].read_text() for entry in (source, trained)] == ["int8", "int4"]
    assert trained[4] == source[2] == tmp_path / "source-int8"


def test_other_failures_stay_failures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with raised("file-not-runnable"):
        meter(monkeypatch, tmp_path, ["int4"], "file-not-runnable")
