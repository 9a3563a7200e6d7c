"""Texts that name what the registers hold name all of it, and nothing else."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from edgekit.bundle import recipe
from edgekit.bundle.schemes import FORMATS, SCHEMES
from edgekit.bundle.stages import STAGES

PAGE = (Path(__file__).parents[2] / "docs" / "compressing.md").read_text(encoding="utf-8")
STARTER = resources.files("edgekit.api.starter").joinpath("recipe.toml").read_text(encoding="utf-8")


def test_the_starter_names_every_scheme_and_format() -> None:
    for text in (STARTER, recipe.__doc__ or ""):
        [schemes] = re.findall(r"^schemes = .*# (.*)$", text, re.MULTILINE)
        assert schemes.split() == list(SCHEMES)
        assert 'formats = ["' + '", "'.join(FORMATS) + '"]' in text


def test_the_page_names_every_stage_and_scheme() -> None:
    rows = dict.fromkeys(re.findall(r"^\| `(\w+)[:`]", PAGE, re.MULTILINE))
    assert list(STAGES) == [name for name in rows if name in STAGES]
    for name in SCHEMES:
        assert f"`{name}`" in PAGE, name
