"""Scripts for a device's POSIX shell (dash, bash, busybox, Android's mksh), and how their answers are read.

A script is constant text; what varies comes as its arguments, so that nothing of the user's is ever parsed
as a program. Joining argv for a remote shell happens here, once.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from edgekit.errors import ConnectionFailed, TargetError

# Runs "$@"; when stdin ends, because we are gone or gave up, the program is ended too. The last line of stderr tells
# its exit code: ssh and adb answer with codes of their own when the connection breaks. Nothing may hold stdin open
# afterwards: adb's side gives stdin and stdout one socket, and waits for its end. `wait` is silenced because shells
# report there which signal killed the program.
LIFELINE = (
    'exec 3<&0; "$@" </dev/null 3<&- & p=$!; '
    "( while read -r _; do :; done <&3; kill -TERM $p; sleep 2; kill -KILL $p ) >/dev/null 2>&1 & w=$!; exec 3<&-; "
    'wait $p 2>/dev/null; s=$?; kill $w 2>/dev/null; echo "edgekit-exit: $s" >&2; exit 0'
)
SIZE = 'if [ -f "$1" ]; then wc -c <"$1"; else echo 0; fi'
APPEND = 'if [ "$2" = 0 ]; then cat >"$1"; else cat >>"$1"; fi'
SETTLE = (
    'd=$(sha256sum <"$1") || exit 8; '
    'if [ "${d%% *}" = "$3" ]; then mv -f "$1" "$2"; else rm -f "$1"; echo "edgekit: differs" >&2; exit 9; fi'
)
NO_DIGEST, DIFFERS = 8, 9
LAST_SIGNAL = 64
_EXIT = re.compile(r"edgekit-exit: (\d{1,3})\r?$", re.MULTILINE)


def script(text: str, *arguments: str) -> list[str]:
    """Return the argv that runs a script with arguments."""
    return ["sh", "-c", text, "edgekit", *arguments]


def with_env(argv: Sequence[str], env: Mapping[str, str] | None) -> list[str]:
    """Return argv behind `env NAME=value ...`."""
    return ["env", *(f"{name}={value}" for name, value in env.items()), *argv] if env else list(argv)


def joined(argv: Sequence[str]) -> str:
    """Return argv as one line for the device's shell."""
    return shlex.join(argv)


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
        return ConnectionFailed(f"{address}: {remote} arrived damaged and was removed", "try again")
    if code == NO_DIGEST:
        return TargetError(f"{address}: `sha256sum` does not work there: {' '.join(said.split())}", "install coreutils")
    return refused(address, remote, said)


def refused(address: str, remote: str, said: str) -> TargetError:
    """Return the error for a file that could not be written on a device."""
    text = " ".join(said.split())
    if "No space left" in text or "Disk quota" in text:
        return TargetError(f"{address}: no space left for {remote}", "free some space there, or see --clean")
    if "Read-only file system" in text:
        return TargetError(f"{address}: {remote} is on a read-only file system", "choose another folder there")
    if "Permission denied" in text:
        return TargetError(f"{address}: not allowed to write {remote}", "choose another folder there, or another user")
    return TargetError(f"{address}: cannot write {remote}: {text[-300:] or 'no reason was given'}")
