"""Options that several commands share, and how their text is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.errors import InputError

if TYPE_CHECKING:
    from edgekit.preprocessing import Preprocessing

DATA_HELP = "digits, mnist, fashion-mnist, cifar10, cifar100, or an .npz with x_train, y_train, x_test, y_test."


def preprocessing(scale: str | None, mean: str | None, std: str | None, layout: str | None) -> Preprocessing | None:
    """Read `--scale 1/255 --mean 0.5,0.5,0.5 --std 0.25 --layout NHWC`; None if none of them is given.

    Raises:
        InputError: something is no number.
    """
    if scale is mean is std is layout is None:
        return None
    from edgekit.preprocessing import Preprocessing

    usual = Preprocessing()
    return Preprocessing(
        scale=_number(scale, "--scale") if scale else usual.scale,
        mean=_numbers(mean, "--mean") if mean else usual.mean,
        std=_numbers(std, "--std") if std else usual.std,
        layout=layout.upper() if layout else usual.layout,
    )


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
