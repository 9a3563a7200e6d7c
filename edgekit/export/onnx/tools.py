"""Around calls of ONNX tools: what they raise is explained, what they log is not shown."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from edgekit.errors import ConversionError, EdgekitError, MissingExtraError
from edgekit.frameworks.tensorflow import quiet


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what ONNX tools raise into a `ConversionError` that names `what` was being made."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError("exporting ONNX", "compress", str(error)) from error
    except (EdgekitError, OSError, MemoryError):  # a full disk is explained by whoever opened the folder
        raise
    except Exception as error:  # tf2onnx, onnx and onnxruntime raise types of their own, many private
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        lacking = re.search(r"No Op registered for (\S+) with domain_version of \d+", reason)
        if lacking:
            raise ConversionError(
                f"ONNX {what}: ONNX has no operator for `{lacking[1][:100]}`",
                "replace the layer that computes it",
                code="operator-not-in-format",
            ) from error
        raise ConversionError(f"ONNX {what}: {reason.strip()[:300]}", code="conversion-failed") from error


@contextmanager
def silenced() -> Iterator[None]:
    """Keep ONNX tools from logging."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "root", "onnxruntime")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with quiet():
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
