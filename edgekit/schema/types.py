"""Names for plain values of JSON and TOML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JsonValue = Any
"""What JSON or TOML holds: a number, a text, a boolean, a list, an object, or nothing."""
JsonObject = dict[str, JsonValue]
"""An object of JSON or a table of TOML: its keys are declared where it is read."""
JsonMapping = Mapping[str, JsonValue]
"""An object that is only read."""
Declaration = Any
"""What a form is declared as: a type, or one annotated with rules of `edgekit.schema.rules`."""
