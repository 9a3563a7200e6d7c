"""A kind of data and a data check, added in a package of their own, are known wherever they should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.lint import checks
from edgekit.data.lint.check import Check, FedInput
from edgekit.data.lint.facts import data_facts
from edgekit.data.lint.finding import Finding
from edgekit.data.lint.model_facts import ModelFacts
from edgekit.data.loading import check_spec, load_data
from edgekit.data.sources import registry
from edgekit.data.sources.registry import SourceKind
from tests.support.raised import raised

MODULE = """
import numpy as np
from edgekit.data.sources.raw import Loose
from edgekit.data.sources.holdout import complete

def takes(request):
    return request.path.suffix == ".txt"

def raw(request):
    request.spec.allow("scale")
    x = np.loadtxt(request.path) * float(request.spec.options.get("scale", 1))
    return complete(Loose(x, None), str(request.path))
"""


@pytest.fixture
def text_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceKind:
    """A kind of data that edgekit does not know: columns of text."""
    (tmp_path / "columns_of_text.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    kind = SourceKind("text", "a `.txt` file", "columns", "a.txt?scale=2", "columns_of_text", suffixes=(".txt",))
    monkeypatch.setattr(registry, "SOURCES", [*registry.SOURCES, kind])
    monkeypatch.setattr("edgekit.data.loading.SOURCES", registry.SOURCES)
    return kind


def test_a_kind_of_data_is_one_module_and_one_row(tmp_path: Path, text_kind: SourceKind) -> None:
    path = tmp_path / "rows.txt"
    np.savetxt(path, np.arange(40.0).reshape(20, 2))
    check_spec(str(path))
    data = load_data(f"{path}?scale=2")
    assert (data.name, len(data.x_train), len(data.x_test)) == ("rows", 16, 4)
    assert data.x_train.max() <= 78
    with raised("unknown-name", "sacle", "`scale`"):
        load_data(f"{path}?sacle=2")
    with raised("file-missing", "none.txt"):
        check_spec(str(tmp_path / "none.txt"))
    with raised("data-not-found", "nothing", "a .txt file"):
        load_data("nothing")
    assert "a .txt file (a.txt?scale=2)" in registry.sources_help()
    assert "| a `.txt` file, such as `a.txt?scale=2` | columns |" in registry.sources_table()


def test_the_page_names_every_kind_of_data() -> None:
    assert registry.sources_table() in (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


def test_every_kind_of_data_offers_what_a_source_does() -> None:
    for kind in registry.SOURCES:
        source = kind.source()
        assert callable(source.takes), kind.name
        assert callable(source.raw), kind.name


def test_a_data_check_is_one_function_and_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def negative(fed: FedInput) -> Iterator[Finding]:
        if fed.data.low < 0:
            yield Finding("below-zero", f"values from {fed.data.low}", "look at them")

    monkeypatch.setattr(checks, "INPUT_CHECKS", [*checks.INPUT_CHECKS, Check(("below-zero",), "the sign", negative)])
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    facts = data_facts(x[:200], x[200:], int8=False)
    assert [finding.code for finding in checks.lint(facts, ModelFacts(()))] == ["below-zero"]
    assert "| `below-zero` | the sign |" in checks.checks_table()
