"""Small `.tflite` and `.onnx` files, made by code, and what a user types for them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.support import vendor_onnx, vendor_tflite
from tests.support.tiny_onnx import constant, save, tiny_onnx, value
from tests.support.tiny_tflite import Op, T, model, tiny_tflite

ROWS, WIDTH = 60, 4


def data() -> str:
    """Write a data set of rows of four numbers, two classes, and return its name."""
    rng = np.random.default_rng(0)
    y = np.arange(ROWS) % 2
    x = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    x[:, 0] += 3 * y
    np.savez("tiny.npz", x=x, y=y)
    return "tiny.npz"


def commands(name: str) -> dict[str, Callable[[], Sequence[str]]]:
    """Return the command lines for a model file, by the command's name."""
    fast = ("--processes", "1", "--min-samples", "1", "--min-seconds", "0.01", "--timeout", "20", "--threads", "1")
    return {
        "inspect": lambda: ["inspect", name],
        "bench": lambda: ["bench", name, *fast],
        "compress": lambda: ["compress", name, "--data", data(), "--recipe", "int8", "--anyway", "-o", "out"],
        "push": lambda: ["push", name, "--target", "desktop", "--dest", "d"],
    }


def node(*arguments: Any, **attributes: Any) -> Any:
    """Return a node of an ONNX graph."""
    from onnx import helper

    return helper.make_node(*arguments, **attributes)


def onnx_bytes(
    nodes: Sequence[Any], constants: Sequence[Any] = (), *, functions: Sequence[Any] = (), domains: Sequence[str] = ()
) -> bytes:
    """Return a model from x (N, 4) to y (N, 2)."""
    path = Path("made.onnx")
    ends = [value("x", ["N", WIDTH])], [value("y", ["N", 2])]
    save(path, nodes, *ends, constants, functions=functions, domains=domains, check=False)
    made = path.read_bytes()
    path.unlink()
    return made


def dense_onnx() -> Any:
    """Return a ModelProto: Gemm, Relu and Gemm, x (N, 4) to y (N, 2)."""
    import onnx

    rng = np.random.default_rng(1)
    constants = [constant(name, rng.normal(size=(4, n)), "float32") for name, n in (("w", 4), ("v", 2))]
    nodes = [node("Gemm", ["x", "w"], ["h"]), node("Relu", ["h"], ["r"]), node("Gemm", ["r", "v"], ["y"])]
    return onnx.load_model_from_string(onnx_bytes(nodes, constants))


def dense_tflite(*, more: Sequence[T] = (), operators: Sequence[Op] | None = None, further: Any = ()) -> bytes:
    """Return FULLY_CONNECTED, x (?, 4) to y (?, 2); with other operators instead, tensors 0 and 3 are x and y."""
    from ai_edge_litert import schema_py_generated as s

    rng = np.random.default_rng(1)
    tensors = [
        T("x", (1, 4), "FLOAT32", signature=(-1, 4)),
        T("w", (2, 4), "FLOAT32", rng.normal(size=(2, 4)).astype("<f4").tobytes()),
        T("b", (2,), "FLOAT32", np.zeros(2, "<f4").tobytes()),
        T("y", (1, 2), "FLOAT32", signature=(-1, 2)),
        *more,
    ]
    usual = [Op("FULLY_CONNECTED", [0, 1, 2], [3], s.FullyConnectedOptionsT())]
    return model(tensors, usual if operators is None else operators, [0], [3], further=further)


@cache
def bases() -> dict[str, tuple[bytes, ...]]:
    """Return valid files to change, by format; the first two of each are float."""
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "m"
        tflite = [
            dense_tflite(),
            vendor_tflite.two_ends(),
            tiny_tflite(path).read_bytes(),
            tiny_tflite(path, int4=True, span=7).read_bytes(),
            vendor_tflite.detection(),
            vendor_tflite.two_signatures(),
            vendor_tflite.dynamic_image(),
            vendor_tflite.with_attached(vendor_tflite.gather("INT32"), labels="a"),
        ]
        onnx = [dense_onnx().SerializeToString()]
        makers = (vendor_onnx.two_ends, tiny_onnx, vendor_onnx.loop, vendor_onnx.branches, vendor_onnx.scan)
        onnx += [
            make(path).read_bytes() for make in (*makers, vendor_onnx.qlinear, vendor_onnx.gather, vendor_onnx.image)
        ]
    return {"tflite": tuple(tflite), "onnx": tuple(onnx)}


def npy(array: Any) -> bytes:
    """Return an array as NumPy saves it."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
