"""Half precision in a model's configuration, replaced by float32: quantization starts from float32.

Keras 2 writes a layer's policy as text or as an object (`Policy`), Keras 3 as an object (`DTypePolicy`) or a map of
them; operations of graphs name the type of their result (`tf.cast`, `keras.ops.cast`), constants that of their numbers.
"""

from __future__ import annotations

from edgekit.frameworks.types import ConfigValue, KerasConfig

HALF = frozenset({"float16", "bfloat16", "half", "mixed_float16", "mixed_bfloat16"})
"""Types and policies that compute in 16 bits."""
FLOAT32 = "float32"
_POLICIES = ("DTypePolicy", "FloatDTypePolicy", "Policy", "PolicyV1")


def in_float32(config: ConfigValue) -> tuple[ConfigValue, tuple[str, ...]]:
    """Return a configuration that computes in float32, and the names of the policies and types that were replaced.

    Args:
        config: of a model, as the gate returned it or `get_config` does; not changed.
    """
    found: dict[str, None] = {}
    return _widened(config, "", found), tuple(sorted(found))


def _widened(value: ConfigValue, key: str, found: dict[str, None]) -> ConfigValue:
    if isinstance(value, dict):
        name = _half_policy(value)
        if name:
            found[name] = None
            return FLOAT32
        if value.get("class_name") == "__keras_tensor__":  # what a tensor was, not what makes it
            found = {}
        return {k: _widened(v, k, found) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [_widened(item, key, found) for item in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, str) and value in HALF and key.rpartition("_")[2] == "dtype":
        found[value] = None
        return FLOAT32
    return value


def _half_policy(value: KerasConfig) -> str:
    """Return the name of a policy of half precision that a dictionary stands for, or an empty string."""
    inner = value.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if value.get("class_name") in _POLICIES and isinstance(name, str) and name in HALF else ""
