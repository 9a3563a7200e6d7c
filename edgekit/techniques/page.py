"""The page "techniques": stages with their options, schemes, and rewrites, made from their registers."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.bundle.schemes import SCHEMES
from edgekit.bundle.stages import STAGES
from edgekit.export.rewrites.registry import REWRITES
from edgekit.techniques.registry import options_of

HEAD = """# Techniques

Made from the registers of stages, schemes and rewrites by `make docs`; a test keeps it up to date.

## Stages

A recipe names stages in order, as tables `[[stage]]` with `use = "NAME"` and options; `--stage NAME:key=value,...`
adds one behind them.
"""
SCHEMES_HEAD = """## Schemes

How numbers are held in a file: `schemes` and `formats` under `[export]` of a recipe.
"""
REWRITES_HEAD = """## Rewrites before quantization

What is changed in a model before it is quantized, so that int8 loses less. In float it computes the same: each rewrite
is proved on samples, and dropped if it is not equal. The manifest names those that were made.
"""


def markdown() -> str:
    """Return the page."""
    return "\n".join((HEAD, *(_stage(use) for use in STAGES), _schemes(), _rewrites()))


def _stage(use: str) -> str:
    row = STAGES[use]
    lines = "\n".join(_options(use))
    return f"### `{use}`\n\n{_sentence(row.does)} What it brings: {row.brings}.\n\n{lines}\n"


def _options(use: str) -> Iterator[str]:
    yield "| option | default | |"
    yield "| --- | --- | --- |"
    for option in options_of(use):
        yield f"| `{option.name}` | `{option.default}` | {option.help} |"


def _schemes() -> str:
    rows = [f"| `{name}` | {row.holds} | {', '.join(row.formats)} | {row.source} |" for name, row in SCHEMES.items()]
    return "\n".join(
        (SCHEMES_HEAD, "| scheme | what is held how | formats | made from |", "| --- " * 4 + "|", *rows, "")
    )


def _rewrites() -> str:
    rows = [f"| `{rewrite.name}` | {rewrite.description} |" for rewrite in REWRITES]
    return "\n".join((REWRITES_HEAD, "| rewrite | |", "| --- | --- |", *rows, ""))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
