"""Bundles as Python shows them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import edgekit.bundle.manifest as manifests
from edgekit.api.results import Bundle
from edgekit.files.whole import sha256
from edgekit.tasks.metrics import Score
from tests.support.raised import raised

ARTIFACTS = Path(__file__).parents[2] / "benchmarks" / "artifacts"


@pytest.fixture
def bundle() -> Bundle:
    """A bundle of the repository, of whose files only one is kept."""
    path = ARTIFACTS / "mnist-8k"
    value = json.loads((path / "manifest.json").read_text())
    return Bundle.of(manifests.Bundle(path, manifests.Manifest.from_dict(value, str(path))))


def scored(bundle: Bundle, counts: dict[str, int]) -> Bundle:
    """Return the bundle with other scores: correct of 1,000 samples, by scheme; no test scores."""
    manifest = bundle.manifest
    artifacts = tuple(
        replace(a, validation=Score.of_count(counts[a.scheme], 1000).to_dict() if a.validation else None)
        for a in manifest.artifacts
    )
    data = {key: value for key, value in manifest.data.items() if key != "test"}
    return Bundle.of(replace(bundle, manifest=replace(manifest, artifacts=artifacts, data=data)))


def test_files_are_those_of_the_manifest(bundle: Bundle) -> None:
    assert [file.name for file in bundle.files] == [artifact.file for artifact in bundle.manifest.artifacts]
    there = [file for file in bundle.files if file.path.exists()]
    assert there
    for file in there:
        assert (file.path.stat().st_size, sha256(file.path)) == (file.bytes, file.sha256)
        assert file.score is not None
        assert file.score.metric == "accuracy"
    assert bundle.table() in repr(bundle)


def test_the_best_is_the_smallest_that_is_not_clearly_worse(bundle: Bundle) -> None:
    schemes = {file.scheme for file in bundle.files}
    assert {"float32", "int8"} <= schemes
    alike = scored(bundle, dict.fromkeys(schemes, 950))
    assert alike.best().bytes == min(file.bytes for file in alike.files if file.score)
    assert alike.best("tflite", "float32").name.endswith("float32.tflite")
    broken = scored(bundle, dict.fromkeys(schemes, 950) | {"int8": 700})
    assert broken.best().scheme != "int8"
    assert broken.best("int8").scheme == "int8"
    with raised("nothing-selected", "int4", "tflite int8"):
        broken.best("int4")


def test_without_pandas_tables_say_what_to_install(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with raised("extra-not-installed", "edgekit[pandas]"):
        bundle.to_pandas()


def test_a_ledger_is_a_sequence(bundle: Bundle) -> None:
    assert len(bundle.ledger) == len(bundle.manifest.ledger)
    assert list(bundle.ledger) == list(bundle.manifest.ledger)
    assert list(bundle.ledger[1:]) == list(bundle.ledger)[1:]
