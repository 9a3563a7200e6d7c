"""Options that several commands share, and how their text is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import InputError

if TYPE_CHECKING:
    from edgekit.devices.target import Target

TARGET_HELP = "Where: desktop, rpi4, ... (see `edgekit targets list`), or a .toml file."
HOST_HELP = "Address of the board: user@address or user@address:port; of a phone: its adb serial."
IDENTITY_HELP = "Private key file for ssh."
DATA_HELP = "digits, mnist, fashion-mnist, cifar10, cifar100, or an .npz with x_train, y_train, x_test, y_test."


def preprocessing(scale: str | None, mean: str | None, std: str | None, layout: str | None) -> dict[str, Any]:
    """Read `--scale 1/255 --mean 0.5,0.5,0.5 --std 0.25 --layout NHWC`; return the fields of `Preprocessing` given.

    Raises:
        InputError: something is no number.
    """
    from edgekit.preprocessing import Preprocessing

    given: dict[str, Any] = {
        "scale": None if scale is None else _number(scale, "--scale"),
        "mean": None if mean is None else _numbers(mean, "--mean"),
        "std": None if std is None else _numbers(std, "--std"),
        "layout": None if layout is None else layout.upper(),
    }
    fields = {name: value for name, value in given.items() if value is not None}
    Preprocessing(**fields)  # what could never be right is better refused now
    return fields


def parts(given: Sequence[str] | None) -> tuple[str, ...]:
    """Read `--only tflite,int8` or `--only tflite --only int8`."""
    return tuple(part for text in given or () for part in text.split(",") if part)


def integers(text: str, option: str) -> tuple[int, ...]:
    """Read `1,2,4`.

    Raises:
        InputError: something is no integer.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text}: expected integers with commas between them, such as 1,2,4") from None


def seconds(text: str, option: str) -> float:
    """Read `90`, `90s`, `5m` or `1h`.

    Raises:
        InputError: it is no time.
    """
    units = {"s": 1, "m": 60, "h": 3600}
    return _positive(text.rstrip("smh"), option) * units.get(text[-1:], 1)


def celsius(text: str, option: str) -> float:
    """Read `60` or `60C`.

    Raises:
        InputError: it is no temperature.
    """
    return _positive(text.upper().removesuffix("C"), option)


def targets(names: Sequence[str], host: str | None, identity: Path | None) -> list[Target]:
    """Read `--target`, `--host` and `--identity`.

    Raises:
        InputError: there is no such target, one is named twice, or an address is given for several.
    """
    from edgekit.devices.target import find_target

    if len(names) > 1 and (host or identity):
        raise InputError(
            "--host and --identity are for one target", "set EDGEKIT_<TARGET>_HOST for each, or write target files"
        )
    found = [find_target(name).at(host, str(identity) if identity else None) for name in names]
    if len({target.name for target in found}) < len(found):
        raise InputError("--target names the same device twice")
    addresses = [(target.host, target.port) for target in found if target.transport == "ssh"]
    if len(set(addresses)) < len(addresses):
        raise InputError(
            "two targets have the same address",
            "set EDGEKIT_<TARGET>_HOST for each, or write files: edgekit targets init",
        )
    return found


def _positive(text: str, option: str) -> float:
    value = _number(text, option)
    if not 0 < value < float("inf"):
        raise InputError(f"{option} {text}: expected a number above zero")
    return value


def _numbers(text: str, option: str) -> tuple[float, ...]:
    return tuple(_number(part, option) for part in text.split(","))


def _number(text: str, option: str) -> float:
    above, slash, below = text.partition("/")
    try:
        return float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{option} {text}: expected a number such as 0.5 or 1/255") from None
