"""Where targets are found: the project's folder, the user's configuration, the package; and whose word they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

from edgekit.devices.target import Target, parse
from edgekit.devices.trust import check_trust, place_of, untrusted
from edgekit.errors import InputError, OutputError
from edgekit.errors.printable import clipped
from edgekit.files.opening import expanded, inside
from edgekit.files.whole import atomic_file
from edgekit.schema.document import read_text
from edgekit.schema.mixups import recognised
from edgekit.schema.toml import nearest_or_file

LARGEST_FILE = 1 << 20


def find_target(name: str, folder: Path = Path("targets"), *, trust: bool = False) -> Target:
    """Read a target: the path of a TOML file, or a name from `folder`, the user's configuration or the package.

    `EDGEKIT_<NAME>_HOST` replaces its address.

    Args:
        name: the path or name.
        folder: of the project's own targets.
        trust: believe a file that is neither the user's own nor the package's (`edgekit.devices.trust`).

    Raises:
        InputError: no such target, or something in it is wrong: with file, key path and nearest valid name. Or it
            says what not everybody may.
    """
    target = read_target(name, folder)
    if target.place == "here" and not trust:
        check_trust(target, _packaged(target.name))
    return _from_environment(target)


def read_target(name: str, folder: Path = Path("targets")) -> Target:
    """Read a target as its file says, to be shown, and not to be used (see `find_target`)."""
    if name.endswith(".toml") or "/" in name:
        return _read(expanded(name))
    known = dict(_known(folder))
    if name not in known:
        with recognised(name, "target"):
            raise InputError(f"unknown target `{clipped(name)}`", nearest_or_file(name, known), code="unknown-name")
    return _read(known[name])


def target_text(target: Target) -> str:
    """Return what a target's file holds."""
    return read_text(Path(target.source), "target", LARGEST_FILE)


def distrusted(target: Target) -> list[str]:
    """Return what a target says that needs to be trusted; empty: nothing does."""
    return untrusted(target, _packaged(target.name)) if target.place == "here" else []


def where_from(target: Target) -> str:
    """Return a line that says which file a target is from; empty for the package's."""
    if target.place == "package":
        return ""
    shadowed = ", in place of the package's" if _packaged(target.name) else ""
    return f"target `{target.name}` is from {target.source}{shadowed}"


def _packaged(name: str) -> Target | None:
    path = _package() / f"{name}.toml"
    return _read(path) if "/" not in name and path.is_file() else None


def all_targets(folder: Path = Path("targets")) -> list[Target]:
    """Return every target there is by name, sorted.

    Raises:
        InputError: something in one of them is wrong.
    """
    return [_read(path) for _, path in sorted(_known(folder))]


def copy_target(name: str, folder: Path, to: str | None = None, host: str | None = None) -> Path:
    """Copy a target's file into a folder, under another name and with another address if given; return its path.

    Raises:
        InputError: there is no such target, or the new name is none.
        OutputError: the file exists.
    """
    target = read_target(name)
    to = to or target.name
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", to):
        message = f"--as {clipped(to)}: a target's name is of letters, digits, `-`, `_` and `.`"
        raise InputError(message, code="name-not-plain")
    if folder.is_symlink():
        raise OutputError(f"{folder}: is a link, and may lead anywhere", "make it a folder", code="output-is-link")
    text = target_text(target)
    if host is not None:
        text = _with_address(text, target.at(host))
    path = folder / f"{to}.toml"
    if path.exists() or path.is_symlink():
        hint = "change it there, or give another name with --as"
        raise OutputError(f"{path} exists", hint, code="output-exists")
    with atomic_file(path, replace=False) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _with_address(text: str, target: Target) -> str:
    """Return a target's TOML with the address of a target; comments and order stay."""
    import tomlkit

    document = tomlkit.parse(text)
    for key in ("host", "port", "serial"):
        value = getattr(target, key)
        if value is not None:
            document[key] = value
        else:
            document.pop(key, None)
    return tomlkit.dumps(document)


def user_folder() -> Path:
    """Return the folder of the user's own targets."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "edgekit" / "targets"


def host_variable(name: str) -> str:
    """Return the environment variable with a target's address."""
    return "EDGEKIT_" + re.sub(r"\W", "_", name).upper() + "_HOST"


def _from_environment(target: Target) -> Target:
    given = os.environ.get(host_variable(target.name))
    return target.at(given) if given and target.kind.read_host is not None else target


def _known(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and file of every target; of one name, the nearest."""
    nearest: dict[str, Path] = {}
    for place in (_package(), user_folder(), folder):
        if place.is_dir():
            nearest |= {p.name.removesuffix(".toml"): p for p in place.iterdir() if p.name.endswith(".toml")}
    for name, path in nearest.items():
        if path.parent == folder:
            inside(path, folder)
        yield name, path


def _package() -> Path:
    return Path(str(resources.files("edgekit"))) / "targets"


def _read(path: Path) -> Target:
    with recognised(path, "target"):
        target = parse(read_text(path, "target", LARGEST_FILE), path.name.removesuffix(".toml"), str(path))
    return replace(target, place=place_of(path, _package(), user_folder()))
