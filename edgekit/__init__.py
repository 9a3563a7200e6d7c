"""edgekit: from a trained Keras model to int8 files for a phone or a small board, measured.

    >>> import edgekit
    >>> bundle = edgekit.compress("model.keras", "my.npz", "int8")  # doctest: +SKIP
    >>> edgekit.bench(bundle)  # doctest: +SKIP

`edgekit.compress` and `edgekit.bench` are explained in `edgekit.api.api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.frameworks.onnxruntime import switch_off
from edgekit.version import __version__

if TYPE_CHECKING:
    from edgekit.api.api import bench, compress

__all__ = ["__version__", "bench", "compress"]

switch_off()


def __getattr__(name: str) -> Any:
    """Import the Python interface when it is first asked for: `edgekit --help` does without."""
    if name in ("bench", "compress"):
        from edgekit.api import api

        return getattr(api, name)
    raise AttributeError(f"module 'edgekit' has no attribute {name!r}")
