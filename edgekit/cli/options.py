"""Options that several commands share, and how their text is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.data.sources.registry import sources_help
from edgekit.errors import InputError
from edgekit.errors.printable import clipped
from edgekit.tasks import register as metrics

if TYPE_CHECKING:
    from edgekit.api.console import Console
    from edgekit.devices.target import Target

MOST_INTEGERS = 64
TARGET_HELP = "Where: desktop, rpi4, ... (see `edgekit targets list`), or a .toml file."
HOST_HELP = "Address of the board: user@address or user@address:port; of a phone: its adb serial."
IDENTITY_HELP = "Private key file for ssh."
TRUST_HELP = "Use the target's file whatever it says: ssh options run programs. Files of your own folder need no flag."
CHANNELS_HELP = (
    "RGB or BGR, what the model expects of samples stored as RGB; mean and std stay in the stored order. [default: RGB]"
)
METRIC_HELP = metrics.help_text()
TASK_HELP = (
    "What the first output is for: classification, binary, multilabel, regression, segmentation, mask or "
    "reconstruction; of others 'NAME=regression;...'; of a detector detection:KEY=VALUE,... or a .toml file. "
    "[default: as the labels and outputs show]"
)
DATA_HELP = sources_help()


def preprocessing(
    scale: str | None, mean: str | None, std: str | None, layout: str | None, channels: str | None = None
) -> dict[str, Any]:
    """Read `--scale 1/255 --mean 0.5,0.5,0.5 --std 0.25 --layout NHWC --channels BGR`: fields of `Preprocessing`.

    With several inputs `--scale "image=1/255;table=1"` is for each its own, and stands under `inputs`.

    Raises:
        InputError: something is no number.
    """
    from edgekit.tasks.preprocessing import checked_fields

    fields: dict[str, Any] = {}
    for name, text, read in (
        ("scale", scale, _number),
        ("mean", mean, _numbers),
        ("std", std, _numbers),
        ("layout", layout, lambda value, _: value.upper()),
        ("channels", channels, lambda value, _: value.upper()),
    ):
        for part in text.split(";") if text is not None else ():
            key, equals, value = part.rpartition("=")
            place = fields.setdefault("inputs", {}).setdefault(key.strip(), {}) if equals else fields
            place[name] = read(value, f"--{name}")
    return checked_fields(fields)


def parts(given: Sequence[str] | None) -> tuple[str, ...]:
    """Read `--only tflite,int8` or `--only tflite --only int8`."""
    return tuple(part for text in given or () for part in text.split(",") if part)


def integers(text: str, option: str) -> tuple[int, ...]:
    """Read `1,2,4`.

    Raises:
        InputError: something is no integer.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST_INTEGERS or not all(re.fullmatch(r"-?[0-9]{1,18}", part) for part in parts):
        raise InputError(
            f"`{option} {clipped(text)}`: expected integers with commas between them, such as 1,2,4",
            code="option-malformed",
        )
    return tuple(map(int, parts))


def shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Read `NAME=1,224,224,3` of every `--input-shape`; `NAME=` is a scalar.

    Raises:
        InputError: something has another form, or a name comes twice.
    """
    given = _by_name(texts, "--input-shape", "NAME=SIZES, such as image=1,224,224,3")
    return {n: integers(sizes, f"--input-shape of {n}:") if sizes else () for n, sizes in given.items()}


def values(texts: Sequence[str]) -> dict[str, float]:
    """Read `NAME=16000` of every `--input-value`.

    Raises:
        InputError: something has another form, or a name comes twice.
    """
    given = _by_name(texts, "--input-value", "NAME=NUMBER, such as sr=16000")
    return {name: _number(value, f"--input-value of {name}:") for name, value in given.items()}


def targets(
    names: Sequence[str], host: str | None, identity: Path | None, progress: Console, *, trust: bool
) -> list[Target]:
    """Read `--target`, `--host`, `--identity` and `--trust-target`; report which files are used.

    Raises:
        InputError: there is no such target, one is named twice, or an address is given for several.
    """
    from edgekit.devices.targets import find_target, where_from

    if len(names) > 1 and (host or identity):
        raise InputError(
            f"`--host` and `--identity` are for one target, and `--target` names {len(names)}",
            "set EDGEKIT_<TARGET>_HOST for each, or write target files: edgekit targets init",
            code="targets-clash",
        )
    chosen = [find_target(name, trust=trust).at(host, str(identity) if identity else None) for name in names]
    devices = [target.name for target in chosen]
    if twice := next((name for name in devices if devices.count(name) > 1), None):
        raise InputError(f"`--target {clipped(twice)}` is given twice", "name each device once", code="targets-clash")
    addresses = [(target.host, target.port) for target in chosen if target.kind.needs_address]
    if len(set(addresses)) < len(addresses):
        raise InputError(
            "two targets have the same address",
            "set EDGEKIT_<TARGET>_HOST for each, or write files: edgekit targets init",
            code="targets-clash",
        )
    for line in filter(None, map(where_from, chosen)):
        progress.notify(line)
    return chosen


def _by_name(texts: Sequence[str], option: str, form: str) -> dict[str, str]:
    """Split `NAME=VALUE` of every text; a name may hold `=`."""
    by_name: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not equals or not name:
            raise InputError(f"`{option} {clipped(text)}`: expected {form}", code="option-malformed")
        if name in by_name:
            raise InputError(
                f"`{option} {clipped(name)}=...` is given twice", "leave one of them out", code="option-twice"
            )
        by_name[name] = value
    return by_name


def _numbers(text: str, option: str) -> tuple[float, ...]:
    return tuple(_number(part, option) for part in text.split(","))


def _number(text: str, option: str) -> float:
    from edgekit.bundle.recipe_file import number

    try:
        return number(text)
    except ValueError:
        raise InputError(
            f"`{option} {clipped(text)}`: expected a number such as 0.5 or 1/255", code="option-malformed"
        ) from None
