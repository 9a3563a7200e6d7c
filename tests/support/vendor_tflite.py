"""TFLite files as they come from elsewhere: several inputs, odd types, dynamic sizes, custom operators, signatures."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np

from tests.support.tiny_tflite import Op, T, changed, model


def _constant(name: str, values: Any, kind: str) -> T:
    array = np.asarray(values, {"FLOAT32": "<f4", "INT32": "<i4"}[kind])
    return T(name, array.shape, kind, array.tobytes())


def two_ends() -> bytes:
    """a, b (1, 4) float32 -> a + b, a * b."""
    tensors = [T(name, (1, 4), "FLOAT32") for name in ("a", "b", "sum", "product")]
    return model(tensors, [Op("ADD", [0, 1], [2]), Op("MUL", [0, 1], [3])], [0, 1], [2, 3])


def dynamic_batch() -> bytes:
    """(?, 4) float32 -> (?, 3)."""
    tensors = [
        T("x", (1, 4), "FLOAT32", signature=(-1, 4)),
        _constant("w", np.arange(12).reshape(3, 4) / 12, "FLOAT32"),
        T("y", (1, 3), "FLOAT32", signature=(-1, 3)),
    ]
    return model(tensors, [Op("FULLY_CONNECTED", [0, 1, -1], [2])], [0], [2])


def dynamic_image() -> bytes:
    """(1, ?, ?, 1) float32 -> the same, through a 3x3 convolution."""
    from ai_edge_litert import schema_py_generated as s

    size = (1, -1, -1, 1)
    tensors = [
        T("image", (1, 1, 1, 1), "FLOAT32", signature=size),
        _constant("w", np.ones((1, 3, 3, 1)), "FLOAT32"),
        _constant("b", [0], "FLOAT32"),
        T("y", (1, 1, 1, 1), "FLOAT32", signature=size),
    ]
    options = s.Conv2DOptionsT(strideW=1, strideH=1, padding=s.Padding.SAME)
    return model(tensors, [Op("CONV_2D", [0, 1, 2], [3], options)], [0], [3])


def integer_input(kind: str) -> bytes:
    """(1, 4) of a quantized integer type -> float32."""
    point = 128 if kind == "UINT8" else 0
    tensors = [T("x", (1, 4), kind, scale=[0.5], zero_point=[point]), T("y", (1, 4), "FLOAT32")]
    return model(tensors, [Op("DEQUANTIZE", [0], [1])], [0], [1])


def bool_input() -> bytes:
    tensors = [T("x", (1, 4), "BOOL"), T("y", (1, 4), "BOOL")]
    return model(tensors, [Op("LOGICAL_NOT", [0], [1])], [0], [1])


def string_input() -> bytes:
    tensors = [T("text", (1,), "STRING"), T("y", (1,), "STRING")]
    return model(tensors, [Op("RESHAPE", [0], [1])], [0], [1])


def gather(kind: str) -> bytes:
    """(1, 3) indices of a table of two rows -> (1, 3, 2) float32."""
    tensors = [
        _constant("table", [[1, 2], [3, 4]], "FLOAT32"),
        T("tokens", (1, 3), kind),
        T("y", (1, 3, 2), "FLOAT32"),
    ]
    return model(tensors, [Op("GATHER", [0, 1], [2])], [1], [2])


def unary(name: str) -> bytes:
    """(1, 4) float32 -> the same, through one operator, custom if the schema lacks it."""
    return model([T("x", (1, 4), "FLOAT32"), T("y", (1, 4), "FLOAT32")], [Op(name, [0], [1])], [0], [1])


def newer_operator() -> bytes:
    """A RELU of a version that no runtime has."""

    def change(s: Any, whole: Any) -> None:
        whole.operatorCodes[0].version = 99

    return changed(unary("RELU"), change)


def detection() -> bytes:
    """Boxes (1, 6, 4) and scores (1, 6, 3) -> the four outputs of TFLite_Detection_PostProcess."""
    from flatbuffers import flexbuffers

    tensors = [
        T("boxes", (1, 6, 4), "FLOAT32"),
        T("scores", (1, 6, 3), "FLOAT32"),
        _constant("anchors", np.full((6, 4), 0.5), "FLOAT32"),
        *(T(f"out{i}", shape, "FLOAT32") for i, shape in enumerate([(1, 5, 4), (1, 5), (1, 5), (1,)])),
    ]
    options = {"max_detections": 5, "max_classes_per_detection": 1, "num_classes": 2, "nms_score_threshold": 0.0}
    options |= {"nms_iou_threshold": 0.5, "x_scale": 10.0, "y_scale": 10.0, "w_scale": 5.0, "h_scale": 5.0}
    options |= {"use_regular_nms": False}

    def change(s: Any, whole: Any) -> None:
        whole.subgraphs[0].operators[0].customOptions = list(flexbuffers.Dumps(options))

    plain = model(tensors, [Op("TFLite_Detection_PostProcess", [0, 1, 2], [3, 4, 5, 6])], [0, 1], [3, 4, 5, 6])
    return changed(plain, change)


def two_signatures() -> bytes:
    """`encode` runs the first graph (x -> code), `decode` the second (code -> x)."""
    ends = [T("in", (1, 4), "FLOAT32"), T("out", (1, 4), "FLOAT32")]
    plain = model(ends, [Op("RELU", [0], [1])], [0], [1], further=[(ends, [Op("TANH", [0], [1])])])

    def change(s: Any, whole: Any) -> None:
        whole.subgraphs[1].inputs, whole.subgraphs[1].outputs = [0], [1]

        def ends_of(name: bytes, tensor: int) -> list[Any]:
            return [s.TensorMapT(name=name, tensorIndex=tensor)]

        whole.signatureDefs = [
            s.SignatureDefT(
                inputs=ends_of(source, 0), outputs=ends_of(target, 1), signatureKey=key, subgraphIndex=graph
            )
            for graph, (key, source, target) in enumerate([(b"encode", b"x", b"code"), (b"decode", b"code", b"x")])
        ]

    return changed(plain, change)


def with_attached(data: bytes, **files: str) -> bytes:
    """Return the file with a zip archive behind it, as metadata writers attach labels."""
    tail = io.BytesIO()
    with zipfile.ZipFile(tail, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.txt", text)
    return data + tail.getvalue()


def with_metadata(data: bytes, *names: str) -> bytes:
    """Return the file with metadata entries of these names."""

    def change(s: Any, whole: Any) -> None:
        whole.buffers.append(s.BufferT(data=list(b"something")))
        whole.metadata = [s.MetadataT(name=name.encode(), buffer=len(whole.buffers) - 1) for name in names]

    return changed(data, change)
