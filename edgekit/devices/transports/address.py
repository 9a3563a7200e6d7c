"""Where a device is, and how `--host` says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import InputError
from edgekit.errors.printable import clipped, visible


@dataclass(frozen=True)
class Address:
    """How a device is reached; the fields are those of a target's file.

    Attributes:
        host: a user and an address, an address, or a host of the user's ssh configuration.
        port: None: as ssh is configured.
        identity: a private key file; None: as ssh is configured.
        options: more `-o` options of ssh, as `Name=value`.
        serial: of one of several phones.
    """

    host: str | None = None
    port: int | None = None
    identity: Path | None = None
    options: tuple[str, ...] = ()
    serial: str | None = None


def adb_address(host: str) -> Mapping[str, str | int | None]:
    """Return the field of a target for the serial number of a phone."""
    return {"serial": host}


def ssh_address(host: str) -> Mapping[str, str | int | None]:
    """Return the fields of a target for `user@address:port`; an IPv6 address with a port stands in brackets.

    Raises:
        InputError: it is no address.
    """
    user, at, rest = host.rpartition("@")
    if rest.startswith("["):
        address, _, port = rest[1:].partition("]")
        port = port.removeprefix(":")
    elif rest.count(":") == 1:
        address, _, port = rest.partition(":")
    else:
        address, port = rest, ""
    named = address and (user or not at) and not address.startswith("-") and not user.startswith("-")
    whole = named and not re.search(r"\s", host) and visible(host) == host
    numbered = re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536
    if not whole or (port and not numbered) or rest.endswith((":", "]:")):
        example = "user@address or user@address:port, e.g. pi@192.168.1.7"
        raise InputError(f"--host {clipped(host)}: not an address", example, code="address-invalid")
    return {"host": user + at + address, "port": int(port) if port else None}
