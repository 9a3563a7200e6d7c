"""Scripts for a device's POSIX shell (dash, bash, busybox, Android's mksh), and how their answers are read.

A script is constant text; what varies comes as its arguments, so that nothing of the user's is ever parsed
as a program. Joining argv for a remote shell happens here, once.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from edgekit.devices.transports.below import a_link, not_a_file, parts_below
from edgekit.errors import ConnectionFailed, TargetError

# Runs "$@"; when stdin ends, because we are gone or gave up, the program is ended too. The last line of stderr tells
# its exit code: ssh and adb answer with codes of their own when the connection breaks. Nothing may hold stdin open
# afterwards: adb's side gives stdin and stdout one socket, and waits for its end. `wait` is silenced because shells
# report there which signal killed the program. Signals of the terminal are left to us: if one ended this shell between
# the two `&`, nobody would end the program.
LIFELINE = (
    'trap "" INT HUP; exec 3<&0; "$@" </dev/null 3<&- & p=$!; '
    "( while read -r _; do :; done <&3; kill -TERM $p; sleep 2; kill -KILL $p ) >/dev/null 2>&1 & w=$!; exec 3<&-; "
    'wait $p 2>/dev/null; s=$?; kill $w 2>/dev/null; echo "edgekit-exit: $s" >&2; exit 0'
)
# Goes down from the folder $1 through the folders $5, $6, ... to the file $2, whose parts arrive as $3; $4 is for the
# text that follows. From there on names are relative: nothing that is put in the way later leads elsewhere.
_BELOW = (
    'cd -- "$1" || exit 5; f=./$2; p=./$3; x=$4; shift 4; at=; '
    'for d do at=$at$d/; if [ -L "./$d" ]; then echo "edgekit-link: ${at%/}" >&2; exit 6; fi; '
    'if [ ! -d "./$d" ]; then mkdir "./$d" || exit 5; fi; cd "./$d" || exit 5; done; '
    'for n in "$f" "$p"; do if [ -L "$n" ]; then echo "edgekit-link: $at${n#./}" >&2; exit 6; fi; '
    'if [ -e "$n" ] && [ ! -f "$n" ]; then echo "edgekit-other: $at${n#./}" >&2; exit 7; fi; done; '
)
SIZE = 'if [ -f "$p" ]; then wc -c <"$p"; else echo 0; fi'
DIGEST = 'if [ -f "$f" ]; then sha256sum <"$f" | cut -c 1-64; fi'
APPEND = 'if [ "$x" = 0 ]; then rm -f "$p" && set -C && cat >"$p"; else cat >>"$p"; fi'
REMOVE = 'rm -f "$p"'
SETTLE = (
    'd=$(sha256sum <"$p") || exit 8; '
    'if [ "${d%% *}" = "$x" ]; then mv -f "$p" "$f"; else rm -f "$p"; echo "edgekit: differs" >&2; exit 9; fi'
)
LINK, OTHER = 6, 7
NO_DIGEST, DIFFERS = 8, 9
LAST_SIGNAL = 64
FULL = re.compile("No space left on device|Disk quota exceeded")
"""Whoever says so, of a disk."""
_EXIT = re.compile(r"edgekit-exit: (\d{1,3})\r?$", re.MULTILINE)


def script(text: str, *arguments: str) -> list[str]:
    """Return the argv that runs a script with arguments."""
    return ["sh", "-c", text, "edgekit", *arguments]


def below(text: str, folder: str, name: str, digest: str = "", extra: str = "") -> list[str]:
    """Return the argv of a script that works on a file below a folder: `$f`, and `$p`, where its parts arrive.

    Args:
        text: `SIZE` and its siblings.
        folder: a path from /; links on it are followed.
        name: a plain relative path below it, through no link; the folders on it are made.
        digest: SHA-256 of the content, which names the parts.
        extra: `$x`.

    Raises:
        InputError: the name is not plain.
    """
    *between, last = parts_below(name)
    return script(_BELOW + text, folder, last, part_name(last, digest) if digest else last, extra, *between)


def part_name(name: str, digest: str) -> str:
    """Return the name under which the parts of a file arrive."""
    return f"{name}.{digest[:16]}.part"


def with_env(argv: Sequence[str], env: Mapping[str, str] | None) -> list[str]:
    """Return argv behind `env NAME=value ...`."""
    return ["env", *(f"{name}={value}" for name, value in env.items()), *argv] if env else list(argv)


def joined(argv: Sequence[str]) -> str:
    """Return argv as one line for the device's shell."""
    return shlex.join(argv)


def for_any_shell(argv: Sequence[str]) -> str:
    """Return argv as one line that any login shell hands to `sh` as it is: csh, tcsh and fish as well.

    In csh quotes hold no newline and no `!`, in fish a backslash may be none. So what is not harmless everywhere goes
    as octal digits, which `printf %b` of POSIX turns back.
    """
    encoded = "".join(f"\\0{byte:03o}" if byte not in _HARMLESS else chr(byte) for byte in joined(argv).encode())
    return f"sh -c '{_DECODE}' sh '{encoded}'"


_HARMLESS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-+=:,./@")
# The x keeps newlines at the end, which $( ) would take away.
_DECODE = 'c=$(printf %bx "$1"); eval "exec ${c%x}"'


def exit_code(stderr: str) -> tuple[int | None, str]:
    """Return how a program under `LIFELINE` ended, None if that was not told, and what it said itself.

    A shell gives 128 + n for a program that signal n killed; it is returned as -n.
    """
    found = list(_EXIT.finditer(stderr))
    if not found:
        return None, stderr
    status = int(found[-1].group(1))
    said = stderr[: found[-1].start()] + stderr[found[-1].end() :].lstrip("\n")
    return (128 - status if 128 < status <= 128 + LAST_SIGNAL else status), said


def is_exit(line: str) -> bool:
    """Return whether a line is the one by which `LIFELINE` tells how the program ended."""
    return _EXIT.fullmatch(line) is not None


def unsettled(address: str, remote: str, code: int, said: str) -> TargetError:
    """Return the error for a copy that came and was not taken (`SETTLE`)."""
    if code == DIFFERS:
        return ConnectionFailed(
            f"{address}: {remote} arrived damaged and was removed",
            "run the command again; if it repeats, check the storage and the cable",
            code="copy-damaged",
        )
    if code == NO_DIGEST:
        return TargetError(
            f"{address}: `sha256sum` does not work: {' '.join(said.split())}",
            "install coreutils on the device",
            code="program-missing",
        )
    return refused(address, remote, said)


def refused(address: str, remote: str, said: str) -> TargetError:
    """Return the error for a file that could not be written on a device."""
    text = " ".join(said.split())
    for word, error in (("edgekit-link: ", a_link), ("edgekit-other: ", not_a_file)):
        if found := re.search(f"^{word}(.+)$", said, re.MULTILINE):
            return error(address, found[1].rstrip("\r"))
    if FULL.search(text):
        return TargetError(
            f"{address}: no space left for {remote}", "free some space there, or see --clean", code="device-disk-full"
        )
    if "Read-only file system" in text:
        return TargetError(
            f"{address}: {remote} is on a read-only file system",
            "choose another folder there",
            code="device-path-refused",
        )
    if "Permission denied" in text:
        return TargetError(
            f"{address}: no permission to write {remote}",
            "choose another folder there, or another user",
            code="device-path-refused",
        )
    return TargetError(
        f"{address}: cannot write {remote}: {text[-300:] or 'no reason was given'}", "", code="device-path-refused"
    )
