"""Names of inputs and outputs that every file format, and the code around it, can use."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence


def identifiers(names: Sequence[str]) -> list[str]:
    """Return names usable in every format, kept apart."""
    made: list[str] = []
    for name in names:
        base = re.sub(r"\W", "_", name, flags=re.ASCII).lstrip("_") or "tensor"
        base = f"t_{base}" if base[0].isdigit() or keyword.iskeyword(base) else base
        unique, number = base, 1
        while unique in made:
            number += 1
            unique = f"{base}_{number}"
        made.append(unique)
    return made
