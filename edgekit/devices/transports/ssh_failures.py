"""What ssh says about a connection that was not made, as a sentence with a next step.

ssh tells little without being asked: of a key with a passphrase and of a key that the device does not know it says the
same. So a refusal is asked about once more, with `-v`, whose lines tell which key was taken and why it was of no use.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from edgekit.devices.transports.base import LOST
from edgekit.errors import ConnectionFailed, TargetError
from edgekit.errors.printable import quoted


@dataclass(frozen=True)
class Way:
    """How a device is reached, for messages.

    Attributes:
        address: the device.
        host: as ssh's file of known hosts names it.
        by_hand: the command that does the same by hand.
        user: who logs in, where that is known.
    """

    address: str
    host: str
    by_hand: str
    user: str = ""


def refusal(way: Way, code: int, said: str, asked: Callable[[], str]) -> TargetError:
    """Return the error for a connection that was not made, or whose account runs no programs.

    Args:
        way: to the device.
        code: ssh's exit code.
        said: what it printed to stderr.
        asked: what it prints with `-v`.
    """
    if code != LOST:
        return no_programs(way, code, said)
    for pattern, kind, slug, what, hint in FAILURES:
        if found := re.search(pattern, said, re.IGNORECASE):
            named = {"host": way.host, "command": way.by_hand, **found.groupdict("")}
            return kind(f"{way.address}: {what.format(**named)}", hint.format(**named), code=slug)
    if "Permission denied" in said:
        return _not_let_in(way, f"{said}\n{asked()}")
    return lost(way, code, said)


def lost(way: Way, code: int, said: str) -> ConnectionFailed:
    """Return the error for a connection that broke, for reasons that nobody knows."""
    text = " ".join(said.split())[-300:]
    return ConnectionFailed(
        f"{way.address}: the connection broke (ssh ended with {code}{': ' + text if text else ''})",
        "check power and network of the device, then run the command again",
        code="connection-lost",
    )


def no_programs(way: Way, code: int, said: str) -> TargetError:
    """Return the error for a login that works, and a login shell that ends without running what it was given."""
    if _NO_LOGIN.search(said):
        return no_login(way)
    text = " ".join(_spoken(said).split())[-300:]
    how = f"its login shell ended with exit code {code}" if code >= 0 else "its login shell did not stop talking"
    return TargetError(
        f"{way.address}: programs do not run there: {how}" + (f": {text}" if text else ""),
        "a login shell such as /bin/false, or a login script (.bashrc, .profile, .cshrc) that exits or starts another "
        f"shell? let it do so only with a terminal; try: {way.by_hand} true",
        code="login-shell",
    )


def silent(way: Way, said: str, seconds: int) -> TargetError:
    """Return the error for a connection over which no answer came in time."""
    if "Authenticated to " not in said:
        return ConnectionFailed(
            f"{way.address}: no answer within {seconds} s",
            "check its power, its network and the address",
            code="device-unreachable",
        )
    return TargetError(
        f"{way.address}: the login works, and no program ran within {seconds} s",
        "a login script (.bashrc, .profile, .cshrc) that starts another shell, asks something or waits? let it do so "
        f"only with a terminal; try: {way.by_hand} true",
        code="login-shell",
    )


def talkative(way: Way, line: str) -> TargetError:
    """Return the error for a login script that prints."""
    if _NO_LOGIN.search(line):
        return no_login(way)
    return TargetError(
        f"{way.address}: a login script prints {line[:60]!r}, where only output of programs may come",
        "let .bashrc and the like print in interactive shells only",
        code="login-shell",
    )


def no_login(way: Way) -> TargetError:
    """Return the error for an account that may not run programs."""
    return TargetError(
        f"{way.address}: the login works, and the login shell (nologin) runs no programs",
        f"name another user with --host, or on the device: sudo chsh -s /bin/sh {way.user or 'USER'}",
        code="login-shell",
    )


def _not_let_in(way: Way, said: str) -> TargetError:
    """Return why no key served: a trouble of a key here, or that the device knows none of them."""
    for pattern, what, hint in _KEYS:
        if found := re.search(pattern, said):
            reason = what.format(key=quoted(found["key"]))
            return TargetError(
                f"{way.address}: {reason}",
                hint.format(key=shlex.quote(found["key"]), command=way.by_hand),
                code="key-unusable",
            )
    offered = dict.fromkeys(re.findall(f"Offering public key: {_NAMED}", said))
    methods = re.findall(r"Permission denied \(([^)]*)\)", said)
    if methods and "publickey" not in methods[-1]:
        return TargetError(
            f"{way.address}: accepts no keys ({methods[-1]}), and edgekit types no passwords",
            "let it take keys: PubkeyAuthentication yes in its /etc/ssh/sshd_config",
            code="login-refused",
        )
    known = f"; it was offered {', '.join(map(quoted, offered))}" if offered else "; this machine offered no key"
    return TargetError(
        f"{way.address}: refuses this user{known}",
        "copy your key there with ssh-copy-id, or name another user with --host or key with --identity; an account "
        "whose shell is missing is not let in, either",
        code="login-refused",
    )


def _spoken(said: str) -> str:
    """Leave out ssh's own reports."""
    own = ("Authenticated to ", "Transferred: ", "Bytes per second: ", "debug1: ")
    return "\n".join(line for line in said.splitlines() if not line.startswith(own))


_NO_LOGIN = re.compile(r"account is currently not available|\bnologin\b|not permitted to log in", re.IGNORECASE)
_NAMED = r"(?P<key>[^\n]+?) (?:RSA|DSA|ECDSA|ED25519)\S* SHA256:"
_KEYS: tuple[tuple[str, str, str], ...] = (
    (
        r"Permissions \d+ for '(?P<key>[^'\n]+)' are too open",
        "ssh ignores the key {key}: others may read it",
        "chmod 600 {key}",
    ),
    (r'Load key "(?P<key>[^"\n]+)": Permission denied', "the key {key} may not be read", "is it yours? ls -l {key}"),
    (
        r'Load key "(?P<key>[^"\n]+)": (?!bad permissions)',
        "the key {key} cannot be read: it is damaged, or no private key",
        "name the private key, the one without .pub, with --identity",
    ),
    (
        r"signing failed for \S+ \"?(?P<key>[^\"\s]*)\"? from agent",
        "the device knows the key {key}, and the agent here does not sign with it",
        "unlock it, or touch the hardware key; try: {command} true",
    ),
    (
        rf"Server accepts key: (?=\S*\.pub ){_NAMED}",
        "{key} is the public half of a key, and no agent holds the private one",
        "name the private key, the one without .pub, with --identity",
    ),
    (
        f"Server accepts key: {_NAMED}",
        "the device knows the key {key}, which cannot be used: it has a passphrase, and no agent holds it",
        'start an agent and give it the key: eval "$(ssh-agent)"; ssh-add {key}',
    ),
)
FAILURES: tuple[tuple[str, type[TargetError], str, str, str], ...] = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed",
        TargetError,
        "host-key-unknown",
        "its host key is not the one known here: another device has this address, or it was installed anew",
        'if that is expected: ssh-keygen -R "{host}", then connect once with ssh and compare the fingerprint',
    ),
    (
        "Host key verification failed|No .* host key is known",
        TargetError,
        "host-key-unknown",
        "its host key is not known here",
        "connect once by hand and compare the fingerprint: {command}",
    ),
    (
        "Too many authentication failures",
        TargetError,
        "login-refused",
        "it was offered too many keys",
        "name the right one with --identity",
    ),
    (
        "Unable to negotiate",
        TargetError,
        "ssh-unusable",
        "it speaks no ssh that this machine accepts",
        "see: {command} -v",
    ),
    (
        "Could not resolve hostname",
        TargetError,
        "device-unreachable",
        "there is no host of this name",
        "check --host; the address can be read on the device with: hostname -I",
    ),
    (
        "Bad configuration option|Bad owner or permissions",
        TargetError,
        "ssh-unusable",
        "ssh refuses its configuration",
        "see: ssh -v",
    ),
    (
        "port (?P<port>[0-9]+): Connection refused",
        ConnectionFailed,
        "device-unreachable",
        "nothing listens on its port {port}",
        "is ssh switched on? sudo raspi-config nonint do_ssh 0; on another port? --host ADDRESS:PORT",
    ),
    (
        "banner line|Bad packet length|Protocol major versions|invalid protocol identifier",
        TargetError,
        "ssh-unusable",
        "what listens on that port is no ssh",
        "give ssh's port with --host ADDRESS:PORT",
    ),
    (
        "kex_exchange_identification|Connection (closed|reset) by .* port",
        ConnectionFailed,
        "device-unreachable",
        "the connection broke before anybody logged in",
        "is that ssh's port? does the device turn this address away, or is it starting up? try: {command}",
    ),
    (
        "(port (?P<port>[0-9]+): .*)?(timed out|No route to host|Network is unreachable)",
        ConnectionFailed,
        "device-unreachable",
        "it cannot be reached",
        "check its power, its network and the address",
    ),
)
