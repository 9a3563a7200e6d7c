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
from edgekit.files.opening import expanded, inside
from edgekit.files.whole import atomic_file
from edgekit.schema.document import read_text
from edgekit.schema.mixups import recognised
from edgekit.schema.toml import nearest_or_file, to_toml


def find_target(name: str, folder: Path = Path("targets"), *, trust: bool = False) -> Target:
    """Read a target: the path of a TOML file, or a name from `folder`, the user's configuration or the package.

    `EDGEKIT_<NAME>_HOST` replaces its address.

    Args:
        name: the path or name.
        folder: of the project's own targets.
        trust: believe a file that is neither the user's own nor the package's (`edgekit.devices.trust`).

    Raises:
        InputError: no such target, or something in it is wrong; said with file, key path and nearest valid name. Or it
            says what not everybody may.
    """
    found = read_target(name, folder)
    if found.place == "here" and not trust:
        check_trust(found, _packaged(found.name))
    return _from_environment(found)


def read_target(name: str, folder: Path = Path("targets")) -> Target:
    """Read a target as its file says, to be shown, and not to be used (see `find_target`)."""
    if name.endswith(".toml") or "/" in name:
        return _read(expanded(name))
    known = dict(_known(folder))
    if name not in known:
        with recognised(name, "target"):
            raise InputError(f"unknown target `{name}`", nearest_or_file(name, known))
    return _read(known[name])


def target_text(target: Target) -> str:
    """Return what a target's file holds."""
    return read_text(Path(target.source), "target", 1 << 20)


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
        raise InputError(f"--as {to}: a target's name is of letters, digits, `-`, `_` and `.`")
    if folder.is_symlink():
        raise OutputError(f"{folder}: is a link, and may lead anywhere", "make it a folder")
    text = target_text(target)
    if host is not None:
        changed = target.at(host)
        lines = [line for line in text.splitlines() if not re.match(r"(host|port|serial)\s*=", line)]
        fields = {"host": changed.host, "port": changed.port, "serial": changed.serial}
        after = next(i for i, line in enumerate(lines) if re.match(r"transport\s*=", line)) + 1
        lines[after:after] = [f"{key} = {to_toml(value)}" for key, value in fields.items() if value is not None]
        text = "\n".join(lines) + "\n"
    path = folder / f"{to}.toml"
    if path.exists() or path.is_symlink():
        raise OutputError(f"{path} exists", "change it there, or give another name with --as")
    with atomic_file(path, replace=False) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


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
    found: dict[str, Path] = {}
    for place in (_package(), user_folder(), folder):
        if place.is_dir():
            found |= {p.name.removesuffix(".toml"): p for p in place.iterdir() if p.name.endswith(".toml")}
    for name, path in found.items():
        if path.parent == folder:
            inside(path, folder)
        yield name, path


def _package() -> Path:
    return Path(str(resources.files("edgekit"))) / "targets"


def _read(path: Path) -> Target:
    with recognised(path, "target"):
        found = parse(read_text(path, "target", 1 << 20), path.name.removesuffix(".toml"), str(path))
    return replace(found, place=place_of(path, _package(), user_folder()))
