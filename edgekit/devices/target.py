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

[expect]                                  # a device that differs is reported
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

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from edgekit.devices.transports.address import Address
from edgekit.devices.transports.registry import TransportKind, transport_kind, transport_names, with_option
from edgekit.errors import InputError
from edgekit.errors.printable import name_fault
from edgekit.files.opening import expanded
from edgekit.schema.document import parse_toml
from edgekit.schema.gate import read
from edgekit.schema.rules import Line, Matching, OneOf, Pattern, Range, Sized, Through, one_of, unique
from edgekit.schema.versions import Versions

VERSIONS = Versions("target", 1, hint="begin the file with: schema = 1")
TFLITE_RUNTIMES = ("ai-edge-litert", "tflite-runtime")


def _is_inside(path: str) -> bool:
    parts = Path(path).parts
    return bool(parts) and not path.startswith(("/", "~")) and ".." not in parts


# ssh takes what begins with a dash as an option.
Host: TypeAlias = Annotated[Line, Pattern(r"(\w[\w.+-]*@)?[\w\[:][\w.:%\]-]*", "user@address, such as pi@192.168.1.7")]
SshOption: TypeAlias = Annotated[Line, Pattern(r"[A-Za-z0-9]+=.*", "NAME=VALUE, such as ProxyJump=gateway")]
Program: TypeAlias = Annotated[Line, Pattern(".+", "a program")]
HomeFolder: TypeAlias = Annotated[Line, Matching(_is_inside, "a folder in the home folder, such as .cache/edgekit")]
DevicePath: TypeAlias = Annotated[Line, Pattern("/[^']*", "a path from /")]


@dataclass(frozen=True)
class Health:
    """Where a device shows what changes while it works. Paths may hold `*`."""

    governor: DevicePath = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
    temperature: DevicePath = "/sys/class/thermal/thermal_zone*/temp"
    throttled: tuple[Line, ...] = ("vcgencmd", "get_throttled")
    throttled_file: DevicePath = "/sys/devices/platform/soc/soc:firmware/get_throttled"


@dataclass(frozen=True)
class Expect:
    """What the device should be; None where anything goes."""

    architecture: Line | None = None
    bits: Annotated[int, one_of(32, 64)] | None = None
    cores: Annotated[int, Range(1, 4096)] | None = None
    cpu: Line | None = None


@dataclass(frozen=True)
class TargetFile:
    """What a target's file holds, without its schema.

    Attributes:
        threads: thread counts to measure with; empty: 1 and all cores.
    """

    transport: Annotated[str, OneOf(transport_names)]
    description: str = ""
    host: Host | None = None
    port: Annotated[int, Range(1, 65535)] | None = None
    identity: Line | None = None
    options: tuple[SshOption, ...] = ()
    serial: Line | None = None
    python: Program = "python3"
    work: HomeFolder = ".cache/edgekit"
    runtimes: Annotated[tuple[Annotated[str, one_of(*TFLITE_RUNTIMES)], ...], Sized(1), Through(unique)] = (
        TFLITE_RUNTIMES
    )
    threads: Annotated[tuple[Annotated[int, Range(1, 1024)], ...], Sized(1), Through(unique)] = ()
    expect: Expect = Expect()
    health: Health = Health()


@dataclass(frozen=True, kw_only=True)
class Target(TargetFile):
    """A device's description: what its file holds, and where that is from.

    Attributes:
        name: the file's name without its suffix.
        source: where it was read.
        place: whose word the file is: `package`, `own` (the user's configuration folder) or `here` (anybody's).
    """

    name: str
    source: str
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


DESKTOP = Target("local", "this machine", threads=(1,), name="desktop", source="built in")


def differences(expect: Expect, facts: Mapping[str, Any]) -> list[str]:
    """Return where a device is not what its target says.

    Args:
        expect: what it says.
        facts: what is known of the device, by the names of `Expect`; what is missing or None is not compared.
    """
    return [
        f"{name} should be {wanted}, and is {facts[name]}"
        for name in Expect.__dataclass_fields__
        if (wanted := getattr(expect, name)) is not None and facts.get(name) is not None and facts[name] != wanted
    ]


def parse(text: str, name: str, source: str) -> Target:
    """Read a target from TOML text; `source` names it in messages.

    Raises:
        InputError: as for `find_target`.
    """
    if fault := name_fault(name, "target's name"):
        hint = "give the file a name of letters, digits, `-`, `_` and `.`"
        raise InputError(f"{source}: {fault}", hint, code="name-not-plain")
    file: TargetFile = read(TargetFile, parse_toml(text, source), source, "target", versions=VERSIONS)
    return Target(**vars(file), name=name, source=source)
