"""What a runtime says about a model that it cannot run, as a sentence with a next step."""

from __future__ import annotations

import re
import shlex
import textwrap

from edgekit.bundle.runs import Refused
from edgekit.devices.transports.shell import FULL
from edgekit.errors import RunnerError

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


_AROUND = (
    r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ",
    r"^(?:Error in execution|Exception during initialization): ",
    r"^Load model from .*? failed:\s*",
)
"""What runtimes put before what they say."""
_PLACES = (
    r"(?<!\S)\S*onnxruntime\S*/core/\S+:\d+ \S.*?\) (?=\S)",  # where in its source, and in which function
    r"(?<!\S)\S+\.(?:cc|h|cpp):\d+:? (?=\S)",
    r"\b[\w!=<>&|.:()\[\] ]{1,200} was false\. ",
)
"""What they put among it: places in their source, and what was checked there."""
_NODE = r"Non-zero status code returned while running (\w+) node\. Name:'([^']*)' Status Message: "
LONGEST = 300
"""Characters of a runtime's own words that are repeated."""
INSPECT = "see what it needs: edgekit inspect"


def essence(message: str) -> str:
    """Return what a runtime says of a model on one line, without places in its source; whole words of it."""
    text = " ".join(message.split())
    for pattern in _AROUND:
        text = re.sub(pattern, "", text)
    node = re.match(_NODE, text)
    text = text[node.end() :] if node else text
    for pattern in _PLACES:
        text = re.sub(pattern, "", text)
    if node:
        text = f"at the operator {node[1]}{f' `{node[2]}`' if node[2] else ''}: {text}"
    return textwrap.shorten(text, LONGEST, placeholder=" ...")


def refusal(refused: Refused, runtime: str, name: str) -> RunnerError:
    """Return the error for a job that a runner could not do.

    Args:
        refused: the exception there.
        runtime: that the job asked for.
        name: of the model file.
    """
    message = " ".join(refused.message.split())
    for pattern, sentence, hint in _KNOWN:
        found = re.search(pattern, message)
        if found:
            return RunnerError(
                f"{name}: {sentence.format(*found.groups(), runtime=runtime)}", hint, code="operator-missing"
            )
    if refused.error == "OSError" and FULL.search(message):
        return RunnerError(
            f"{name}: the device has no space left for its outputs", "free some space there", code="disk-full"
        )
    message = essence(message)
    if refused.error == "JobError":
        return RunnerError(f"{name}: {message}", code="job-refused")
    if refused.error in ("ModuleNotFoundError", "ImportError"):
        return RunnerError(f"{name}: {runtime} cannot be imported on the device: {message}", code="runtime-missing")
    if "MemoryError" in refused.error:
        return RunnerError(
            f"{name}: the device has not enough memory for it: {message}".rstrip(": "), code="memory-limit"
        )
    hint = f"{INSPECT} {shlex.quote(name)}"
    return RunnerError(
        f"{name}: {runtime} refused it: {message or 'it gave no reason'}", hint, code="file-not-runnable"
    )
