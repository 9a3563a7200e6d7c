"""What a runtime says about a model that it cannot run, as a sentence with a next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edgekit.errors import RunnerError
from edgekit.transports.shell import FULL

CUSTOM = "the operator comes from the model's own toolchain; measure with a runtime that has it, or export without it"
FLEX = (
    "convert it again with TFLITE_BUILTINS only (no SELECT_TF_OPS): ai-edge-litert's wheels have no TensorFlow in them"
)
NEWER = "use a newer runtime, or export the model again for an older one"

_KNOWN: tuple[tuple[str, str, str], ...] = (
    (r"unresolved custom op: (.+?)\.\s*See", "{runtime} lacks the custom operator `{0}`", CUSTOM),
    (
        r"Select TensorFlow op.*Node number \d+ \((.+?)\)",
        "{runtime} lacks the TensorFlow operator `{0}` (a flex operator)",
        FLEX,
    ),
    (
        r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'",
        "{runtime} lacks version {1} of the operator `{0}`",
        NEWER,
    ),
    (r"Fatal error: (\S+?)\(-?\d+\) is not a registered function/op", "{runtime} lacks the operator `{0}`", CUSTOM),
    (r"No Op registered for (\w+) with domain_version of (\d+)", "{runtime} lacks `{0}` in opset {1}", CUSTOM),
    (
        r"Could not find an implementation for (\w+)\((\d+)\)",
        "{runtime} has no CPU kernel for `{0}` (opset {1}) with the types used here",
        "use other types, or another opset",
    ),
    (
        r"Unsupported model IR version: (\d+), max supported IR version: (\d+)",
        "{runtime} reads ONNX files up to IR version {1}, this one has {0}",
        NEWER,
    ),
    (
        r"Opset (\d+) is under development.*till opset (\d+)",
        "{runtime} knows opsets up to {1}, this file has {0}",
        NEWER,
    ),
)


def refusal(answer: Mapping[str, Any], runtime: str, name: str) -> RunnerError:
    """Return the error for a runner's answer that is not `ok`.

    Args:
        answer: with `error`, the exception's type, and `message`.
        runtime: that the job asked for.
        name: of the model file.
    """
    message = " ".join(str(answer["message"]).split())
    for pattern, sentence, hint in _KNOWN:
        found = re.search(pattern, message)
        if found:
            return RunnerError(f"{name}: {sentence.format(*found.groups(), runtime=runtime)}", hint)
    message = message[:500]
    if answer["error"] == "OSError" and FULL.search(message):
        return RunnerError(f"{name}: the device has no space left for its outputs", "free some space there")
    if answer["error"] == "JobError":
        return RunnerError(f"{name}: {message}")
    if answer["error"] in ("ModuleNotFoundError", "ImportError"):
        return RunnerError(f"{name}: {runtime} cannot be imported on the device: {message}")
    if "MemoryError" in answer["error"]:
        return RunnerError(f"{name}: the device has not enough memory for it: {message}".rstrip(": "))
    return RunnerError(f"{name}: {runtime} refused it: {message or 'it gave no reason'}")
