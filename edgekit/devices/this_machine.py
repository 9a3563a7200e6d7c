"""What is installed on this machine, and what of it works: for `edgekit doctor` and for bug reports.

TensorFlow is not imported: versions come from the metadata of what is installed, and what takes a process of its own to
find out is found out in one.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edgekit.bundle.facts import Unavailable
from edgekit.devices.device import open_device
from edgekit.devices.emulated.board import TOOLS
from edgekit.devices.facts import read_fact
from edgekit.devices.provision import Provision, smoke
from edgekit.devices.transports.local import LocalTransport
from edgekit.errors import EdgekitError
from edgekit.files.whole import work_base

PACKAGES = (
    "numpy", "ai-edge-litert", "tflite-runtime", "onnx", "onnxruntime", "tensorflow", "tf_keras", "keras",
    "tensorflow-model-optimization", "tf2onnx", "litert-quantizer", "scikit-learn", "pillow", "typer", "rich",
)  # fmt: skip
"""Those whose versions decide what edgekit does."""
COMPRESS = (
    "tensorflow", "tf_keras", "keras", "tensorflow-model-optimization", "tf2onnx", "litert-quantizer", "scikit-learn",
    "pillow", "onnx", "onnxruntime",
)  # fmt: skip
"""What the extra `compress` installs."""
TOOL_SECONDS = 20.0
NEEDED_BYTES = 1 << 30


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    Attributes:
        what: its name.
        state: `ok`; `absent`: not installed, which is no fault; `warning`: measurements or some commands may suffer;
            `broken`: installed, and does not work; `unknown`: cannot be read here.
        text: what was seen.
        mend: what to do, empty where nothing is.
    """

    what: str
    state: str
    text: str
    mend: str = ""


@dataclass(frozen=True)
class Machine:
    """What a bug report needs.

    Attributes:
        python: implementation, version and bits.
        platform: processor, system and kernel.
        packages: versions of those of `PACKAGES` that are installed.
        checks: what was tried.
    """

    python: str
    platform: str
    packages: dict[str, str]
    checks: tuple[Check, ...]

    @property
    def broken(self) -> bool:
        """Whether anything that is installed does not work."""
        return any(check.state == "broken" for check in self.checks)


def examine_here() -> Machine:
    """Look at this machine; takes a second or two."""
    names = ("cpu_model", "architecture", "cores", "os", "kernel", "virtualization")
    known = [str(fact) for name in names if not isinstance(fact := read_fact(LocalTransport(), name), Unavailable)]
    bits = 64 if platform.architecture()[0] == "64bit" else 32
    return Machine(
        f"{platform.python_implementation()} {platform.python_version()}, {bits}-bit",
        ", ".join(f"{text} cores" if text.isdigit() else text for text in known),
        {name: version for name in PACKAGES if (version := _version(name))},
        tuple(check() for check in CHECKS),
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _runtime(what: str, package: str, install: str) -> Callable[[], Check]:
    """Return a check that runs a tiny model, whose outputs are known, in a process of its own."""

    def check() -> Check:
        version = _version(package)
        if not version:
            return Check(what, "absent", f"{package} is not installed", install)
        started = time.monotonic()
        try:
            with open_device() as device:
                trouble = smoke(device, Provision(package, "pre-installed", ()))
        except (EdgekitError, OSError) as error:
            trouble = str(error)
        if trouble:
            return Check(what, "broken", f"{package} {version}: {trouble}", f"install it again: {install}")
        return Check(what, "ok", f"{package} {version} ran a tiny model in {time.monotonic() - started:.1f} s")

    return check


def _compress() -> Check:
    missing = [package for package in COMPRESS if not _version(package)]
    install = "pip install 'edgekit[compress]'"
    if len(missing) == len(COMPRESS):
        return Check("compress", "absent", "the extra is not installed", install)
    if missing:
        return Check("compress", "warning", f"without {', '.join(missing)}", install)
    return Check("compress", "ok", f"all packages of the extra; TensorFlow {_version('tensorflow')} was not imported")


def _tool(what: str, package: str, *argv: str) -> Callable[[], Check]:
    """Return a check that asks a program for its version."""

    def check() -> Check:
        install = f"apt install {package}"
        if shutil.which(argv[0]) is None:
            return Check(what, "absent", f"{argv[0]} is not installed", install)
        try:
            done = LocalTransport().run(list(argv), timeout=TOOL_SECONDS)
        except (EdgekitError, OSError) as error:
            return Check(what, "broken", str(error), install)
        text = next(iter(f"{done.stdout}\n{done.stderr}".strip().splitlines()), "")
        if done.returncode:
            return Check(what, "broken", f"{' '.join(argv)} ended with {done.returncode}: {text}", install)
        return Check(what, "ok", text)

    return check


def _emulated() -> Check:
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if missing:
        return Check("emulated board", "absent", f"needs {', '.join(missing)}", f"apt install {' '.join(missing)}")
    if os.geteuid() != 0:
        return Check("emulated board", "absent", "needs root", "run it in a container or a virtual machine")
    return Check("emulated board", "ok", "Debian packages are here: edgekit targets emulate up")


def _folder() -> Check:
    base = work_base()
    there = next(place for place in (base, *base.absolute().parents) if place.exists())
    shown = re.sub(f"^{re.escape(str(Path.home()))}(?=/|$)", "~", str(base))
    if not os.access(there, os.W_OK | os.X_OK):
        return Check("cache folder", "broken", f"{shown} cannot be written", "set EDGEKIT_WORK to a folder of yours")
    free = shutil.disk_usage(there).free
    text = f"{shown}, {free / 2**30:.1f} GiB free"
    if free < NEEDED_BYTES:
        return Check("cache folder", "warning", text, "free some space, or set EDGEKIT_WORK to another disk")
    return Check("cache folder", "ok", text)


def _governor() -> Check:
    governor = read_fact(LocalTransport(), "governor")
    if isinstance(governor, Unavailable):
        return Check("CPU governor", "unknown", "cannot be read here, as in most containers and virtual machines")
    if governor != "performance":
        return Check("CPU governor", "warning", str(governor), "sudo cpupower frequency-set -g performance")
    return Check("CPU governor", "ok", str(governor))


CHECKS: tuple[Callable[[], Check], ...] = (
    _runtime("TFLite", "ai-edge-litert", "pip install ai-edge-litert"),
    _runtime("ONNX", "onnxruntime", "pip install 'edgekit[onnx]'"),
    _compress,
    _tool("ssh", "openssh-client", "ssh", "-V"),
    _tool("adb", "adb", "adb", "version"),
    _emulated,
    _folder,
    _governor,
)
"""One function a thing."""


def lines(machine: Machine) -> Iterator[str]:
    """Yield the lines of a bug report."""
    yield f"{machine.python}; {machine.platform}"
    yield ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    yield ""
    width = max(len(check.what) for check in machine.checks)
    for check in machine.checks:
        yield f"{check.state:>8}  {check.what:<{width}}  {check.text}"
        if check.mend and check.state != "ok":
            yield f"{'':>8}  {'':<{width}}  → {check.mend}"
