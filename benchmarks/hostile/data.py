"""Data files: links, pipes, headers that lie, zip bombs, odd tables, odd pictures, odd labels, code that fails."""

from __future__ import annotations

import os
import random
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile import data_files as made
from benchmarks.hostile.case import Canary, Case

PRELOAD = ("edgekit.pipeline.run",)
COUNT = 1600
Make = Callable[[Canary], str]


@dataclass(frozen=True)
class Given:
    """What is given to `--data`.

    Attributes:
        kind, name: as of a case.
        make: writes the files and returns what to type.
        works: whether exit code 0 is right, too.
        images: whether the model should take images.
        once: for slow ones: only with `compress`.
    """

    kind: str
    name: str
    make: Make
    works: bool = False
    images: bool = False
    once: bool = False


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield every crafted input with `compress` and most with `bench`, then mutated files, `count` in all."""
    crafted = [
        *_links(),
        *_special(),
        *_headers(),
        *_members(),
        *_sizes(),
        *_tables(),
        *_images(),
        *_values(),
        *_code(),
    ]
    left = count
    for command in ("compress", "bench"):
        for given in crafted:
            if left > 0 and not (given.once and command == "bench"):
                left -= 1
                yield _case(given, command)
    for case in _bundles():
        if left > 0:
            left -= 1
            yield case
    for number in range(left):
        yield _case(_mutated(seed, number), ("compress", "bench")[number % 2])


def _case(given: Given, command: str) -> Case:
    def make(canary: Canary) -> Sequence[str]:
        Path("model.tflite").write_bytes(made.image_model() if given.images else made.rows_model())
        return _argv(command, given.make(canary))

    return Case(given.kind, f"{command} {given.name}", make, may_work=given.works)


def _argv(command: str, data: str) -> Sequence[str]:
    if command == "compress":
        return ["compress", "model.tflite", "--data", data, "--recipe", "dynamic", "--anyway", "-o", "out"]
    return ["bench", "model.tflite", "--data", data, "--no-latency", "--no-memory", "--out", "records"]


def _write(name: str, content: bytes | str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
    return name


def _arrays(folder: str, **changed: Any) -> str:
    for key, data in made.members(**changed):
        _write(f"{folder}/{key}", data)
    return folder


def _pictures(folder: str, classes: Sequence[str] = ("cat", "dog"), count: int = 8) -> str:
    for index, name in enumerate(classes):
        for i in range(count):
            _write(f"{folder}/{name}/{i}.png", made.png(rows=(b"\0" + bytes([(9 * i + index) % 256] * 8)) * 8))
    return folder


def _link(path: str, target: object) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).symlink_to(str(target))


def _links() -> Iterator[Given]:
    def picture(path: str, target: Callable[[Canary], object]) -> Make:
        def make(canary: Canary) -> str:
            _pictures("set"), _link(path, target(canary))
            return "set"

        return make

    pictures: dict[str, tuple[str, Callable[[Canary], object], bool]] = {
        "a picture": ("set/cat/z.png", lambda c: c.secret, False),
        "a picture, relative": ("set/cat/z.png", lambda c: f"../../../canary/{c.secret.name}", False),
        "a deep picture": ("set/cat/a/b/z.jpg", lambda c: c.secret, False),
        "a class": ("set/tiger", lambda c: c.folder, False),
        "a class, to the root": ("set/tiger", lambda c: "/", False),
        "a class, to /proc": ("set/tiger", lambda c: "/proc/self", False),
        "a class, to the folder above": ("set/tiger", lambda c: "../..", False),
        "a picture of what is there": ("set/cat/z.png", lambda c: "../dog/0.png", True),
        "a class twice": ("set/tiger", lambda c: "cat", True),
        "a picture, to a device": ("set/cat/z.png", lambda c: "/dev/zero", True),
        "a picture, to its environment": ("set/cat/z.png", lambda c: "/proc/self/environ", False),
        "a picture, to itself": ("set/cat/z.png", lambda c: "z.png", True),
        "a picture, to nothing outside": ("set/cat/z.png", lambda c: c.marker, True),
    }
    for name, (path, target, works) in pictures.items():
        yield Given("links", name, picture(path, target), works, images=True)

    def part(name: str, target: Callable[[Canary], object]) -> Make:
        def make(canary: Canary) -> str:
            _pictures("set/train"), _link(f"set/{name}", target(canary))
            return "set"

        return make

    yield Given("links", "a test folder", part("test", lambda c: c.folder), images=True)
    yield Given("links", "a validation folder", part("val", lambda c: c.folder), images=True)

    def arrays(key: str, target: Callable[[Canary], object], between: bool = False) -> Make:
        def make(canary: Canary) -> str:
            _arrays("set", **{key: None})
            _link(f"set/{key}.npy", "hop" if between else target(canary))
            if between:
                _link("set/hop", target(canary))
            return "set"

        return make

    for key in ("x_train", "y_train", "x_test"):
        yield Given("links", f"{key}.npy", arrays(key, lambda c: c.secret))
    yield Given("links", "x_train.npy over another", arrays("x_train", lambda c: c.secret, between=True))
    yield Given("links", "x_train.npy, to a device", arrays("x_train", lambda c: "/dev/zero"))
    yield Given("links", "x_test.npy, to one beside it", arrays("x_test", lambda c: "x_train.npy"))
    yield Given("links", "y_train.npy, to itself", arrays("y_train", lambda c: "y_train.npy"))

    def table(name: str) -> Make:
        def make(canary: Canary) -> str:
            _write("set/train.csv", _csv()) if name == "test.csv" else None
            _link(f"set/{name}", canary.secret)
            return "set"

        return make

    yield Given("links", "train.csv", table("train.csv"))
    yield Given("links", "test.csv", table("test.csv"))

    def whole(canary: Canary) -> str:
        _arrays("real"), _link("set", "real")
        return "set"

    yield Given("links", "the folder itself", whole, works=True)


def _csv(rows: int = 40, header: str = "a,b,c,d,t", row: str = "{i},1.5,{i},2,{k}\n", end: str = "\n") -> str:
    return header + end + "".join(row.format(i=i, k=i % 3) for i in range(rows))


def _special() -> Iterator[Given]:
    def fifo(name: str, spec: str = "", folder: bool = False) -> Make:
        def make(canary: Canary) -> str:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            os.mkfifo(name)
            return spec or name

        return make

    for name in ("pipe", "pipe.npz", "pipe.npy", "pipe.csv", "pipe.tsv", "pipe.png", "pipe.py"):
        yield Given("pipes and devices", f"a named pipe {name}", fifo(name))
    yield Given("pipes and devices", "a pipe as code", fifo("pipe.py", "pipe.py:load"))
    yield Given("pipes and devices", "a pipe with options", fifo("pipe.csv", "pipe.csv?target=a"))
    yield Given("pipes and devices", "a pipe x_train.npy", fifo("set/x_train.npy", "set"))
    yield Given("pipes and devices", "a pipe train.csv", fifo("set/train.csv", "set"))

    def among_pictures(canary: Canary) -> str:
        _pictures("set"), os.mkfifo("set/cat/z.png")
        return "set"

    def listening(canary: Canary) -> str:
        # A name relative to the current folder: addresses are short.
        socket.socket(socket.AF_UNIX).bind("socket.npz")
        return "socket.npz"

    yield Given("pipes and devices", "a pipe among pictures", among_pictures, works=True, images=True)
    yield Given("pipes and devices", "a socket", listening)
    devices = (
        "/dev/zero", "/dev/full", "/dev/null", "/dev/random", "/dev/stdin", "/dev/tty", "/proc/kmsg", "/proc/self/mem",
        "/proc/self/pagemap", "/proc/kcore", "/proc/self/environ", "/proc/self/fd/0", "/proc/self/cmdline", "/dev",
        "/dev/fd/1", "/sys/kernel/debug", "/proc/self/ns/net", "/proc",
    )  # fmt: skip
    for name in devices:
        yield Given("pipes and devices", name, lambda c, name=name: name)
    names = {
        "a long name": "n" * 300 + ".npz", "a long path": "n/" * 3000 + "x.npz", "a very long name": "n" * 100_000,
        "a long name of code": "n" * 300 + ".py:load", "a long option": "set.csv?target=" + "n" * 300,
        "NUL": "a\0b.npz", "NUL in code": "a\0b.py:load", "no such user": "~nobody-of-this-name/x.npz",
        "no such user's code": "~nobody-of-this-name/x.py:load", "nothing": "", "a question mark": "?",
        "only an option": "?a=b",
        "a line end": "a\nb.npz", "an escape": "\x1b[31mred.npz", "not UTF-8": "\udcff\udcfe.npz",
        "a folder": ".", "a missing module": "no.such.module:load", "a module that is a script": "__main__:load",
        "dots": "..:load", "an option without a value": "set.csv?target", "%00": "set.csv?target=%00",
        "%ff": "set.csv?target=%ff",
        "a path as target": "set.csv?target=../../canary/secret.txt", "twice": "set.csv?target=a&target=b",
        "a share of nan": "set.csv?test=nan", "a share of 1e-9": "set.csv?test=1e-9", "size": "set.csv?size=9x9",
    }  # fmt: skip
    for name, spec in names.items():

        def typed(canary: Canary, spec: str = spec) -> str:
            _write("set.csv", _csv())
            return spec

        yield Given("names", name, typed, works=name == "a share of 1e-9")

    def loop(canary: Canary) -> str:
        _link("a.npz", "b.npz"), _link("b.npz", "a.npz")
        return "a.npz"

    def code_loop(canary: Canary) -> str:
        _link("a.py", "a.py")
        return "a.py:load"

    yield Given("names", "links in a circle", loop)
    yield Given("names", "code in a circle", code_loop)


_FORTRAN = np.asfortranarray(made.arrays()["x_train"])


def _headers() -> Iterator[Given]:
    head, literal = made.headed, made.literal
    values = made.arrays()["x_train"].tobytes()
    lies: dict[str, tuple[bytes, bool]] = {
        "2**40 rows": (head(literal(shape="(1099511627776, 4)")), False),
        "2**64 values": (head(literal(shape="(4294967296, 4294967296)")), False),
        "2**63 rows": (head(literal(shape="(9223372036854775808, 4)")), False),
        "10**30 rows": (head(literal(shape=f"({10**30}, 4)")), False),
        "5,000 digits": (head(literal(shape=f"({'9' * 5000}, 4)")), False),
        "a negative size": (head(literal(shape="(-60, 4)")), False),
        "two negative sizes": (head(literal(shape="(-60, -4)")), False),
        "-1 rows": (head(literal(shape="(-1, 4)")), False),
        "-2**63 rows": (head(literal(shape="(-9223372036854775808, 4)")), False),
        "no rows": (head(literal(shape="(0, 4)"), b""), False),
        "no columns": (head(literal(shape="(60, 0)"), b""), False),
        "no rows of 2**61": (head(literal(shape="(0, 2305843009213693951)"), b""), False),
        "a scalar": (head(literal(shape="()"), b"\0\0\0\0"), False),
        "one row": (head(literal(shape="(60,)"), values), False),
        "40 axes": (head(literal(shape="(" + "1, " * 39 + "60)")), False),
        "70 axes": (head(literal(shape="(" + "1, " * 69 + "60)")), False),
        "a shape of fractions": (head(literal(shape="(60.0, 4)")), False),
        "a shape of truth": (head(literal(shape="(True, 4)")), False),
        "a shape as list": (head(literal(shape="[60, 4]")), False),
        "a shape as number": (head(literal(shape="240")), False),
        "a shape as text": (head(literal(shape="'60'")), False),
        "a shape of None": (head(literal(shape="None")), False),
        "hexadecimal": (head(literal(shape="(0x3c, 4)"), values), False),
        "underlines": (head(literal(shape="(6_0, 4)"), values), False),
        "a sum": (head(literal(shape="(30+30, 4)"), values), False),
        "a power": (head(literal(shape="(9**9**9, 4)"), values), False),
        "other digits": (head(literal(shape="(٦٠, ٤)"), values, (3, 0)), False),
        "a deep tuple": (head(literal(shape="(" * 4000 + ")" * 4000), b"", (2, 0)), False),
        "a deep list": (head("[" * 9000, b"", (2, 0)), False),
        "a deep minus": (head(literal(shape="(" + "-" * 9000 + "1,)"), b"", (2, 0)), False),
        "2 MB of header": (head(literal() + " " * 2_000_000, values, (2, 0)), False),
        "2 MB of digits": (head(literal(shape=f"({'9' * 2_000_000},)"), values, (2, 0)), False),
        "4 GiB of header": (head(literal(), values, (2, 0), 0xFFFFFFFF), False),
        "a short header": (head(literal(), values, (1, 0), 20), False),
        "no header": (head("", values, (1, 0), 0), False),
        "version 0.0": (head(literal(), values, (0, 0)), False),
        "version 4.0": (head(literal(), values, (4, 0)), False),
        "version 255.255": (head(literal(), values, (255, 255)), False),
        "version 2": (head(literal(), values, (2, 0)), True),
        "version 3": (head(literal(), values, (3, 0)), True),
        "version 3 of no text": (head(literal().encode() + b"\xff", values, (3, 0)), False),
        "NUL": (head(literal() + "\0", values), False),
        "objects": (head(literal("'|O'"), b"cos\nsystem\n(S'true'\ntR."), False),
        "objects of 8 bytes": (head(literal("'O8'")), False),
        "records": (head(literal("[('a', '<f4')]")), False),
        "records of objects": (head(literal("[('a', '|O')]")), False),
        "records in records": (head(literal("[('a', [('b', [('c', '<f4')])])]")), False),
        "bytes": (head(literal("'|V4'")), False),
        "times": (head(literal("'<M8[ns]'"), b"\0" * 1920), False),
        "spans of time": (head(literal("'<m8[s]'"), b"\0" * 1920), False),
        "texts": (head(literal("'<U4'"), b"\0" * 3840), False),
        "texts of no characters": (head(literal("'<U4'"), b"\xff" * 3840), False),
        "texts of no length": (head(literal("'<U0'", shape="(9000000000000000000,)"), b""), False),
        "texts of 2 GiB": (head(literal("'<U536870911'", shape="(1, 4)")), False),
        "strings": (head(literal("'|S4'")), False),
        "complex": (head(literal("'<c8'"), b"\0" * 1920), False),
        "128 bits": (head(literal("'<f16'"), b"\0" * 3840), False),
        "a type of code": (head(literal("__import__('os').system('true')")), False),
        "a type as text of code": (head(literal("'f4; import os'")), False),
        "a type with commas": (head(literal("'f4,f4'")), False),
        "a type of a million": (head(literal("'" + "f4," * 2000 + "'")), False),
        "an unknown type": (head(literal("'<q9'")), False),
        "a type None": (head(literal("None")), False),
        "an order of 1": (head(literal(fortran="1"), values), False),
        "an order as text": (head(literal(fortran="'False'"), values), False),
        "a key too many": (head(literal()[:-1] + "'more': 1, }", values), False),
        "a key too few": (head("{'descr': '<f4', 'fortran_order': False, }", values), False),
        "a key twice": (head(literal()[:-1] + "'shape': (1, 4), }", values), False),
        "a set": (head("{'descr', 'fortran_order', 'shape'}", values), False),
        "code": (head("__import__('os').system('true')", values), False),
        "something behind it": (head(literal() + "; import os", values), False),
        "double quotes": (head(literal().replace("'", '"'), values), True),
        "other order of keys": (head("{'shape': (60, 4), 'descr': '<f4', 'fortran_order': False}", values), True),
        "Python 2": (head(literal(shape="(60L, 4L)"), values), True),
        "Fortran order": (made.npy(_FORTRAN), True),
        "big-endian": (made.npy(made.arrays()["x_train"].astype(">f4")), True),
        "big-endian doubles": (made.npy(made.arrays()["x_train"].astype(">f8")), True),
        "one byte too few": (made.npy(made.arrays()["x_train"])[:-1], False),
        "bytes behind it": (made.npy(made.arrays()["x_train"]) + b"\0" * 99, True),
        "empty": (b"", False),
        "only the magic": (made.MAGIC, False),
        "another magic": (b"\x92NUMPY" + made.npy(made.arrays()["x_train"])[6:], False),
        "a zip file": (made.npz(made.members()), False),
        "a pickle": (b"\x80\x04cos\nsystem\n(S'true'\ntR.", False),
    }  # fmt: skip
    for name, (content, works) in lies.items():

        def member(canary: Canary, content: bytes = content) -> str:
            return _write("set.npz", made.npz(made.members(x_train=content)))

        def folder(canary: Canary, content: bytes = content) -> str:
            return _arrays("set", x_train=content)

        yield Given("headers in .npz", name, member, works)
        yield Given("headers of .npy", name, folder, works)

    class Bomb:
        def __init__(self, command: str) -> None:
            self._command = command

        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (self._command,)

    for key in ("x_train", "y_train", "class_names"):

        def pickled(canary: Canary, key: str = key) -> str:
            return _write("set.npz", made.npz(made.members(**{key: np.array([Bomb(canary.command)] * 60, object)})))

        yield Given("headers in .npz", f"objects that run a command in {key}", pickled)

    def alone(canary: Canary) -> str:
        return _write("set.npz", b"\x80\x04" + f"cos\nsystem\n(S'{canary.command}'\ntR.".encode())

    yield Given("headers in .npz", "a pickle that runs a command", alone)


def _members() -> Iterator[Given]:
    sound = made.members()
    good = dict(sound)
    x = good["x_train.npy"]

    def by_hand(**said: int) -> bytes:
        return made.packed([(n.encode(), d, said if n.startswith("x_train") else {}) for n, d in sound])

    deflated = zlib.compress(x)[2:-4]
    whole = made.npz(sound)
    end = whole.rindex(b"PK\x05\x06")
    files: dict[str, tuple[bytes, bool]] = {
        "an absolute name": (made.npz([*sound, ("/etc/x_train.npy", x)]), False),
        "a name with ..": (made.npz([*sound, ("../../x_train.npy", x)]), False),
        "a name with .. inside": (made.npz([*sound, ("x_train/../../a.npy", x)]), False),
        "a name with backslashes": (made.npz([*sound, ("..\\..\\x_train.npy", x)]), False),
        "a drive": (made.npz([*sound, ("\\\\host\\x_train.npy", x)]), False),
        "NUL in a name": (made.packed([(b"x_train\0.npy", x, {})]), False),
        "only NUL bytes": (made.packed([(b"\0\0\0\0", x, {})]), False),
        "no name": (made.packed([(b"", x, {})]), False),
        "a name twice": (made.npz([*sound, ("x_train.npy", x)]), False),
        "a key twice": (made.npz([*sound, ("x_train", x)]), False),
        "a name of 300 bytes": (made.npz([*sound, ("n" * 300 + ".npy", x)]), True),
        "an input of 300 bytes": (made.npz([(f"x_train/{'n' * 300}.npy", x)]), False),
        "a name of 60,000 bytes": (made.npz([*sound, ("n" * 60_000 + ".npy", x)]), False),
        "control characters": (made.npz([*sound, ("x_train/\x1b[31m.npy", x)]), False),
        "a line end": (made.npz([*sound, ("x_train/a\nb.npy", x)]), False),
        "from right to left": (made.npz([*sound, ("x_train/\u202e.npy", x)]), False),
        "a name of no text": (made.packed([(b"x_train/\xff\xfe.npy", x, {"flags": 0x800})]), False),
        "a folder": (made.npz([("x_train/", b""), *sound]), True),
        "a folder x_train.npy": (made.npz([("x_train.npy/", b""), *sound[1:]]), False),
        "a text beside": (made.npz([*sound, ("README.txt", b"hello")]), True),
        "a text as array": (made.npz(made.members(x_train=b"hello")), False),
        "a zip file as array": (made.npz(made.members(x_train=whole)), False),
        "bzip2": (made.npz(sound, zipfile.ZIP_BZIP2), False),
        "LZMA": (made.npz(sound, zipfile.ZIP_LZMA), False),
        "method 99": (by_hand(method=99), False),
        "method 1": (by_hand(method=1), False),
        "encrypted": (by_hand(flags=0x1), False),
        "encrypted strongly": (by_hand(flags=0x41), False),
        "patched data": (by_hand(flags=0x20), False),
        "a size too small": (by_hand(size=10), False),
        "a size too large": (by_hand(size=1 << 30), False),
        "4 GiB": (by_hand(size=0xFFFFFFFF, packed=0xFFFFFFFF), False),
        "both too large": (by_hand(size=1 << 30, packed=1 << 30), False),
        "both too small": (by_hand(size=500, packed=500), False),
        "deflated of another size": (
            made.packed([(b"x.npy", deflated, {"method": 8, "size": 10**6, "crc": 0})]), False),
        "deflated of 1 TiB": (made.packed([(b"x.npy", deflated, {"method": 8, "size": 0xFFFFFFFE, "crc": 0})]), False),
        "deflated noise": (made.packed([(b"x.npy", x, {"method": 8, "size": len(x)})]), False),
        "a wrong checksum": (by_hand(crc=1), False),
        "an offset behind the end": (by_hand(offset=1 << 30), False),
        "an offset of 2**32 - 2": (by_hand(offset=0xFFFFFFFE), False),
        "an offset into the middle": (by_hand(offset=100), False),
        "extra zeros": (by_hand(extra=99), True),
        "one place for two": (made.packed([(n.encode(), d, {"offset": 0}) for n, d in sound]), False),
        "overlapping": (made.packed([(n.encode(), d, {"offset": 40 * i}) for i, (n, d) in enumerate(sound)]), False),
        "bytes before it": (b"#!/bin/sh\nexit 1\n" + whole, False),
        "bytes behind it": (whole + b"\0" * 500, True),
        "a comment with another end": (whole[:-2] + struct.pack("<H", 22) + whole[end:], True),
        "no directory": (whole[:end], False),
        "a directory that lies": (whole[: end + 12] + struct.pack("<II", 0xFFFFFF, 0) + b"\0\0", False),
        "many disks": (whole[: end + 4] + b"\5\0\5\0" + whole[end + 8 :], True),
        "60,000 members": (made.npz([*sound, *((f"{i}", b"") for i in range(60_000))]), True),
        "5,000 inputs": (made.npz([(f"x_train/{i}.npy", made.npy(np.zeros((4, 1)))) for i in range(5000)]), False),
        "no members": (made.npz([]), False),
        "two classes of one name": (made.npz(made.members(class_names=np.array(["a", "a", "b"]))), False),
        "names of classes with signs": (
            made.npz(made.members(class_names=np.array(["a\n", "\x1b[2J", "\u202eb"]))), True),
        "names of classes of no text": (made.npz(made.members(class_names=np.array(["a", "\ud800", "\udcff"]))), True),
        "long names of classes": (made.npz(made.members(class_names=np.array(["a", "b" * 9999, "c"]))), False),
        "a million names of classes": (made.npz(made.members(class_names=np.arange(200_000).astype(str))), False),
        "a row of names of classes": (made.npz(made.members(class_names=np.array([["a", "b", "c"]]))), False),
        "names of classes of bytes": (made.npz(made.members(class_names=np.array([b"a", b"b", b"c"]))), False),
    }  # fmt: skip
    for name, (content, works) in files.items():
        yield Given("members of .npz", name, lambda c, content=content: _write("set.npz", content), works)


def _sizes() -> Iterator[Given]:
    every = (b"x_train.npy", b"y_train.npy", b"x_test.npy", b"y_test.npy")
    many = tuple(f"x_train/{i}.npy".encode() for i in range(4))
    for name, gib, names in (("2 GiB", 2, every[:1]), ("3 GiB each", 3, every), ("4 of 1 GiB", 1, many)):
        yield Given("zip bombs", name, lambda c, g=gib, n=names: _write("set.npz", made.bomb(g, n)), once=True)

    def sparse(name: str, head: bytes = b"", size: int = 1900 << 20) -> Make:
        def make(canary: Canary) -> str:
            _write(name, head)
            os.truncate(name, size)
            return name

        return make

    for name, head in (
        ("set.npz", b"PK\x03\x04"),
        ("set.npz", b""),
        ("set.csv", b""),
        ("set.csv", b"a,b,c,d,t\n1,2,3,4,"),
    ):
        yield Given("large files", f"{name} with {head!r}", sparse(name, head), once=True)

    for name in ("x_train", "y_train", "x_test"):
        # The values are a hole in the file: nothing is on the disk.
        columns = ", 4" if name != "y_train" else ","
        count = (1900 << 20) // (4 if name == "y_train" else 16)
        head = made.headed(made.literal(shape=f"({count}{columns})"), b"")

        def holes(canary: Canary, name: str = name, head: bytes = head) -> str:
            _arrays("set"), sparse(f"set/{name}.npy", head, (1901 << 20))(canary)
            return "set"

        yield Given("large files", f"{name}.npy of holes", holes, once=True)

    def large_picture(canary: Canary) -> str:
        _pictures("set")
        sparse("set/cat/z.png", made.png()[:60])(canary)
        return "set"

    yield Given("large files", "a picture of 1.9 GB", large_picture, images=True, once=True)


def _tables() -> Iterator[Given]:
    texts: dict[str, tuple[str | bytes, bool]] = {
        "one line of 20 MB": ("a,b,c,d,t\n" + "1," * 10_000_000, False),
        "a late line of 20 MB": (_csv() + "1" * 20_000_000 + "\n", False),
        "a million columns": (",".join(f"c{i}" for i in range(1_000_000)) + "\n" + "1," * 999_999 + "1\n", False),
        "49,999 columns of one name": ("a," * 49_998 + "a\n" + "1," * 49_998 + "1\n", False),
        "a row of a million": (_csv() + "1," * 1_000_000 + "1\n", False),
        "NUL bytes": (b"\0" * 1000, False),
        "NUL in a cell": (_csv().replace("1.5", "1\0", 1), False),
        "NUL in a header": (_csv(header="a\0,b,c,d,t"), True),
        "an escape in a header": (_csv(header="a\x1b[31m,b,c,d,t"), True),
        "a line end in a header": (_csv(header='"a\nb",b,c,d,t'), True),
        "from right to left": (_csv(header="a\u202e,b,c,d,t"), True),
        "two headers that look alike": (_csv(header="a\x01,a\\x01,c,d,t"), False),
        "a header of 100,000 characters": (_csv(header="a" * 100_000 + ",b,c,d,t"), False),
        "a cell of 100,000 digits": (_csv() + "9" * 100_000 + ",1,1,1,1\n", False),
        "classes of 100,000 characters": (_csv(row="{i},1,{i},2," + "x" * 100_000 + "{k}\n", rows=9), False),
        "UTF-16": (_csv().encode("utf-16"), False),
        "UTF-16 without BOM": (_csv().encode("utf-16-le"), False),
        "UTF-32": (_csv().encode("utf-32"), False),
        "Latin-1": ("ä,b,c,d,t\n1,2,3,4,5\n".encode("latin-1"), False),
        "a late Latin-1": (_csv(4000).encode() + b"\xe4,1,1,1,1\n", False),
        "a surrogate": (b"\xed\xa0\x80,b,c,d,t\n1,2,3,4,5\n", False),
        "an overlong character": (b"\xc0\xaf,b,c,d,t\n1,2,3,4,5\n", False),
        "BOM": (("\ufeff" + _csv()).encode(), True),
        "BOM twice": (("\ufeff\ufeff" + _csv()).encode(), True),
        "lone \\r": (_csv().replace("\n", "\r"), True),
        "mixed line ends": (_csv().replace("\n", "\r\n", 5).replace("\n", "\r", 3), True),
        "other line ends": (_csv().replace("\n", "\u2028"), False),
        "an open quote": (_csv() + '"1,2,3,4,5\n' * 20_000, False),
        "an open quote in the header": ('"' + _csv(), False),
        "only quotes": ('"' * 100_000, False),
        "only commas": ("," * 100_000 + "\n", False),
        "only line ends": ("\n" * 1_000_000, False),
        "only spaces": (" " * 1_000_000, False),
        "a quote in a quote": (_csv() + '"1""2",3,4,5,0\n', False),
        "1e999999": (_csv() + "1e999999,1,1,1,1\n", False),
        "a target of 1e999999": (_csv() + "1,1,1,1,1e999999\n", False),
        "a target of +-1": (_csv() + "1,1,1,1,+-1\n", False),
        "a target of --1": (_csv().replace(",2,0", ",2,--1"), True),
        "a target of 2**63": (_csv() + f"1,1,1,1,{2**63}\n", False),
        "a target of -1": (_csv() + "1,1,1,1,-1\n", False),
        "a target of 10**9": (_csv() + "1,1,1,1,1000000000\n", False),
        "targets of 1e300": (_csv(row="{i},1,{i},2,1e300\n"), False),
        "-1e400": (_csv() + "-1e400,1,1,1,1\n", False),
        "infinity": (_csv() + "infinity,1,1,1,1\n", False),
        "nan": (_csv() + "nan(1),1,1,1,1\n", False),
        "1_000": (_csv() + "1_000,1,1,1,1\n", False),
        "hexadecimal": (_csv() + "0x10,1,1,1,1\n", False),
        "other digits": (_csv() + "٣,1,1,1,1\n", True),
        "formulas": (_csv() + "=cmd|' /C calc'!A0,1,1,1,1\n", False),
        "classes with signs": (_csv(row="{i},1.5,{i},2,k{k}\x1b[31m\u202e\n"), True),
        "classes that look alike": (
            _csv(row="{i},1.5,{i},2,\x01\n") + _csv(header="1,1,1,1,\\x01", row="{i},1.5,{i},2,\\x01\n"), False),
        "all different texts": (_csv(row="{i},1.5,{i},2,k{i}\n"), False),
        "one row": (_csv(1), False), "one class": (_csv(row="{i},1.5,{i},2,0\n"), False), "no rows": (_csv(0), False),
        "one column": ("a\n" + "1\n" * 40, False), "empty": ("", False), "a byte": ("\xff".encode("latin-1"), False),
        "a header of numbers": ("1,2,3,4,5\n1,2,3,4,5\n", False), "a ragged row": (_csv() + "1,2\n", False),
        "a PNG": (made.png(), False), "a zip file": (made.npz(made.members()), False),
        "a model": (made.rows_model(), False), "HTML": ("<html><body>404</body></html>", False),
        "JSON": ('{"a": [1, 2]}', False), "a pickle": (b"\x80\x04cos\nsystem\n(S'true'\ntR.", False),
    }  # fmt: skip
    for name, (text, works) in texts.items():
        large = len(text) > 5_000_000
        yield Given("tables", name, lambda c, text=text: _write("set.csv", text), works, once=large)


def _images() -> Iterator[Given]:
    orientation = (0x0112, 3, 1)
    pictures: dict[str, tuple[str, bytes, bool]] = {
        "60,000 x 60,000": ("z.png", made.png(60_000, 60_000, rows=b""), False),
        "12,000 x 12,000": ("z.png", made.png(12_000, 12_000, rows=b"\0" * 12001 * 12000), False),
        "2**31 - 1 wide": ("z.png", made.png((1 << 31) - 1, 1, rows=b""), False),
        "2**32 - 1 wide": ("z.png", made.png((1 << 32) - 1, 8, rows=b""), False),
        "no pixels": ("z.png", made.png(0, 0), False),
        "no rows": ("z.png", made.png(rows=b""), False),
        "too many rows": ("z.png", made.png(rows=b"\0" * 50_000_000), True),
        "an odd depth": ("z.png", made.png(depth=99), False),
        "a large text": (
            "z.png", made.png(before=made.chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100 << 20)))), True),
        "many texts": (
            "z.png", made.png(before=made.chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 20))) * 200), True),
        "a large profile": (
            "z.png", made.png(before=made.chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100 << 20)))), True),
        "an odd profile": ("z.png", made.png(before=made.chunk(b"iCCP", b"no profile")), True),
        "a million frames in words": (
            "z.png", made.png(before=made.chunk(b"acTL", struct.pack(">II", 1_000_000, 0))), True),
        "2**32 - 1 frames": ("z.png", made.png(before=made.chunk(b"acTL", struct.pack(">II", 0xFFFFFFFF, 0))), True),
        "a chunk of 2 GiB": ("z.png", made.png()[:33] + struct.pack(">I", 0x7FFFFFFF) + b"IDAT", False),
        "a wrong checksum": ("z.png", made.png()[:30] + b"\0" + made.png()[31:], False),
        "odd EXIF": ("z.png", made.png(before=made.chunk(b"eXIf", b"II*\0\xff\xff\xff\xff")), True),
        "EXIF turned 9": ("z.jpg", made.picture("JPEG", exif=made.exif([(*orientation, b"\x09\0\0\0")])), True),
        "EXIF turned by text": ("z.jpg", made.picture("JPEG", exif=made.exif([(0x0112, 2, 4, b"abc\0")])), True),
        "EXIF of 4 GiB": (
            "z.jpg", made.picture("JPEG", exif=made.exif([(0x0112, 3, 0x7FFFFFFF, b"\x08\0\0\0")])), True),
        "EXIF in a circle": ("z.jpg", made.picture("JPEG", exif=made.exif([(0x8769, 4, 1, b"\x08\0\0\0")], 8)), True),
        "EXIF of odd types": ("z.jpg", made.picture("JPEG", exif=made.exif([(0x0112, 99, 1, b"\1\0\0\0")])), True),
        "EXIF of no bytes": ("z.jpg", made.picture("JPEG", exif=b"Exif\0\0"), True),
        "65,500 x 65,500": ("z.jpg", made.picture("JPEG").replace(b"\0\x08\0\x08\x03", b"\xff\xdc\xff\xdc\x03"), False),
        "a cut JPEG": ("z.jpg", made.picture("JPEG")[:-200], False),
        "a JPEG of heads": ("z.jpg", b"\xff\xd8" + b"\xff\xe1\xff\xff" + b"a" * 65533, False),
        "100,000 frames": ("z.gif", made.gif(frames=100_000), True),
        "65,535 x 65,535": ("z.gif", made.gif(65535, 65535), False),
        "5 MB of comments": ("z.gif", made.gif(comments=20_000), True),
        "a cut GIF": ("z.gif", made.gif()[:-8], True),
        "a GIF without frames": ("z.gif", made.gif(frames=0), False),
        "BMP of 2**31": ("z.bmp", picture_bmp(0x7FFFFFFF, 0x7FFFFFFF), False),
        "BMP upside down": ("z.bmp", picture_bmp(8, -8), True),
        "BMP of -2**31": ("z.bmp", picture_bmp(8, -(1 << 31)), False),
        "WebP cut": ("z.webp", made.picture("WEBP")[:-20], False),
        "WebP of 2**32": ("z.webp", b"RIFF\xff\xff\xff\xffWEBPVP8X\n\0\0\0\0\0\0\0" + b"\xff" * 6, False),
        "TIFF": ("z.png", made.picture("TIFF"), False),
        "TIFF in a circle": ("z.png", b"II*\0\x08\0\0\0\0\0\x08\0\0\0", False),
        "ICO": ("z.png", made.picture("ICO"), False),
        "PPM": ("z.png", b"P6 8 8 255\n" + bytes(192), False),
        "PDF": ("z.png", b"%PDF-1.4\n", False),
        "SVG": ("z.png", b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>", False),
        "XBM": ("z.png", b"#define a_width 8\n#define a_height 8\nstatic char a_bits[] = {\n0x00 };", False),
        "Photoshop": ("z.png", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(12), False),
        "ten million dots": ("z.png", b"." * 10_000_000, False),
        "empty": ("z.png", b"", False),
    }  # fmt: skip
    for name, (file, content, works) in pictures.items():

        def one(canary: Canary, file: str = file, content: bytes = content) -> str:
            _pictures("set"), _write(f"set/cat/{file}", content)
            return "set"

        yield Given("pictures", name, one, works, images=True)

    def script(canary: Canary) -> str:
        _pictures("set")
        text = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(%pipe%{canary.command}) (r) file\nshowpage\n"
        _write("set/cat/z.png", text + f"({canary.secret}) (r) file 99 string readstring\n")
        return "set"

    yield Given("pictures", "PostScript that runs a command", script, images=True)
    odd = {
        "control characters": ("cat\x1b[31m", "dog"), "a line end": ("cat\n", "dog"),
        "from right to left": ("\u202ecat", "dog"),
        "not UTF-8": ("\udcff", "dog"), "two that look alike": ("\udcff", "\\xff"), "255 bytes": ("c" * 255, "dog"),
        "a dash": ("--help", "dog"), "quotes": ("'; rm -rf ~; '", '"'), "dots": ("...", ".. "), "a space": (" ", "dog"),
        "a template": ("{0.__class__}", "%s%n"), "joined": ("\u200c", "\u200d"), "TOML": ('"""\n[export]', "dog"),
    }  # fmt: skip
    for name, classes in odd.items():
        yield Given(
            "names of classes", name, lambda c, classes=classes: _pictures("set", classes),
            name != "two that look alike",
            images=True,
        )  # fmt: skip

    def files(canary: Canary) -> str:
        _pictures("set")
        for name in ("\udcff.png", "a\nb.png", "\x1b[31m.png", "\u202egnp.png", "-rf.png"):
            _write(f"set/cat/{name}", made.png(rows=b""))
        return "set"

    def deep(name: str, count: int) -> Make:
        def make(canary: Canary) -> str:
            _pictures("set")
            os.chdir("set/cat")
            for _ in range(count):
                Path(name).mkdir()
                os.chdir(name)
            os.chdir(canary.folder.parent / "here")
            return "set"

        return make

    def many(canary: Canary) -> str:
        _pictures("set")
        for i in range(10_000):
            Path(f"set/{i}").mkdir()
        return "set"

    def circle(canary: Canary) -> str:
        _pictures("set"), _link("set/a/up", ".."), _link("set/cat/up", ".."), _link("set/b", "a"), _link("set/c", "b")
        return "set"

    yield Given("folders", "odd names of pictures that are damaged", files, images=True)
    yield Given("folders", "1,200 deep", deep("d", 1200), works=True, images=True, once=True)
    yield Given("folders", "deeper than a path may be long", deep("dd", 3000), images=True, once=True)
    yield Given("folders", "10,000 empty classes", many, works=True, images=True, once=True)
    yield Given("folders", "links in a circle", circle, works=True, images=True)
    yield Given("folders", "a size of 99,999", lambda c: _pictures("set") + "?size=99999x99999", images=True)
    yield Given(
        "folders", "3,000 classes", lambda c: _pictures("set", [str(i) for i in range(3000)], 1), images=True, once=True
    )


def picture_bmp(width: int, height: int) -> bytes:
    """Return a BMP that promises a size."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 192, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 192, 0, 0, 54) + head + bytes(192)


def _values() -> Iterator[Given]:
    n = np.arange(60)
    big = np.full(60, 1 << 63, np.uint64)
    x = made.arrays()["x_train"]
    odd: dict[str, tuple[dict[str, Any], bool]] = {
        "a label of 10**9": ({"y_train": np.where(n == 7, 10**9, n % 3)}, False),
        "a label of 9,999": ({"y_train": np.where(n == 7, 9999, n % 3)}, False),
        "a label of -1": ({"y_train": np.where(n == 7, -1, n % 3)}, False),
        "a label of 3": ({"y_test": np.arange(30) % 4}, False),
        "labels of 2**63": ({"y_train": big}, False),
        "labels of 2**64 - 1": ({"y_train": np.full(60, (1 << 64) - 1, np.uint64)}, False),
        "labels of 2**63 - 1": ({"y_train": np.full(60, (1 << 63) - 1)}, False),
        "labels of -2**63": ({"y_train": np.full(60, -(1 << 63))}, False),
        "labels of uint64": ({"y_train": (n % 3).astype(np.uint64)}, True),
        "labels of 1e300": ({"y_train": np.full(60, 1e300), "y_test": np.full(30, 1e300)}, False),
        "a label of NaN": ({"y_train": np.where(n == 7, np.nan, n % 3)}, False),
        "labels of infinity": ({"y_train": np.full(60, np.inf)}, False),
        "labels of fractions": ({"y_train": n / 7, "y_test": np.arange(30) / 7}, False),
        "labels that are texts": ({"y_train": np.array(["a", "b", "ü"] * 20)}, False),
        "labels with signs": ({"y_train": np.array(["a\x1b[31m"] * 60)}, False),
        "labels of complex numbers": ({"y_train": np.zeros(60, complex)}, False),
        "labels of times": ({"y_train": np.zeros(60, "M8[s]")}, False),
        "labels of truth": ({"y_train": n % 2 == 0, "y_test": np.arange(30) % 2 == 0}, True),
        "all labels alike": ({"y_train": np.zeros(60, int), "y_test": np.zeros(30, int)}, False),
        "no labels": ({"y_train": np.zeros(0, int)}, False),
        "one label": ({"y_train": np.zeros(1, int)}, False),
        "labels of one part": ({"y_test": None}, False),
        "a scalar as labels": ({"y_train": np.array(3)}, False),
        "labels in 20 axes": ({"y_train": (n % 3).reshape(60, *[1] * 19)}, False),
        "half one-hot": ({"y_train": np.eye(3)[n % 3], "y_test": np.zeros((30, 3))}, True),
        "one-hot of 4": ({"y_train": np.eye(4)[n % 4], "y_test": np.eye(4)[np.arange(30) % 4]}, False),
        "one-hot of 100,000": (
            {"y_train": np.eye(100_000, dtype=np.uint8)[n % 3][:, :], "y_test": np.eye(100_000,
            dtype=np.uint8)[np.arange(30) % 3]}, True),
        "NaN": ({"x_train": np.full((60, 4), np.nan, np.float32)}, False),
        "one infinity": ({"x_train": np.where(np.arange(240).reshape(60, 4) == 99, np.inf, x)}, False),
        "1e300": ({"x_train": np.full((60, 4), 1e300)}, False),
        "1e300 in the test part": ({"x_test": np.full((30, 4), 1e300)}, False),
        "3e38": ({"x_train": np.full((60, 4), 3e38, np.float32)}, True),
        "1e-45": ({"x_train": np.full((60, 4), 1e-45, np.float32)}, True),
        "uint64": ({"x_train": np.full((60, 4), (1 << 64) - 1, np.uint64)}, True),
        "halves": ({"x_train": x.astype(np.float16)}, True),
        "truth": ({"x_train": x > 0}, False),
        "texts": ({"x_train": np.full((60, 4), "1")}, False),
        "one sample": ({"x_train": x[:1], "y_train": n[:1]}, False),
        "no samples": ({"x_train": x[:0], "y_train": n[:0]}, False),
        "no test samples": ({"x_test": x[:0], "y_test": n[:0]}, False),
        "too few labels": ({"y_train": n[:59] % 3}, False),
        "other shapes": ({"x_test": np.zeros((30, 5), np.float32)}, False),
        "no values": ({"x_train": np.zeros((60, 0), np.float32)}, False),
        "30 axes": ({"x_train": x.reshape(60, 4, *[1] * 28)}, False),
        "several inputs": ({"x_train": None, "x_train/a": x, "x_train/b": x}, False),
        "an input of a path": (
            {"x_train": None, "x_test": None, "x_train/etc/passwd": x, "x_test/etc/passwd": x[:30]}, False),
        "more than it needs": ({"notes": np.array([{"a": 1}], object)}, True),
    }  # fmt: skip
    for name, (changed, works) in odd.items():

        def archive(canary: Canary, changed: dict[str, Any] = changed) -> str:
            return _write("set.npz", made.npz(made.members(**changed)))

        def folder(canary: Canary, changed: dict[str, Any] = changed) -> str:
            return _arrays("set", **{key.replace("/", "."): value for key, value in changed.items()})

        yield Given("values", name, archive, works)
        if not name.startswith("one-hot of 1"):
            yield Given("values", f"{name}, in .npy", folder, works)


_RETURN = "import numpy as np\ndef load():\n    "


def _code() -> Iterator[Given]:
    bodies = {
        "raises": "raise ValueError('no\\x1b[31m\\nluck')", "ends": "raise SystemExit(0)",
        "ends with a text": "import sys; sys.exit('x')",
        "raises a base": "raise type('E', (BaseException,), {})('x')", "stops": "raise StopIteration",
        "closes": "raise GeneratorExit",
        "recurses": "return load()", "returns nothing": "pass", "returns a generator": "return (i for i in range(9))",
        "returns objects": "return np.array([{}, None], object)", "returns ragged lists": "return [[1], [1, 2]]",
        "returns an empty dictionary": "return {}", "returns an empty part": "return {'x': {}}, None",
        "returns empty parts": "return {'x': {}}", "returns two empty parts": "return ({}, {})",
        "returns odd keys": "return {1: np.zeros(3)}", "returns a scalar": "return np.float32(3)",
        "returns an array of no axes": "return np.array(3)", "returns records": "return np.zeros(9, [('a', 'f4')])",
        "returns texts": "return {'x': np.array(['a'] * 9), 'y': np.arange(9)}",
        "returns a hostile array": "return {'x': type('A', (), {'__array__': lambda s, *a, **k: 1 / 0})()}",
        "returns hostile names": "A = type('A', (), {'__str__': lambda s: 1 / 0}); "
        "return {'x': np.zeros((9, 4)), 'y': np.arange(9) % 3, 'class_names': A()}",
        "returns a mask": "return np.ma.masked_array(np.zeros((9, 4)), True), np.arange(9)",
        "has an odd error": "raise type('E', (Exception,), {'__str__': lambda s: 1 / 0})()",
        "warns as an error": "import warnings; warnings.simplefilter('error'); warnings.warn('x')",
        "closes what it prints to": "import sys; sys.stdout.close(); return 1",
        "fills the memory": "return np.zeros((1 << 40, 1 << 10))",
        "returns lists for ever": "x = []; x.append(x); return {'x': x}",
    }  # fmt: skip
    for name, body in bodies.items():
        yield Given(
            "code",
            name,
            lambda c, body=body: _write("own.py", _RETURN + body) + ":load",
            works=name == "returns a mask",
        )
    files: dict[str, bytes] = {
        "a syntax error": b"def load(:\n", "NUL": b"\0\0", "no text": b"\xff\xfe\xfd", "empty": b"",
        "a model": made.rows_model(),
        "no function": b"load = 3\n", "an odd module": b"def __getattr__(n):\n    raise KeyError(n)\n",
        "deep brackets": b"(" * 50_000, "an import that fails": b"import no_such_module_at_all\n",
        "a class": b"class load:\n    pass\n",
        "an end": b"raise SystemExit(0)\n", "another encoding": b"# coding: no-such\n",
    }  # fmt: skip
    for name, content in files.items():
        yield Given("code", name, lambda c, content=content: _write("own.py", content) + ":load")
    yield Given("code", "a folder", lambda c: Path("own.py").mkdir() or "own.py:load")
    yield Given("code", "a file without its function", lambda c: _write("own.py", b"def load(): pass\n"))
    tf = "import tensorflow as tf\ndef load():\n    d = tf.data.Dataset\n    return "
    sets = {
        "an endless set": "d.range(3).repeat()", "an empty set": "d.range(0)",
        "a set that fails": "d.from_generator(lambda: (1 / 0 for _ in [0]), output_signature=tf.TensorSpec([]))",
        "a set of texts": "d.from_tensor_slices(['a'] * 9)", "a set of sets": "d.range(9).window(3)",
        "a ragged set": "d.from_generator(lambda: iter([[1.], [1., 2.]]), output_signature=tf.TensorSpec([None]))",
    }  # fmt: skip
    for name, body in sets.items():
        yield Given("code", name, lambda c, body=body: _write("own.py", tf + body) + ":load")


def _bundles() -> Iterator[Case]:
    """Yield bundles whose own evaluation samples are hostile, for `bench`."""
    x = made.arrays()["x_test"]
    y = made.arrays()["y_test"]
    samples: dict[str, bytes | None] = {
        "sound": made.npz([("x.npy", made.npy(x)), ("y.npy", made.npy(y))]),
        "a link": None,
        "objects": made.npz([("x.npy", made.npy(np.array([{}] * 9, object)))]),
        "a bomb": made.bomb(2, [b"x.npy"]),
        "1 TiB": made.npz([("x.npy", made.headed(made.literal(shape="(1099511627776, 4)")))]),
        "a deep header": made.npz([("x.npy", made.headed("(" * 9000, b"", (2, 0)))]),
        "no samples": made.npz([("x.npy", made.npy(x[:0])), ("y.npy", made.npy(y[:0]))]),
        "a scalar": made.npz([("x.npy", made.npy(np.array(3)))]),
        "other samples": made.npz([("x.npy", made.npy(np.zeros((9, 9)))), ("y.npy", made.npy(y[:9]))]),
        "too few labels": made.npz([("x.npy", made.npy(x)), ("y.npy", made.npy(y[:9]))]),
        "texts": made.npz([("x.npy", made.npy(np.full((30, 4), "a"))), ("y.npy", made.npy(y))]),
        "labels of texts": made.npz([("x.npy", made.npy(x)), ("y.npy", made.npy(np.full(30, "a")))]),
        "labels of 10**9": made.npz([("x.npy", made.npy(x)), ("y.npy", made.npy(np.full(30, 10**9)))]),
        "labels of -1": made.npz([("x.npy", made.npy(x)), ("y.npy", made.npy(np.full(30, -1)))]),
        "labels of NaN": made.npz([("x.npy", made.npy(x)), ("y.npy", made.npy(np.full(30, np.nan)))]),
        "labels in 3 axes": made.npz([("x.npy", made.npy(x)), ("y.npy", made.npy(np.zeros((30, 3, 3))))]),
        "NaN": made.npz([("x.npy", made.npy(np.full((30, 4), np.nan, np.float32))), ("y.npy", made.npy(y))]),
        "several inputs": made.npz([("x/a.npy", made.npy(x)), ("x/b.npy", made.npy(x[:3]))]),
        "no x": made.npz([("y.npy", made.npy(y))]),
        "nothing": made.npz([]), "no zip": b"hello", "empty": b"",
    }  # fmt: skip
    for name, content in samples.items():

        def make(canary: Canary, content: bytes | None = content) -> Sequence[str]:
            _bundle()
            if content is None:
                _link("bundle/eval.npz", canary.secret)
            else:
                _write("bundle/eval.npz", content)
            return ["bench", "bundle", "--no-latency", "--no-memory", "--out", "records"]

        yield Case("samples of bundles", name, make, may_work=name in ("sound", "labels of 10**9", "labels of -1"))

    def pipe(canary: Canary) -> Sequence[str]:
        _bundle()
        os.mkfifo("bundle/eval.npz")
        return ["bench", "bundle", "--no-latency", "--no-memory", "--out", "records"]

    yield Case("samples of bundles", "a pipe", pipe)


def _bundle() -> None:
    """Write a bundle with one file, whose manifest says nothing of the evaluation samples."""
    from edgekit.bundle.manifest import Artifact, Manifest, artifact_numbers, write_manifest
    from edgekit.tasks.preprocessing import Preprocessing
    from edgekit.tasks.tensors import TensorSpec

    path = Path(_write("bundle/model.tflite", made.rows_model()))
    specs = (TensorSpec("x", (1, 4), "float32"),), (TensorSpec("y", (1, 3), "float32"),)
    artifact = Artifact(
        "model.tflite", "tflite", "float32", **artifact_numbers(path), inputs=specs[0], outputs=specs[1], made_by="x"
    )
    manifest = Manifest(
        "model", "int8", 0, "2026-01-01T00:00:00+00:00", "0", Preprocessing(), (), {}, [], [], (artifact,), (), {}
    )
    write_manifest(path.parent, manifest)


def _mutated(seed: int, number: int) -> Given:
    """Return a sound file with a few changes at random."""
    rng = random.Random(seed * 1_000_003 + number)
    kind = ("npz", "packed npz", "npy", "csv", "png", "jpg", "gif", "bmp", "webp")[number % 9]

    def make(canary: Canary) -> str:
        if kind in ("npz", "packed npz"):
            method = zipfile.ZIP_STORED if kind == "npz" else zipfile.ZIP_DEFLATED
            return _write("set.npz", _changed(made.npz(made.members(), method), rng))
        if kind == "npy":
            key = rng.choice(list(made.arrays()))
            _arrays("set")
            _write(f"set/{key}.npy", _changed(Path(f"set/{key}.npy").read_bytes(), rng))
            return "set"
        if kind == "csv":
            return _write("set.csv", _changed(_csv().encode(), rng))
        sound = {"png": made.png(), "gif": made.gif(), "bmp": picture_bmp(8, 8)}.get(kind)
        if sound is None:
            sound = made.picture({"jpg": "JPEG", "webp": "WEBP"}[kind])
        _pictures("set"), _write(f"set/cat/z.{kind}", _changed(sound, rng))
        return "set"

    return Given(f"mutated {kind}", f"{seed}-{number}", make, works=True, images=number % 9 > 3)


def _changed(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to four of them set, cut out, doubled or put in."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.choice(
            [rng.randrange(len(found)), min(len(found) - 1, rng.randrange(200)), len(found) - 1 - rng.randrange(80)]
        )
        at = max(0, min(at, len(found) - 1))
        do = rng.randrange(5)
        if do == 0:
            found[at] = rng.choice([0, 0xFF, 0x7F, 0x80, found[at] ^ 1 << rng.randrange(8)])
        elif do == 1:
            del found[at : at + rng.choice([1, 2, 8, 100])]
        elif do == 2:
            found[at:at] = found[at : at + rng.choice([1, 4, 60])]
        elif do == 3:
            found[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice([1, 4, 16])))
        else:
            found[at : at + 4] = struct.pack("<i", rng.choice([-1, 0, 1 << 30, -(1 << 31), 1]))
        if not found:
            break
    return bytes(found)
