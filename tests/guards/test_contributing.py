"""What CONTRIBUTING.md and the configuration beside it name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
PATHS = sorted({path for path in re.findall(r"`([\w.-]+/[\w./-]*|[A-Z]+\.md)`", TEXT) if not path.startswith("build/")})
NAMES = sorted(set(re.findall(r"`(\w+)` of `([\w./-]+\.py)`", TEXT)))


@pytest.mark.parametrize("path", PATHS)
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("name", "path"), NAMES)
def test_every_register_is_where_it_is_said_to_be(name: str, path: str) -> None:
    assert re.search(rf"^(def {name}\(|{name}[:\s=])", (ROOT / path).read_text(), re.MULTILINE)


def test_the_page_names_much() -> None:
    assert len(PATHS) > 40 and len(NAMES) > 10


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = TEXT + (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    asked = set(re.findall(r"make ([a-z]+)\b", text))
    assert {"check", "quick", "test"} <= asked <= targets


def test_the_readme_leads_here() -> None:
    assert "(CONTRIBUTING.md)" in (ROOT / "README.md").read_text()
