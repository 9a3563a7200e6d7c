"""`.tflite` and `.onnx` files of strangers, in `inspect`, `bench`, `compress` and `push`: crafted and mutated ones."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.hostile import models_onnx, models_tflite
from benchmarks.hostile.case import Canary, Case
from benchmarks.hostile.models_base import bases, commands, dense_onnx
from benchmarks.hostile.models_mutate import mutated

PRELOAD = (
    "edgekit.pipeline.run",
    "edgekit.cli.inspect",
    "edgekit.cli.bench",
    "edgekit.cli.push",
    "edgekit.measuring.several",
)
COUNT = 4200
SLOW = ("bench", "compress", "push")
TIMEOUT = 120
"""Seconds: a model that loops for ever is given up after 60."""


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield all crafted cases, and mutated ones up to `count`: every tenth of these is run, not only inspected."""
    crafted = [*_crafted(), *_arguments(), *_bundles()]
    yield from crafted
    for number in range(max(0, count - len(crafted))):
        yield _mutated(seed, number)


def _crafted() -> Iterator[Case]:
    for module in (models_onnx, models_tflite):
        for kind, name, may_work, write in module.crafted():
            suffix = module.NAME.partition(".")[2]
            for command in ("inspect", *SLOW):
                yield Case(
                    f"{suffix}: {kind}",
                    f"{suffix}, {name}, {command}",
                    _make(module.NAME, command, write),
                    TIMEOUT,
                    may_work,
                )


def _make(model: str, command: str, write: Callable[[Canary], None]) -> Callable[[Canary], Sequence[str]]:
    def make(canary: Canary) -> Sequence[str]:
        write(canary)
        return commands(model)[command]()

    return make


def _mutated(seed: int, number: int) -> Case:
    kind = ("tflite", "onnx")[number % 2]
    turn = number // 2
    command = "inspect" if turn % 10 else SLOW[turn // 10 % 3]
    rng = random.Random(f"{seed} {number}")
    which = rng.randrange(2 if command == "compress" else 64)

    def make(_: Canary) -> Sequence[str]:
        base = bases()[kind]
        _, data = mutated(base[which % len(base)], kind, rng)
        Path(f"m.{kind}").write_bytes(data)
        return commands(f"m.{kind}")[command]()

    return Case(f"{kind}: mutated, {command}", f"{number}", make, TIMEOUT)


def _arguments() -> Iterator[Case]:
    """What is no file, or none that ends."""

    def sparse(name: str, size: int, head: bytes) -> None:
        with Path(name).open("wb") as stream:
            stream.write(head)
            stream.truncate(size)

    makers: dict[str, Callable[[str], Any]] = {
        "fifo": os.mkfifo,
        "folder": lambda n: Path(n).mkdir(),
        "empty": lambda n: Path(n).touch(),
        "device": lambda n: Path(n).symlink_to("/dev/zero"),
        "circle of links": lambda n: Path(n).symlink_to(n),
        "link to nowhere": lambda n: Path(n).symlink_to("nowhere"),
        "1 TiB": lambda n: sparse(n, 1 << 40, b"\x08\x0a\x3a" if n.endswith("x") else b"\x1c\0\0\0TFL3"),
        "3 GiB": lambda n: sparse(n, 3 << 30, b"\x08\x0a\x3a" if n.endswith("x") else b"\x1c\0\0\0TFL3"),
        "two bytes": lambda n: Path(n).write_bytes(b"\x08\x07"),
        "text": lambda n: Path(n).write_text("hello"),
    }
    for suffix in ("tflite", "onnx"):
        for name, maker in makers.items():
            for command in ("inspect", *SLOW):

                def make(
                    _: Canary, maker: Any = maker, file: str = f"m.{suffix}", command: str = command
                ) -> Sequence[str]:
                    maker(file)
                    return commands(file)[command]()

                good = command == "push" and name in ("1 TiB", "3 GiB")
                yield Case("no such file", f"{suffix}, {name}, {command}", make, TIMEOUT, good)
        for command in ("inspect", *SLOW):
            for title, file in (("long", "m" * 300), ("control", "\x1b[2Jm"), ("bytes", "m\udcff"), ("dash", "./-m")):
                yield Case(
                    "no such file",
                    f"{suffix}, {title} name, {command}",
                    lambda _, f=f"{file}.{suffix}", c=command: commands(f)[c](),
                    TIMEOUT,
                    may_work=False,
                )


def _bundles() -> Iterator[Case]:
    """Bundles whose artifacts are such files, with the digests that they have."""
    writers = {f"onnx, {name}": write for kind, name, _, write in models_onnx.crafted() if kind.startswith("external")}
    for name, write in writers.items():
        for command in ("bench", "push"):
            may_work = command == "push"  # it copies what the manifest lists, and looks into no file

            def make(canary: Canary, write: Any = write, command: str = command) -> Sequence[str]:
                write(canary)
                _manifest("m.onnx", "onnx")
                return commands(".")[command]()

            yield Case("bundle", f"{name}, {command}", make, TIMEOUT, may_work)

    def other(_: Canary) -> Sequence[str]:
        Path("m.onnx").write_bytes(bases()["tflite"][0])
        _manifest("m.onnx", "onnx")
        return commands(".")["bench"]()

    def ort(canary: Canary) -> Sequence[str]:
        Path("m.ort").write_bytes(dense_onnx().SerializeToString())
        _manifest("m.ort", "onnx")
        return commands(".")["bench"]()

    yield Case("bundle", "TFLite as ONNX", other, TIMEOUT, may_work=False)
    yield Case("bundle", "ONNX as .ort", ort, TIMEOUT, may_work=False)


def _manifest(file: str, format_: str) -> None:
    from edgekit.bundle.manifest import artifact_numbers

    ends = {"inputs": [{"name": "x", "shape": [1, 4], "dtype": "float32", "scale": None, "zero_point": None}]}
    ends["outputs"] = [{**ends["inputs"][0], "name": "y", "shape": [1, 2]}]
    artifact = {"file": file, "format": format_, "scheme": "float32", "made_by": "x", "validation": None, **ends}
    manifest = {
        **{
            "schema": 1,
            "name": "m",
            "recipe": "int8",
            "seed": 0,
            "created": "2026-01-01T00:00:00+00:00",
            "edgekit": "0",
        },
        **{"preprocessing": {"scale": 1.0, "mean": [0.0], "std": [1.0], "layout": "NHWC"}, "class_names": ["a", "b"]},
        **{"data": {}, "lineage": [], "ledger": [], "agreement": [], "files": {}, "packages": {}},
        "artifacts": [{**artifact, **artifact_numbers(Path(file))}],
    }
    Path("manifest.json").write_text(json.dumps(manifest))
