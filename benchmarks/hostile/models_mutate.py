"""Valid model files, changed: bytes, words, and fields of flatbuffers and of protobuf messages."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np

NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    31,
    64,
    127,
    128,
    255,
    256,
    65535,
    1 << 20,
    (1 << 31) - 1,
    -(1 << 31),
    1 << 40,
    (1 << 63) - 1,
)
TEXTS = ("", "x", "y", "../canary/secret.txt", "\0", "\x1b[2J", "é", "a" * 300)


def mutated(data: bytes, kind: str, rng: random.Random) -> tuple[str, bytes]:
    """Return what was done, and the changed file."""
    ways = [_flips, _flips, _words, _cut, _spliced, _fields, _fields, _fields]
    way = rng.choice(ways)
    if way is _fields:
        return ("flatbuffer fields", _tflite(data, rng)) if kind == "tflite" else ("protobuf fields", _onnx(data, rng))
    return {_flips: "bytes", _words: "words", _cut: "cut", _spliced: "spliced"}[way], way(data, rng)


def _fields(data: bytes, rng: random.Random) -> bytes:
    """Stand for the two functions below."""
    raise NotImplementedError


def _flips(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        out[rng.randrange(len(out))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(out)


def _words(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 2, 4))):
        a, b = (4 * rng.randrange(2, len(out) // 4) for _ in range(2))
        if rng.random() < 0.4:
            out[a : a + 4], out[b : b + 4] = out[b : b + 4], out[a : a + 4]
        else:
            struct.pack_into("<I", out, a, rng.choice(NUMBERS) & 0xFFFFFFFF)
    return bytes(out)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(8, len(data))] + rng.choice((b"", bytes(64), b"PK\x03\x04", rng.randbytes(32)))


def _spliced(data: bytes, rng: random.Random) -> bytes:
    a, b, n = rng.randrange(8, len(data)), rng.randrange(8, len(data)), rng.randrange(1, 64)
    return data[:a] + data[b : b + n] + data[a + rng.choice((0, n)) :]


def _tflite(data: bytes, rng: random.Random) -> bytes:
    """Change fields of the object form, and pack it."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    model = s.ModelT.InitFromPackedBuf(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        objects = _objects(model)
        owner = rng.choice(objects)
        name = rng.choice(sorted(vars(owner)))
        setattr(owner, name, _other(getattr(owner, name), rng))
    builder = flatbuffers.Builder(1024)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except Exception:  # a value that the field cannot hold
        return _flips(data, rng)
    return bytes(builder.Output())


def _objects(model: Any) -> list[Any]:
    found, stack = [], [model]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack += [part for part in item if hasattr(part, "__dict__")]
        elif hasattr(item, "__dict__"):
            found.append(item)
            stack += vars(item).values()
    return found


def _other(old: Any, rng: random.Random) -> Any:
    if isinstance(old, bool):
        return not old
    if isinstance(old, float):
        return rng.choice((0.0, -1.0, 1e38, float("nan"), float("inf"), 1e-45))
    if isinstance(old, int):
        return rng.choice((*NUMBERS[:14], old + 1, old - 1))
    if isinstance(old, (bytes, str)):
        return rng.choice(TEXTS).encode()
    if isinstance(old, (list, np.ndarray)) and len(old):
        items = list(old)
        action = rng.randrange(5)
        if action == 0:
            return items[: rng.randrange(len(items))]
        if action == 1:
            return items + [rng.choice(items)] * rng.choice((1, 2, 100))
        if action == 2:
            rng.shuffle(items)
            return items
        if action == 3 and isinstance(items[0], (int, float, np.number)):
            items[rng.randrange(len(items))] = rng.choice(NUMBERS[:12])
            return items
        return None
    return old if rng.random() < 0.5 else None


def _onnx(data: bytes, rng: random.Random) -> bytes:
    """Change fields of the message."""
    import onnx

    model = onnx.load_model_from_string(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        messages, stack = [], [model]
        while stack:
            message = stack.pop()
            messages.append(message)
            for field, content in message.ListFields():
                if field.message_type is not None:
                    stack += [content] if hasattr(content, "ListFields") else content
        owner = rng.choice(messages)
        field = rng.choice(owner.DESCRIPTOR.fields)
        try:
            _set(owner, field, rng)
        except (TypeError, ValueError):  # a number that the field cannot hold
            owner.ClearField(field.name)
    return bytes(model.SerializeToString())


def _set(owner: Any, field: Any, rng: random.Random) -> None:
    kinds = {field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE}
    content = getattr(owner, field.name)
    repeated = hasattr(content, "append") or hasattr(content, "add")
    if rng.random() < 0.2:
        owner.ClearField(field.name)
    elif field.message_type is not None:
        if repeated and len(content) and rng.random() < 0.5:
            content.add().CopyFrom(rng.choice(content))
        elif repeated and len(content):
            del content[rng.randrange(len(content))]
        elif repeated:
            content.add()
        else:
            content.SetInParent()
    else:
        new: Any = rng.choice(NUMBERS)
        if field.type == field.TYPE_STRING:
            new = rng.choice(TEXTS)
        elif field.type == field.TYPE_BYTES:
            new = rng.choice((b"", b"Conv", rng.randbytes(16), rng.choice(TEXTS).encode()))
        elif field.cpp_type in kinds:
            new = rng.choice((0.0, -1.0, 1e38, float("nan")))
        if not repeated:
            setattr(owner, field.name, new)
        elif len(content) and rng.random() < 0.6:
            content[rng.randrange(len(content))] = new
        else:
            content.append(new)
