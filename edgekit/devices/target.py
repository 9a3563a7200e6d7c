"""Targets: what a device is expected to be and how it is reached, as TOML.

schema = 1
description = "Raspberry Pi 4, 64-bit Raspberry Pi OS"
transport = "ssh"                         # local, ssh, adb or emulated
host = "pi@raspberrypi.local"             # ssh: user@address, an address, or a host of your ssh configuration
port = 22                                 # ssh: left out: as ssh is configured
identity = "~/.ssh/id_ed25519"            # ssh: left out: as ssh is configured
options = ["ProxyJump=gateway"]           # ssh: more of ssh's `-o` options
serial = "emulator-5554"                  # adb: which of several
python = "python3"                        # the interpreter there
work = ".cache/edgekit"                   # edgekit's folder there, from the home folder
runtimes = ["ai-edge-litert", "tflite-runtime"]     # for .tflite files, the first that works
threads = [1, 4]                          # thread counts to measure with; left out: 1 and all cores

[expect]                                  # a device that differs is told of
architecture = "aarch64"
bits = 64
cores = 4
cpu = "Cortex-A72"

[health]                                  # how to read what changes; a glob may name several files
governor = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
temperature = "/sys/class/thermal/thermal_zone*/temp"
throttled = ["vcgencmd", "get_throttled"]
throttled_file = "/sys/devices/platform/soc/soc:firmware/get_throttled"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.devices.transports.address import Address
from edgekit.devices.transports.registry import TransportKind, transport_kind, transport_names, with_option
from edgekit.errors import InputError
from edgekit.files.opening import expanded
from edgekit.schema.toml import Table, document
from edgekit.text.printable import name_fault

SCHEMA = 1
TFLITE_RUNTIMES = ("ai-edge-litert", "tflite-runtime")


@dataclass(frozen=True)
class Health:
    """Where a device tells what changes while it works. Paths may hold `*`."""

    governor: str = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
    temperature: str = "/sys/class/thermal/thermal_zone*/temp"
    throttled: tuple[str, ...] = ("vcgencmd", "get_throttled")
    throttled_file: str = "/sys/devices/platform/soc/soc:firmware/get_throttled"


@dataclass(frozen=True)
class Expect:
    """What the device should be; None where anything goes."""

    architecture: str | None = None
    bits: int | None = None
    cores: int | None = None
    cpu: str | None = None


@dataclass(frozen=True)
class Target:
    """A device's description; the fields are those of the file.

    Attributes:
        name: the file's name without its suffix.
        source: where it was read.
        place: whose word the file is: `package`, `own` (the user's configuration folder) or `here` (anybody's).
        threads: thread counts to measure with; empty: 1 and all cores.
    """

    name: str
    source: str
    transport: str
    description: str = ""
    host: str | None = None
    port: int | None = None
    identity: str | None = None
    options: tuple[str, ...] = ()
    serial: str | None = None
    python: str = "python3"
    work: str = ".cache/edgekit"
    runtimes: tuple[str, ...] = TFLITE_RUNTIMES
    threads: tuple[int, ...] = ()
    expect: Expect = field(default_factory=Expect)
    health: Health = field(default_factory=Health)
    place: str = "package"

    @property
    def kind(self) -> TransportKind:
        """What its transport is like."""
        return transport_kind(self.transport)

    @property
    def address(self) -> Address:
        """How it is reached."""
        identity = expanded(self.identity) if self.identity else None
        return Address(self.host, self.port, identity, self.options, self.serial)

    def at(self, host: str | None, identity: str | None = None) -> Target:
        """Return the target at another address, `user@address[:port]` or an adb serial number, with another key.

        Raises:
            InputError: the target has no address, or this is none.
        """
        kind = self.kind
        if host is not None and kind.read_host is None:
            raise self._not_for("--host")
        if identity is not None and not kind.takes_identity:
            raise self._not_for("--identity")
        fields = kind.read_host(host) if host is not None and kind.read_host else {}
        return replace(self, **{"identity": identity or self.identity, **fields})  # type: ignore[arg-type]

    def _not_for(self, option: str) -> InputError:
        return InputError(
            f"{option}: target `{self.name}` is reached by `{self.transport}`, which takes none",
            f"{option} is for targets with the transport {with_option(option)}; see: edgekit targets list",
            code="option-not-for-target",
        )


DESKTOP = Target("desktop", "built in", "local", "this machine", threads=(1,))


def differences(expect: Expect, found: Mapping[str, Any]) -> list[str]:
    """Return where a device is not what its target says.

    Args:
        expect: what it says.
        found: what is known of the device, by the names of `Expect`; what is missing or None is not compared.
    """
    return [
        f"{name} should be {wanted}, and is {found[name]}"
        for name in Expect.__dataclass_fields__
        if (wanted := getattr(expect, name)) is not None and found.get(name) is not None and found[name] != wanted
    ]


def parse(text: str, name: str, source: str) -> Target:
    """Read a target from TOML text; `source` names it in messages.

    Raises:
        InputError: as for `find_target`.
    """
    if fault := name_fault(name, "target's name"):
        raise InputError(f"{source}: {fault}", "give the file a name of letters, digits, `-`, `_` and `.`")
    keys = [key for key in Target.__dataclass_fields__ if key not in ("name", "source", "place")]
    top, usual = document(text, source, SCHEMA, keys), Target(name, source, "ssh")
    names = transport_names()
    transport = top.get("transport", str, None, lambda v: v in names, "one of " + ", ".join(names))
    if transport is None:
        raise InputError(f"{source}: `transport` is missing", "one of " + ", ".join(names))
    expect, health = top.table("expect"), top.table("health")
    expect.allow(*Expect.__dataclass_fields__)
    health.allow(*Health.__dataclass_fields__)
    return Target(
        name,
        source,
        transport,
        description=top.get("description", str, "", prose=True),
        host=top.get("host", str, None, _is_host, "user@address, such as pi@192.168.1.7"),
        port=top.get("port", int, None, lambda v: 0 < v < 65536, "1 to 65535"),
        identity=top.get("identity", str, None),
        options=tuple(top.get("options", list, [], _are_options, 'a list such as ["ProxyJump=gateway"]')),
        serial=top.get("serial", str, None),
        python=top.get("python", str, usual.python, bool, "a program"),
        work=top.get("work", str, usual.work, _is_inside, "a folder in the home folder, such as .cache/edgekit"),
        runtimes=top.choices("runtimes", TFLITE_RUNTIMES, usual.runtimes),
        threads=_threads(top, usual.threads),
        expect=Expect(
            architecture=expect.get("architecture", str, None),
            bits=expect.get("bits", int, None, lambda v: v in (32, 64), "32 or 64"),
            cores=expect.get("cores", int, None, lambda v: 0 < v <= 4096, "1 to 4096"),
            cpu=expect.get("cpu", str, None),
        ),
        health=_health(health),
    )


def _health(table: Table) -> Health:
    usual = Health()
    words = table.get("throttled", list, list(usual.throttled), lambda v: all(isinstance(w, str) for w in v), "words")
    paths = {
        key: table.get(key, str, getattr(usual, key), lambda v: v.startswith("/") and "'" not in v, "a path from /")
        for key in ("governor", "temperature", "throttled_file")
    }
    return Health(throttled=tuple(words), **paths)


def _threads(table: Table, default: tuple[int, ...]) -> tuple[int, ...]:
    found = table.get(
        "threads",
        list,
        default,
        lambda v: bool(v) and all(isinstance(t, int) and not isinstance(t, bool) and 0 < t <= 1024 for t in v),
        "a list of numbers from 1 to 1024",
    )
    return tuple(dict.fromkeys(found))


def _are_options(values: list[Any]) -> bool:
    return all(isinstance(value, str) and re.match(r"[A-Za-z0-9]+=", value) for value in values)


_HOST = re.compile(r"(\w[\w.+-]*@)?[\w\[:][\w.:%\]-]*")
"""A user and an address; ssh takes what begins with a dash as an option."""


def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


def _is_inside(path: str) -> bool:
    parts = Path(path).parts
    return bool(parts) and not path.startswith(("/", "~")) and ".." not in parts
