"""Options that several commands share, and how their text is read."""

from __future__ import annotations

from typing import Any

from edgekit.errors import InputError

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


def integers(text: str, option: str) -> tuple[int, ...]:
    """Read `1,2,4`.

    Raises:
        InputError: something is no integer.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text}: expected integers with commas between them, such as 1,2,4") from None


def _numbers(text: str, option: str) -> tuple[float, ...]:
    return tuple(_number(part, option) for part in text.split(","))


def _number(text: str, option: str) -> float:
    above, slash, below = text.partition("/")
    try:
        return float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{option} {text}: expected a number such as 0.5 or 1/255") from None
