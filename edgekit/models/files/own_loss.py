"""The loss that a model was compiled with, where it is one of Keras's own for values."""

from __future__ import annotations

import re

from edgekit.frameworks.types import KerasConfig

LOSSES = frozenset(
    {
        *("mean_absolute_error", "mean_squared_error", "mean_absolute_percentage_error"),
        *("mean_squared_logarithmic_error", "huber", "log_cosh"),
    }
)
"""Names under which `tf_keras.losses.get` knows them. For classes, cross-entropy fits whatever the labels look like."""
SHORT = {
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "logcosh": "log_cosh",
}


def compiled_loss(config: KerasConfig) -> str:
    """Return the loss's name, one of `LOSSES`; empty for a model that was not compiled, or with another loss.

    Args:
        config: of a model file (`edgekit.models.files.keras_file`); what it was compiled with is `compile_config`.
    """
    compiled = config.get("compile_config")
    loss = compiled.get("loss") if isinstance(compiled, dict) else None
    if isinstance(loss, dict):
        kind, inner = loss.get("class_name"), loss.get("config")
        loss = inner if kind == "function" else kind
    if not isinstance(loss, str):
        return ""
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", loss).lower()
    name = SHORT.get(snake, snake)
    return name if name in LOSSES else ""
