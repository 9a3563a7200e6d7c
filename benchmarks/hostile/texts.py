"""Recipes, targets, manifests, records and `--stage` texts, mutated and crafted."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.hostile.case import Canary, Case
from benchmarks.hostile.mutations import TEXTS, TOML_VALUES, json_mutation, toml_mutation
from edgekit.bundle.recipe import load_recipe, named_recipes

PRELOAD: tuple[str, ...] = (
    "edgekit.cli", "edgekit.reporting.bench_table", "edgekit.measuring.several", "edgekit.data.loading",
    "edgekit.devices.push", "edgekit.devices.doctor",
)  # fmt: skip
COUNT = 1500
ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "benchmarks" / "artifacts" / "mnist-8k"
FED = """
[preprocessing]
scale = "1/255"
mean = [0.5]
layout = "NHWC"
normalize_outside = false
[preprocessing.inputs.image]
scale = 2
"""
TARGET = """schema = 1
description = "A board"
transport = "local"
host = "pi@board.local"
port = 22
identity = "~/.ssh/id"
options = ["ProxyJump=gateway"]
serial = "emulator-5554"
python = "python3"
work = ".cache/edgekit"
runtimes = ["ai-edge-litert"]
threads = [1, 4]
[expect]
architecture = "aarch64"
bits = 64
cores = 4
cpu = "Cortex-A72"
[health]
governor = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
temperature = "/sys/class/thermal/thermal_zone*/temp"
throttled = ["vcgencmd", "get_throttled"]
throttled_file = "/sys/devices/platform/soc/soc:firmware/get_throttled"
"""
COMPRESS = ("compress", "none.keras", "-o", "out")


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield a fifth of each kind, and what was crafted by hand."""
    each = count // 5
    makers: dict[str, Callable[[random.Random], tuple[str, Callable[[Canary], Sequence[str]]]]] = {
        "record": _record,
        "manifest": _manifest,
        "recipe": _recipe,
        "target": _target,
        "--stage": _stage,
    }
    for kind, maker in makers.items():
        for number in range(each):
            rng = random.Random(f"{seed}-{kind}-{number}")
            name, make = maker(rng)
            yield Case(kind, f"{number}: {name!r}", make, timeout=40)
    yield from _crafted()


def _record(rng: random.Random) -> tuple[str, Callable[[Canary], Sequence[str]]]:
    value = json.loads((ROOT / "tests" / "report" / "session.json").read_text())
    for measurement in value["measurements"]:
        measurement["agreement"] = {
            "samples": 10, "same_class": 9, "equal": 8, "largest_difference": 2, "unit": "steps", "host_runtime": "x",
        }  # fmt: skip
    value["plan"] |= {"pin": "0-3", "timeout": 600.0}
    value["device"] = {
        "address": "pi@board", "python": "Python 3.11", "runtimes": [{"runtime": "a", "source": "b", "wheels": []}],
        "prepare_seconds": 1.0, "seconds": 2.0, "sent_bytes": 10, "throttled": {"before": 0, "during": [0]},
    }  # fmt: skip
    name, content = json_mutation(value, rng)

    def make(canary: Canary) -> Sequence[str]:
        Path("run.json").write_bytes(content)
        return ["report", "run.json"]

    return name, make


def _manifest(rng: random.Random) -> tuple[str, Callable[[Canary], Sequence[str]]]:
    value = whole_manifest()
    name, content = json_mutation(value, rng)
    commands = (
        ["push", "bundle", "--target", "desktop", "--dest", "there"],
        ["push", "bundle", "--target", "desktop"],
        ["push", "bundle", "--target", "desktop", "--dest", "there", "--only", "int8"],
        ["bench", "bundle", "--no-latency", "--no-accuracy", "--only", "int8"],
        ["bench", "bundle/mnist-cnn-int8.tflite", "--input-shape", "none=1"],
    )
    command = rng.choice(commands)

    def make(canary: Canary) -> Sequence[str]:
        make_bundle(Path("bundle"))
        Path("bundle/manifest.json").write_bytes(content)
        return command

    return name, make


def whole_manifest() -> dict[str, Any]:
    """Return a manifest of the bundle that `make_bundle` makes."""
    value: dict[str, Any] = json.loads((BUNDLE / "manifest.json").read_text())
    value["artifacts"] = [a for a in value["artifacts"] if (BUNDLE / a["file"]).is_file()]
    content = b"text\n"
    value["files"] = {"README.txt": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}}
    value["task"] = {
        "heads": [{"name": "y", "kind": "classification", "metric": "accuracy", "logits": False, "loss": ""}]
    }
    return value


def make_bundle(folder: Path) -> None:
    """Make a bundle of one artifact, small and whole."""
    folder.mkdir()
    value = whole_manifest()
    for artifact in value["artifacts"]:
        shutil.copyfile(BUNDLE / artifact["file"], folder / artifact["file"])
    (folder / "README.txt").write_bytes(b"text\n")
    (folder / "manifest.json").write_text(json.dumps(value))


def _recipe(rng: random.Random) -> tuple[str, Callable[[Canary], Sequence[str]]]:
    text = load_recipe(rng.choice(named_recipes())).to_toml() + FED
    name, content = toml_mutation(text, rng)
    command = ["recipes", "mine.toml"] if rng.random() < 0.8 else [*COMPRESS, "--recipe", "mine.toml"]
    return name, partial(_written, "mine.toml", content, command)


def _target(rng: random.Random) -> tuple[str, Callable[[Canary], Sequence[str]]]:
    name, content = toml_mutation(TARGET, rng)
    commands = (
        ["targets", "show", "./my.toml"],
        ["bench", "none.tflite", "--target", "./my.toml"],
        ["push", "none.tflite", "--target", "./my.toml", "--dest", "x"],
    )
    return name, partial(_written, "my.toml", content, rng.choice(commands))


def _written(file: str, content: bytes, command: Sequence[str], canary: Canary) -> Sequence[str]:
    Path(file).write_bytes(content)
    return command


def _stage(rng: random.Random) -> tuple[str, Callable[[Canary], Sequence[str]]]:
    use = rng.choice(("prune", "finetune", "distill", "quantize", "cluster", *TEXTS))
    options = []
    for _ in range(rng.randrange(4)):
        key = rng.choice(("amount", "epochs", "learning_rate", "teacher", "sparsity", "alpha", "", *TEXTS))
        value = rng.choice((*TOML_VALUES, *TEXTS, "0.5", "3"))
        options.append(f"{key}{rng.choice(('=', '=', '=', '', '=='))}{value}")
    text = (use + rng.choice((":", ":", "", "::")) + ",".join(options)).replace("\0", "?")
    return text[:60], lambda canary: [*COMPRESS, "--stage", text]


def _crafted() -> Iterator[Case]:
    commands = {
        "record": lambda path: ["report", path],
        "recipe": lambda path: ["recipes", path],
        "target": lambda path: ["targets", "show", path],
        "bundle": lambda path: ["push", path, "--target", "desktop", "--dest", "x"],
    }
    for kind, command in commands.items():
        for name, maker in _PLACES.items():

            def make(
                canary: Canary,
                maker: Callable[[Path, Canary], None] = maker,
                command: Callable[[str], list[str]] = command,
                kind: str = kind,
            ) -> Sequence[str]:
                path = Path("file.toml")
                if kind == "bundle":
                    make_bundle(Path("bundle"))
                    path = Path("bundle/manifest.json")
                    path.unlink()
                maker(path, canary)
                return command("bundle" if kind == "bundle" else "./" + str(path))

            yield Case("place of the file", f"{kind}: {name}", make, may_work=False)
    for name in ("mnist-cnn-int8.tflite", "README.txt", "manifest.json", "eval.npz", "recipe.toml"):

        def linked(canary: Canary, name: str = name) -> Sequence[str]:
            make_bundle(Path("bundle"))
            path = Path("bundle") / name
            path.unlink(missing_ok=True)
            path.symlink_to(canary.secret)
            return ["push", "bundle", "--target", "desktop", "--dest", "x"]

        def piped(canary: Canary, name: str = name) -> Sequence[str]:
            make_bundle(Path("bundle"))
            path = Path("bundle") / name
            path.unlink(missing_ok=True)
            os.mkfifo(path)
            return ["push", "bundle", "--target", "desktop", "--dest", "x"]

        yield Case("link in a bundle", name, linked, may_work=False)
        yield Case("pipe in a bundle", name, piped, may_work=False)
    for option in _PROPORTION:
        argv = ["bench", "none.tflite", *option]
        yield Case("proportion", " ".join(option)[:60], lambda canary, argv=argv: argv, may_work=False)  # type: ignore[misc]
    long = "n" * 300
    for argv in (
        ["report", long], ["recipes", long], ["recipes", long + ".toml"], ["targets", "show", long + ".toml"],
        ["push", long, "--target", "desktop"], ["bench", long], ["inspect", long], ["compress", long + ".keras"],
        ["bench", "x", "--out", long], ["compress", "x.keras", "-o", long], ["compress", "x", "--data", long],
        ["bench", "x", "--identity", long, "--target", "rpi4"], ["init", long],
        ["targets", "init", "rpi4", "--as", long],
        ["report", "a\0b"], ["compress", "x", "--data", "a%00b.csv?x=1"], ["report", "/".join(["d" * 200] * 30)],
        ["push", "x\x1b[31m", "--target", "desktop"], ["report", "no\nedgekit: done"], ["inspect", "\u202e"],
        ["report", "--\x1b[31m"], ["\x1b[31m"], ["report", "\udcff"], ["recipes", "\udcff.toml"],
    ):  # fmt: skip
        yield Case("path", " ".join(argv)[:60], lambda canary, argv=argv: argv, may_work=False)  # type: ignore[misc]


def _fifo(path: Path, canary: Canary) -> None:
    os.mkfifo(path)


def _sparse(path: Path, canary: Canary) -> None:
    with path.open("wb") as stream:
        stream.truncate(1 << 30)


def _name_of_bytes(path: Path, canary: Canary) -> None:
    path.write_bytes(bytes(range(256)) * 64)


_PLACES: dict[str, Callable[[Path, Canary], None]] = {
    "pipe": _fifo,
    "folder": lambda path, canary: path.mkdir(),
    "zeros without end": lambda path, canary: path.symlink_to("/dev/zero"),
    "one GiB of zeros": _sparse,
    "link to nothing": lambda path, canary: path.symlink_to("nothing"),
    "link to itself": lambda path, canary: path.symlink_to(path.name),
    "bytes": _name_of_bytes,
    "nothing": lambda path, canary: path.touch(),
    "no file": lambda path, canary: None,
}
_PROPORTION: tuple[tuple[str, ...], ...] = (
    ("--pin", "0-9999999999"), ("--pin", "0-" + "9" * 5000), ("--pin", "0," * 500 + "0"), ("--threads", "9" * 5000),
    ("--threads", "1000000"), ("--threads", "²"), ("--threads", "1," * 100_00 + "1"), ("--processes", "9" * 30),
    ("--processes", "0"), ("--min-samples", "9" * 30), ("--min-samples", "-1"), ("--min-seconds", "nan"),
    ("--min-seconds", "1e300"), ("--timeout", "inf"), ("--timeout", "nan"), ("--timeout", "1e300"), ("--timeout", "0"),
    ("--cool-timeout", "1e300h"), ("--cool-timeout", "9" * 5000), ("--cool-timeout", "inf"), ("--cool-below", "nan"),
    ("--cool-below", "9" * 5000), ("--input-shape", "x=" + "9" * 5000), ("--input-shape", "x=1" + ",1" * 100),
    ("--input-shape", "x=-1"), ("--input-shape", "x=99999999999"), ("--scale", "1/" + "9" * 5000),
    ("--scale", "1e-320"),
    ("--mean", "1e300"), ("--std", "nan"), ("--scale", "9" * 5000),
)  # fmt: skip
