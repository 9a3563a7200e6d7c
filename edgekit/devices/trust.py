"""What a target's file may say that anybody may have written: one of the current folder, or of any other path.

A target says how a device is reached, and with ssh's options, programs to run and files to read that is nearly
everything: ProxyCommand runs a program here. Files of the user's own configuration folder and of the package are
believed. What others may say is what stands here: names and values by allow list. For more there is `--trust-target`.

Of OpenSSH's options (ssh_config(5)) these are left out, and so is every other that is not listed: what runs programs
(ProxyCommand, LocalCommand, KnownHostsCommand, Match exec), loads libraries (PKCS11Provider, SecurityKeyProvider),
forwards ports, agents or displays, reads or writes other files (Include, IdentityFile, CertificateFile, ControlPath,
UserKnownHostsFile), weakens the check of host keys or the ciphers, or hands on variables (SendEnv, SetEnv).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import InputError
from edgekit.errors.printable import clipped
from edgekit.files.opening import expanded
from edgekit.files.whole import work_base

if TYPE_CHECKING:
    from edgekit.devices.target import Health, Target

_NUMBER, _YES_NO = "[0-9]{1,5}", "yes|no"
_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?"
OPTIONS = {
    "AddressFamily": "any|inet|inet6",
    "BindAddress": "[0-9A-Fa-f.:]{2,45}",
    "Compression": _YES_NO,
    "ConnectionAttempts": "[1-9]",
    "ConnectTimeout": _NUMBER,
    "IdentitiesOnly": _YES_NO,
    "IPQoS": "[a-z0-9]{1,16}(?: [a-z0-9]{1,16})?",
    "Port": _NUMBER,
    "ProxyJump": f"none|{_HOST}(?:,{_HOST}){{0,3}}",
    "ServerAliveCountMax": _NUMBER,
    "ServerAliveInterval": _NUMBER,
    "StrictHostKeyChecking": "yes|ask",
    "TCPKeepAlive": _YES_NO,
    "User": "[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}",
}
"""By name, what the value matches. ProxyJump takes hosts only: ssh itself goes there, and checks their keys."""
_OPTIONS = {name.lower(): re.compile(pattern) for name, pattern in OPTIONS.items()}
PYTHONS = re.compile(r"python[0-9]?(?:\.[0-9]{1,2})?|pypy3?")
"""Programs that the device looks up itself."""
THROTTLED = {("vcgencmd", "get_throttled"), ("/usr/bin/vcgencmd", "get_throttled"), ()}
_STEP = r"[A-Za-z0-9_:,.*@-]+"
PATHS = {
    "governor": re.compile(rf"/sys/devices/system/cpu/(?:{_STEP}/)?(?:{_STEP}/)?scaling_governor"),
    "temperature": re.compile(rf"/sys/(?:class|devices)/(?:{_STEP}/){{1,12}}temp(?:[0-9]{{1,2}}_input)?"),
    "throttled_file": re.compile(rf"/sys/devices/(?:{_STEP}/){{1,12}}get_throttled"),
}
"""Of `[health]`: the kernel's files of that name, which tell this and nothing else."""
FLAG = "--trust-target"


def untrusted(target: Target, packaged: Target | None) -> list[str]:
    """Return what in a target is not for everybody to say, each as half a sentence; empty: nothing is.

    Args:
        target: as its file says.
        packaged: the package's target of that name, if there is one.
    """
    return [*_ways(target, packaged), *_options(target), *_health(target.health)]


def check_trust(target: Target, packaged: Target | None) -> None:
    """Raise `InputError` if a target that may be anybody's says more than that."""
    if reasons := untrusted(target, packaged):
        raise InputError(
            f"{target.source}: {'; '.join(reasons)}; a file outside of your own configuration may not set that",
            f"read the file; if it is yours, move it to ~/.config/edgekit/targets, or add {FLAG}",
            code="target-not-trusted",
        )


def place_of(path: Path, package: Path, own: Path) -> str:
    """Return whose word a target's file is: `package`, `own` (of the user's configuration) or `here` (anybody's)."""
    real = path.resolve()
    for folder, name in ((package, "package"), (own, "own")):
        if real.parent == folder.resolve():
            return name
    return "here"


def _ways(target: Target, packaged: Target | None) -> Iterator[str]:
    if packaged is not None and packaged.transport != target.transport:
        yield f"`transport` is {target.transport}, and that of the target `{target.name}` is {packaged.transport}"
    if target.identity and not _is_key(target.identity):
        yield f"`identity` is {clipped(target.identity)}, expected a key in ~/.ssh or beside the file, or --identity"
    if not PYTHONS.fullmatch(target.python):
        yield f"`python` is {clipped(target.python)}, expected a name such as python3"


def _is_key(identity: str) -> bool:
    """Return whether a file lies where keys do: the user's, the project's, and those of emulated boards."""
    real = os.path.realpath(expanded(identity))
    places = (Path.home() / ".ssh", work_base() / "boards", Path())
    return any(real.startswith(os.path.join(os.path.realpath(place), "")) for place in places)  # noqa: PTH118


def _options(target: Target) -> Iterator[str]:
    given = [option.partition("=") for option in target.options]
    if others := [clipped(name) for name, _, _ in given if name.lower() not in _OPTIONS]:
        yield f"`options` has {', '.join(others)}, expected only {', '.join(OPTIONS)}"
    for name, _, value in given:
        if (pattern := _OPTIONS.get(name.lower())) and not pattern.fullmatch(value):
            yield f"`options` has {name}={clipped(value)}, whose value is none of those expected"


def _health(health: Health) -> Iterator[str]:
    if health.throttled not in THROTTLED:
        yield f"`health.throttled` is {clipped(' '.join(health.throttled))}, expected vcgencmd get_throttled"
    for name, pattern in PATHS.items():
        value = getattr(health, name)
        if not pattern.fullmatch(value) or ".." in value.split("/"):
            yield f"`health.{name}` is {clipped(value)}, expected the kernel's file in /sys"
