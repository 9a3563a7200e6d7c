"""Heads of `.npy` files: what is one, what lies, and that nothing is evaluated or allocated on their word."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest

from benchmarks.hostile.data_files import arrays, headed, literal, npy
from edgekit.errors import InputError
from edgekit.formats.numpy import header
from edgekit.formats.numpy.header import read_array, read_header
from tests.support.raised import raised

X = arrays()["x_train"]


def read(data: bytes) -> np.ndarray:
    return read_array(io.BytesIO(data), len(data), "a.npz: x")


@pytest.mark.parametrize("kind", ["b1", "i1", "<i2", ">i4", "<i8", "u1", ">u8", "<f2", ">f4", "<f8", "<U3", ">U3"])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 2), (0, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes_is_read(kind: str, shape: tuple[int, ...], order: str) -> None:
    array = np.array(np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(kind), order=order)
    found = read(npy(array))
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    "text",
    [
        literal().replace("'", '"'),
        "{'shape': (60, 4), 'descr': '<f4', 'fortran_order': False}",
        "{ 'descr' : '<f4' ,\n 'fortran_order' : False , 'shape' : ( 60 , 4 , ) }",
        literal(shape="(60L, 4L)"),
    ],
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_what_others_write_is_read(text: str, version: tuple[int, int]) -> None:
    np.testing.assert_array_equal(read(headed(text, X.tobytes(), version)), X)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (headed(literal(shape="(1099511627776, 4)")), ("file-damaged", "17,592,186,044,416")),
        (headed(literal(shape="(4294967296, 4294967296)")), ("file-damaged",)),
        (headed(literal(shape="(9223372036854775808, 4)")), ("file-damaged",)),
        (headed(literal(shape="(0, 9223372036854775808)")), ("file-damaged",)),
        (headed(literal(shape=f"({'9' * 5000}, 4)")), ("file-damaged", "999")),
        (headed(literal(shape="(-60, 4)")), ("file-damaged", "(-60, 4)")),
        (headed(literal(shape="(-60, -4)")), ("file-damaged",)),
        (headed(literal(shape="(" + "1, " * 40 + ")")), ("file-damaged", "40", "32")),
        (headed(literal(shape="(60.0, 4)")), ("file-damaged",)),
        (headed(literal(shape="(٦٠, ٤)"), version=(3, 0)), ("file-damaged",)),
        (headed(literal(shape="(" * 4000 + ")" * 4000), version=(2, 0)), ("file-damaged",)),
        (headed("[" * 9000, version=(2, 0)), ("file-damaged",)),
        (headed(literal(shape="(" + "-" * 9000 + "1,)"), version=(2, 0)), ("file-damaged",)),
        (headed(literal(shape="(9**9**9, 4)")), ("file-damaged",)),
        (headed(literal() + " " * 2_000_000, version=(2, 0)), ("file-damaged", "2,000", "10,000")),
        (headed(literal(), b"", (2, 0), 0xFFFFFFFF), ("file-damaged", "4,294,967,295")),
        (headed(literal(), b"", (1, 0), 5000), ("file-damaged",)),
        (headed(literal(), version=(4, 0)), ("file-damaged", "4.0")),
        (headed(literal().encode() + b"\xff", version=(3, 0)), ("file-damaged",)),
        (headed(literal("'|O'")), ("array-not-numbers",)),
        (headed(literal("'O8'")), ("array-not-numbers",)),
        (headed(literal("[('a', '<f4')]")), ("array-not-numbers",)),
        (headed(literal("[('a', '|O')]")), ("array-not-numbers",)),
        (headed(literal("'<M8[ns]'")), ("array-not-numbers", "<M8[ns]")),
        (headed(literal("'|V4'")), ("array-not-numbers",)),
        (headed(literal("'<c8'")), ("array-not-numbers",)),
        (headed(literal("'<f16'")), ("array-not-numbers",)),
        (headed(literal("'<U0'", shape="(4000000000000000000,)"), b""), ("array-not-numbers",)),
        (headed(literal("'f4,f4'")), ("array-not-numbers",)),
        (headed(literal("__import__('os').abort()")), ("file-damaged",)),
        (headed(literal(fortran="1")), ("file-damaged",)),
        (headed(literal()[:-1] + "'shape': (1, 4), }"), ("file-damaged",)),
        (headed(literal()[:-1] + "'more': (1, 4), }"), ("file-damaged",)),
        (headed("{'descr': '<f4', 'fortran_order': False, }"), ("file-damaged",)),
        (headed(literal() + "; import os"), ("file-damaged",)),
        (npy(X)[:-1], ("file-damaged", "960")),
        (b"", ("file-damaged",)),
        (b"\x93NUMPY", ("file-damaged",)),
        (b"\x80\x04cos\nsystem\n(S'true'\ntR.", ("file-damaged",)),
    ],
)
def test_what_lies_is_refused(data: bytes, expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header.np, "empty", lambda *_: pytest.fail("allocated"))
    with raised(*expected) as caught:
        read(data)
    assert caught.value.hint


def test_more_than_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(header.np, "empty", full)
    with raised("array-larger-than-memory"):
        read(npy(X))


def test_bytes_that_end_early() -> None:
    data = npy(X)
    with raised("file-damaged", "960", "900"):
        read_array(io.BytesIO(data[:-60]), len(data), "a.npz: x")


def test_mutated_headers() -> None:
    rng = random.Random(0)
    sound = npy(X)
    grammar = "{}()[]'\",:-0123456789LOUf<>|= TrueFalse\0\x93"
    read_so_far = 0
    for _ in range(3000):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 3)):
            at, do = rng.randrange(0, 80), rng.randrange(3)
            if do == 0:
                data[at] = rng.randrange(256)
            elif do == 1:
                data[at] = ord(rng.choice(grammar))
            else:
                data[at:at] = rng.choice(grammar).encode("latin-1")
        try:
            head = read_header(io.BytesIO(data), len(data), "x")
        except InputError as error:
            assert error.message.startswith("x ")
            continue
        read_so_far += 1
        assert head.start + head.nbytes <= len(data)
        assert head.dtype.kind in "biufU"
        assert min(head.shape, default=0) >= 0
    assert 20 < read_so_far < 2900
