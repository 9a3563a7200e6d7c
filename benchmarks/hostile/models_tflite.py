"""`.tflite` files made by hand: operators that reach outside, sizes, recursion, shared parts, attached archives."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile.case import Canary
from benchmarks.hostile.models_base import dense_tflite
from tests.support import vendor_tflite
from tests.support.tiny_tflite import Op, T, changed, model

Write = Callable[[Canary], None]
NAME = "m.tflite"
FLEX = (
    "FlexReadFile",
    "FlexWriteFile",
    "FlexPyFunc",
    "FlexLoadDataset",
    "FlexDeleteFile",
    "FlexSaveV2",
    "FlexRestoreV2",
)


def crafted() -> Iterator[tuple[str, str, bool, Write]]:
    """Yield kind, name, whether it may work, and what writes `m.tflite`."""
    for name in FLEX:
        yield "foreign operator", name, True, _written(lambda canary, name=name: _flex(name, canary))
    for name, build in _operators():
        yield "foreign operator", name, True, _written(lambda _, build=build: build())
    for name, build in _outside():
        yield "data elsewhere", name, True, _written(build)
    for name, build in _running():
        yield "memory or time when run", name, True, _written(lambda _, build=build: build())
    for name, build in _structure():
        yield "structure", name, True, _written(lambda _, build=build: build())
    for name, build in _attached():
        yield "attached", name, True, _written(lambda _, build=build: build())


def _written(build: Callable[[Canary], bytes]) -> Write:
    return lambda canary: (Path(NAME).write_bytes(build(canary)), None)[1]


def _flex(name: str, canary: Canary) -> bytes:
    """A flex operator on paths of the canary, with TensorFlow's NodeDef in its options."""
    from flatbuffers import flexbuffers

    def text(value: bytes) -> bytes:
        return struct.pack("<iii", 1, 12, 12 + len(value)) + value

    tensors = [
        T(
            "path",
            (),
            "STRING",
            text(str(canary.victim if "Write" in name or "Delete" in name else canary.secret).encode()),
        ),
        T("content", (), "STRING", text(b"x")),
        T("out", (), "STRING"),
    ]
    plain = dense_tflite(more=tensors, operators=[Op("FULLY_CONNECTED", [0, 1, 2], [3]), Op(name, [4, 5], [6])])
    operator = name.removeprefix("Flex").encode()
    definition = b"\x0a" + bytes([len(operator)]) + operator + b"\x12" + bytes([len(operator)]) + operator

    def change(s: Any, whole: Any) -> None:
        options = flexbuffers.Dumps([operator.decode(), definition.decode("latin-1")])
        whole.subgraphs[0].operators[1].customOptions = list(options)

    return changed(plain, change)


def _operators() -> Iterator[tuple[str, Callable[[], bytes]]]:
    for name in ("Mine", "", "DISPATCH_OP", "\x1b[2J", "x" * 100_000):
        yield f"custom {name[:12]!r}", lambda name=name: _renamed(name)
    yield "DELEGATE", lambda: vendor_tflite.unary("DELEGATE")
    yield "PLACEHOLDER", lambda: vendor_tflite.unary("PLACEHOLDER_FOR_GREATER_OP_CODES")
    yield (
        "operator 9999",
        lambda: changed(dense_tflite(), lambda s, m: setattr(m.operatorCodes[0], "builtinCode", 9999)),
    )
    yield (
        "operator below zero",
        lambda: changed(dense_tflite(), lambda s, m: setattr(m.operatorCodes[0], "builtinCode", -5)),
    )


def _renamed(name: str) -> bytes:
    return changed(vendor_tflite.unary("Mine"), lambda s, m: setattr(m.operatorCodes[0], "customCode", name.encode()))


def _outside() -> Iterator[tuple[str, Callable[[Canary], bytes]]]:
    def external(name: Callable[[Canary], str]) -> Callable[[Canary], bytes]:
        def build(canary: Canary) -> bytes:
            def change(s: Any, whole: Any) -> None:
                whole.externalBufferGroups = [s.ExternalBufferGroupT(name=name(canary).encode())]
                whole.externalBuffers = [s.ExternalBufferT(id=1, group=0, offset=0, length=32, packing=b"raw")]
                whole.subgraphs[0].tensors[1].externalBuffer = 1
                whole.subgraphs[0].tensors[1].buffer = 0

            return changed(dense_tflite(), change)

        return build

    yield "external buffer, absolute", external(lambda c: str(c.secret))
    yield "external buffer, up", external(lambda c: f"../canary/{c.secret.name}")
    yield "external buffer, empty name", external(lambda _: "")

    def spans(offset: int, size: int) -> Callable[[Canary], bytes]:
        def change(s: Any, whole: Any) -> None:
            whole.buffers[1].data, whole.buffers[1].offset, whole.buffers[1].size = None, offset, size

        return lambda _: changed(dense_tflite(), change)

    for offset, size in ((1 << 40, 32), (2, 1 << 40), ((1 << 64) - 16, 32), (2, (1 << 64) - 2), (100, 32), (2, 32)):
        yield f"buffer at {offset} of {size}", spans(offset, size)


def _i32(*numbers: int) -> bytes:
    return np.array(numbers, "<i4").tobytes()


def _running() -> Iterator[tuple[str, Callable[[], bytes]]]:
    def one(name: str, shape: tuple[int, ...], data: bytes, count: int, *, first: bool = True) -> Callable[[], bytes]:
        more = [
            T("n", (count,) if count else (), "INT32", data),
            T("b", shape, "FLOAT32"),
            T("z", (), "FLOAT32", bytes(4)),
        ]
        inputs = [0, 4] if first else [4, 6]

        def newer(_: Any, whole: Any) -> None:
            whole.operatorCodes[1].version = 2 if name == "BROADCAST_TO" else 1

        operators = [Op("FULLY_CONNECTED", [0, 1, 2], [3]), Op(name, inputs, [5])]
        return lambda: changed(dense_tflite(more=more, operators=operators), newer)

    yield "BROADCAST_TO of 1 TiB", one("BROADCAST_TO", (1 << 19, 1 << 19), _i32(1 << 19, 1 << 19), 2)
    yield "BROADCAST_TO of 10 GiB", one("BROADCAST_TO", (10 << 26, 4), _i32(10 << 26, 4), 2)
    yield "FILL of 10 GiB", one("FILL", (10 << 26, 4), _i32(10 << 26, 4), 2, first=False)
    yield "FILL that wraps", one("FILL", (4,), _i32(1 << 16, 1 << 16, 1 << 16, 1 << 16), 4, first=False)
    yield "FILL below zero", one("FILL", (4,), _i32(-4, 4), 2, first=False)
    yield "TILE", one("TILE", (4, 4), _i32(1 << 30, 1 << 30), 2)
    yield "PAD", one("PAD", (4, 4), _i32(0, 1 << 30, 0, 1 << 30), 4)
    yield "RESHAPE below zero", one("RESHAPE", (4, 4), _i32(-1, -1), 2)
    yield "GATHER outside", one("GATHER", (1, 4), _i32(1 << 30), 1)
    yield "RESIZE_BILINEAR", one("RESIZE_BILINEAR", (1, 1), _i32(1 << 30, 1 << 30), 2)
    yield "CUMSUM", one("CUMSUM", (1, 4), _i32(77), 0)

    def ranged(low: float, high: float, step: float) -> Callable[[], bytes]:
        more = [T(n, (), "FLOAT32", struct.pack("<f", k)) for n, k in (("l", low), ("h", high), ("s", step))]
        more.append(T("b", (4,), "FLOAT32"))
        return lambda: dense_tflite(
            more=more, operators=[Op("FULLY_CONNECTED", [0, 1, 2], [3]), Op("RANGE", [4, 5, 6], [7])]
        )

    yield "RANGE of 1e12", ranged(0, 1e12, 1)
    yield "RANGE by zero", ranged(0, 1, 0)

    def convolution(**fields: int) -> Callable[[], bytes]:
        from ai_edge_litert import schema_py_generated as s

        tensors = [
            T("x", (1, 4, 4, 1), "FLOAT32"),
            T("w", (1, 3, 3, 1), "FLOAT32", np.ones(9, "<f4").tobytes()),
            T("b", (1,), "FLOAT32", bytes(4)),
            T("y", (1, 4, 4, 1), "FLOAT32"),
        ]
        options = s.Conv2DOptionsT(**{"strideW": 1, "strideH": 1, "padding": s.Padding.SAME, **fields})
        return lambda: model(tensors, [Op("CONV_2D", [0, 1, 2], [3], options)], [0], [3])

    yield "CONV_2D without stride", convolution(strideW=0, strideH=0)
    yield "CONV_2D with strides below zero", convolution(strideW=-1, strideH=-1)
    yield "CONV_2D with dilation 0", convolution(dilationHFactor=0, dilationWFactor=0)
    yield "CONV_2D with dilation 2**31-1", convolution(dilationHFactor=(1 << 31) - 1)
    for name in (
        "SPLIT",
        "CONCATENATION",
        "LSTM",
        "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "WHILE",
        "IF",
        "CALL_ONCE",
        "VAR_HANDLE",
        "READ_VARIABLE",
        "ASSIGN_VARIABLE",
        "HASHTABLE",
        "HASHTABLE_IMPORT",
        "TOPK_V2",
        "STRIDED_SLICE",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "SOFTMAX",
        "BIDIRECTIONAL_SEQUENCE_RNN",
        "EMBEDDING_LOOKUP_SPARSE",
        "STABLEHLO_COMPOSITE",
        "STABLEHLO_WHILE",
        "STABLEHLO_CUSTOM_CALL",
        "RANDOM_UNIFORM",
        "UNIQUE",
        "WHERE",
        "NON_MAX_SUPPRESSION_V5",
    ):
        yield f"{name} without options", lambda name=name: dense_tflite(operators=[Op(name, [0, 1, 2], [3])])
    yield from _recursive()


def _recursive() -> Iterator[tuple[str, Callable[[], bytes]]]:
    from ai_edge_litert import schema_py_generated as s

    ends = [T("i", (1, 4), "FLOAT32"), T("o", (1, 4), "FLOAT32")]
    flag = [T("i", (1, 4), "FLOAT32"), T("f", (), "BOOL", b"\1")]
    more = [T("r", (1, 4), "FLOAT32"), T("f", (), "BOOL", b"\1")]

    def graphs(
        operator: Op, *further: Any, inputs: tuple[tuple[list[int], list[int]], ...] = (([0], [1]), ([0], [1]))
    ) -> Callable[[], bytes]:
        def change(_: Any, whole: Any) -> None:
            for graph, (ins, outs) in zip(whole.subgraphs[1:], inputs, strict=False):
                graph.inputs, graph.outputs = ins, outs

        operators = [operator, Op("FULLY_CONNECTED", [0, 1, 2], [3])]
        return lambda: changed(dense_tflite(more=more, operators=operators, further=further), change)

    def loop(cond: int, body: int) -> Op:
        return Op("WHILE", [0], [4], s.WhileOptionsT(condSubgraphIndex=cond, bodySubgraphIndex=body))

    def choice(then: int, other: int) -> Op:
        return Op("IF", [5, 0], [4], s.IfOptionsT(thenSubgraphIndex=then, elseSubgraphIndex=other))

    copy = (ends, [Op("RELU", [0], [1])])
    yield "WHILE for ever", graphs(loop(1, 2), (flag, []), copy)
    yield "WHILE of itself", graphs(loop(0, 0), copy)
    yield "WHILE of no graph", graphs(loop(7, -1), copy)
    inner = (ends, [Op("WHILE", [0], [1], s.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=1))])
    yield "WHILE of a WHILE of itself", graphs(loop(1, 1), inner)
    yield "IF of itself", graphs(choice(0, 0), copy)
    again = (
        [*flag, T("o", (1, 4), "FLOAT32")],
        [Op("IF", [1, 0], [2], s.IfOptionsT(thenSubgraphIndex=1, elseSubgraphIndex=1))],
    )
    yield "IF of an IF of itself", graphs(choice(1, 1), again, inputs=(([0], [2]),))
    yield "IF of no graph", graphs(choice(99, 99), copy)
    yield "CALL_ONCE of itself", graphs(Op("CALL_ONCE", [], [], s.CallOnceOptionsT(initSubgraphIndex=0)), copy)
    once = ([], [Op("CALL_ONCE", [], [], s.CallOnceOptionsT(initSubgraphIndex=1))])
    yield (
        "CALL_ONCE of a CALL_ONCE of itself",
        graphs(Op("CALL_ONCE", [], [], s.CallOnceOptionsT(initSubgraphIndex=1)), once, inputs=(([], []),)),
    )
    yield "CALL_ONCE of no graph", graphs(Op("CALL_ONCE", [], [], s.CallOnceOptionsT(initSubgraphIndex=50)), copy)
    chain = [
        (ends, [Op("WHILE", [0], [1], s.WhileOptionsT(condSubgraphIndex=i + 2, bodySubgraphIndex=i + 2))])
        for i in range(3000)
    ]
    yield "3000 WHILEs deep", graphs(loop(1, 1), *chain, copy, inputs=(([0], [1]),) * 3002)


def _structure() -> Iterator[tuple[str, Callable[[], bytes]]]:
    def tensor(index: int, **fields: Any) -> Callable[[], bytes]:
        def change(_: Any, whole: Any) -> None:
            for name, value in fields.items():
                setattr(whole.subgraphs[0].tensors[index], name, value)

        return lambda: changed(dense_tflite(), change)

    def whole(change: Callable[[Any, Any], Any]) -> Callable[[], bytes]:
        return lambda: changed(dense_tflite(), change)

    yield "constant of 1 TiB", tensor(1, shape=[1 << 19, 1 << 19])
    yield "constant that wraps", tensor(1, shape=[1 << 16, 1 << 16, 1 << 16, (1 << 16) + 8])
    yield "constant below zero", tensor(1, shape=[-2, -4])
    yield "constant of 60 axes", tensor(1, shape=[1 << 30] * 60)
    yield "constant of 70 axes", tensor(1, shape=[1] * 70)
    yield "input of 1 TiB", tensor(0, shape=[1, 1 << 30, 1 << 8], shapeSignature=None)
    yield "input of no values", tensor(0, shape=[1, 0], shapeSignature=None)
    yield "input that wraps", tensor(0, shape=[1, 1 << 30, 1 << 30, 1 << 30], shapeSignature=None)
    yield "input that is constant", tensor(0, buffer=1)
    yield "output of 1 TiB", tensor(3, shape=[1 << 30, 1 << 8], shapeSignature=None)
    yield "buffer that is none", tensor(1, buffer=99)
    yield "type 77", tensor(1, type=77)
    yield "input of strings", tensor(0, type=5)
    yield "input of a resource", tensor(0, type=13)
    yield "variable constant", tensor(1, isVariable=True)
    yield "name with control characters", tensor(0, name=b"\x1b]0;x\x07\xe2\x80\xae\xff")
    yield "name of 5 MB", tensor(0, name=b"n" * 5_000_000)
    for scale in (0.0, -1.0, float("nan"), float("inf"), 1e-45):

        def quantized(s: Any, m: Any, scale: float = scale) -> None:
            q = s.QuantizationParametersT(scale=[scale], zeroPoint=[1 << 40])
            m.subgraphs[0].tensors[0].type, m.subgraphs[0].tensors[0].quantization = s.TensorType.INT8, q

        yield f"scale {scale}", whole(quantized)
    yield (
        "axis outside",
        whole(
            lambda s, m: setattr(
                m.subgraphs[0].tensors[1],
                "quantization",
                s.QuantizationParametersT(scale=[1, 2], zeroPoint=[0, 0], quantizedDimension=99),
            )
        ),
    )
    yield (
        "sparsity without an end",
        whole(
            lambda s, m: setattr(
                m.subgraphs[0].tensors[1],
                "sparsity",
                s.SparsityParametersT(
                    traversalOrder=[9, -9],
                    blockMap=[77],
                    dimMetadata=[s.DimensionMetadataT(format=1, denseSize=1 << 30)],
                ),
            )
        ),
    )
    yield (
        "signature outside",
        whole(
            lambda s, m: setattr(
                m,
                "signatureDefs",
                [
                    s.SignatureDefT(
                        inputs=[s.TensorMapT(name=b"x", tensorIndex=4_000_000_000)],
                        signatureKey=b"k",
                        subgraphIndex=4_000_000_000,
                    )
                ],
            )
        ),
    )
    yield "inputs outside", whole(lambda _, m: setattr(m.subgraphs[0], "inputs", [1 << 30]))
    yield "inputs below zero", whole(lambda _, m: setattr(m.subgraphs[0], "inputs", [-1]))
    yield "one input twice", whole(lambda _, m: setattr(m.subgraphs[0], "inputs", [0, 0]))
    yield (
        "operators in a circle",
        lambda: dense_tflite(
            more=[T("a", (1, 4), "FLOAT32"), T("b", (1, 4), "FLOAT32")],
            operators=[Op("ADD", [0, 5], [4]), Op("RELU", [4], [5]), Op("FULLY_CONNECTED", [0, 1, 2], [3])],
        ),
    )
    yield "no graph", whole(lambda _, m: setattr(m, "subgraphs", []))
    yield "no buffers", whole(lambda _, m: setattr(m, "buffers", None))
    yield "no operators", whole(lambda _, m: setattr(m.subgraphs[0], "operators", None))
    yield (
        "1e5 operators",
        lambda: dense_tflite(operators=[Op("RELU", [0], [0])] * 100_000 + [Op("FULLY_CONNECTED", [0, 1, 2], [3])]),
    )
    yield "shared options of 1 MB, 20,000 times", _shared
    yield "shared shapes of 1 MB, 20,000 times", lambda: _shared(shapes=True)
    for offset in (0, 1, 3, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF):
        yield f"root at {offset}", lambda offset=offset: struct.pack("<I", offset) + dense_tflite()[4:]


def _shared(*, shapes: bool = False) -> bytes:
    """One vector of 1 MB, used by 20,000 tables."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    b = flatbuffers.Builder(1 << 21)
    big = b.CreateNumpyVector(np.ones(1 << 18, np.int32)) if shapes else b.CreateByteVector(bytes(1 << 20))
    tables = []
    for _ in range(20_000):
        if shapes:
            s.TensorStart(b)
            s.TensorAddShape(b, big)
            tables.append(s.TensorEnd(b))
        else:
            s.OperatorStart(b)
            s.OperatorAddCustomOptions(b, big)
            tables.append(s.OperatorEnd(b))

    def vector(items: list[int]) -> int:
        b.StartVector(4, len(items), 4)
        for item in reversed(items):
            b.PrependUOffsetTRelative(item)
        return int(b.EndVector())

    rows = vector(tables)
    s.SubGraphStart(b)
    (s.SubGraphAddTensors if shapes else s.SubGraphAddOperators)(b, rows)
    graph = vector([s.SubGraphEnd(b)])
    s.OperatorCodeStart(b)
    s.OperatorCodeAddBuiltinCode(b, s.BuiltinOperator.RELU)
    codes = vector([s.OperatorCodeEnd(b)])
    s.ModelStart(b)
    s.ModelAddSubgraphs(b, graph)
    s.ModelAddOperatorCodes(b, codes)
    b.Finish(s.ModelEnd(b), b"TFL3")
    return bytes(b.Output())


def _attached() -> Iterator[tuple[str, Callable[[], bytes]]]:
    def archive(*entries: tuple[str, bytes]) -> bytes:
        tail = io.BytesIO()
        with zipfile.ZipFile(tail, "w", zipfile.ZIP_DEFLATED) as stream:
            for name, content in entries:
                stream.writestr(name, content)
        return dense_tflite() + tail.getvalue()

    yield "a zip bomb", lambda: archive(("labels.txt", bytes(100_000_000)))
    yield "paths", lambda: archive(("../../canary/victim.txt", b"x"), ("/etc/x", b"x"), ("\x1b[2J\n", b"x"))
    yield "20,000 entries", lambda: archive(*((f"{i}.txt", b"") for i in range(20_000)))

    def lying(data: bytes) -> bytes:
        at = data.rindex(b"PK\x05\x06")
        return data[: at + 8] + b"\xff" * 12 + data[at + 20 :]

    yield "a directory that lies", lambda: lying(archive(("a.txt", b"x")))
    yield "cut off", lambda: archive(("a.txt", b"x" * 100))[:-30]
