"""The one description of how stored samples become model inputs.

It is declared once and travels with the model: training, calibration, evaluation and the device use the same
numbers, and the bundle's manifest stores them. `edgekit/ondevice/runner.py` repeats the arithmetic of
`Preprocessing.apply`, because it must not import edgekit; a test holds the two equal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from edgekit.errors import InputError
from edgekit.errors.printable import quoted
from edgekit.schema.gate import read
from edgekit.schema.rules import Sized, Through, one_of
from edgekit.schema.types import Declaration, JsonMapping, JsonObject
from edgekit.tasks.samples import Array, NamedArrays, Samples

Prepared = Any
"""Model inputs: an array; of `NamedArrays` a tuple of arrays."""
LAYOUTS = ("NHWC", "NCHW")
CHANNELS = ("RGB", "BGR")
SMALLEST, LARGEST = 1e-30, 1e30
"""Of the numbers: arithmetic in float32 stays within its range."""


class InputForm(TypedDict):
    """How one input is fed, as JSON; `channels` is there where they are reversed."""

    scale: float
    mean: Annotated[list[float], Sized(1)]
    std: Annotated[list[float], Sized(1)]
    layout: Annotated[str, one_of(*LAYOUTS)]
    channels: NotRequired[Annotated[str, one_of(*CHANNELS)]]


class PreprocessingForm(InputForm):
    """How a model is fed, as JSON."""

    inputs: NotRequired[dict[str, InputForm]]


@dataclass(frozen=True)
class Preprocessing:
    """`(x * scale - mean) / std`, then the channels' order, then a change of layout.

    Attributes:
        scale: factor on the stored values; 1/255 turns bytes into [0, 1].
        mean: subtracted after scaling; one value, or one per channel (the last axis of the stored samples).
        std: divided by after the mean; one value, or one per channel.
        layout: what the model expects; samples are stored channels-last (`NHWC`), `NCHW` transposes 4-D batches.
        channels: what the model expects; samples are stored as red, green, blue (`RGB`), `BGR` reverses the last axis.
            Mean and std stay in the order of the stored samples.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: str = "NHWC"
    inputs: tuple[tuple[str, Preprocessing], ...] = ()
    """For a model with several inputs: by name how each is fed, in place of all of the above."""
    channels: str = "RGB"

    def __post_init__(self) -> None:
        values = (self.scale, *self.mean, *self.std)
        if not all(math.isfinite(v) for v in values):
            raise _invalid(f"a number is not finite: {values}", "give finite numbers")
        if self.scale == 0 or 0 in self.std:
            raise _invalid("a scale or std of zero would erase the data", "give a number other than 0")
        divisors = [abs(v) for v in (self.scale, *self.std)]
        if max(divisors) > LARGEST or min(divisors, default=1) < SMALLEST or any(abs(v) > LARGEST for v in self.mean):
            raise _invalid(
                f"a number is too large or too small: {values}", f"use numbers from {SMALLEST:g} to {LARGEST:g}"
            )
        if not self.mean or not self.std:
            raise _invalid("`mean` and `std` need at least one value each", "leave them out for 0 and 1")
        if self.layout not in LAYOUTS:
            raise _invalid(f"unknown layout `{self.layout}`", f"use one of: {', '.join(LAYOUTS)}")
        if self.channels not in CHANNELS:
            raise _invalid(f"unknown channel order `{self.channels}`", f"use one of: {', '.join(CHANNELS)}")

    def of(self, name: str) -> Preprocessing:
        """Return how the input `name` is fed."""
        return dict(self.inputs).get(name, self)

    def changed(self, given: JsonMapping) -> Preprocessing:
        """Return it with some fields replaced; `inputs` maps names of inputs to fields of theirs.

        Raises:
            InputError: the model has no input of a name.
        """
        fields = {key: value for key, value in given.items() if key != "inputs"}
        changes: Mapping[str, JsonMapping] = given.get("inputs", {})
        unknown = set(changes) - {name for name, _ in self.inputs}
        if unknown:
            known = ", ".join(name for name, _ in self.inputs)
            hint = f"its inputs are: {known}" if known else "it has one input: give the numbers without a name"
            named = ", ".join(f"`{name}`" for name in sorted(unknown))
            raise InputError(
                f"`--scale`, `--mean` or `--std`: the model has no input {named}", hint, code="input-unknown"
            )
        inputs = tuple((name, replace(how, **{**fields, **changes.get(name, {})})) for name, how in self.inputs)
        return replace(self, **fields, inputs=inputs)

    def apply(self, x: Samples) -> Prepared:
        """Return model inputs as float32; of `NamedArrays` one array an input, a tuple in their order.

        Args:
            x: a batch of stored samples, any real dtype, shape (n, ...), channels last.

        Raises:
            InputError: mean or std do not fit the number of channels, or not three of them are to be reversed.
        """
        if isinstance(x, NamedArrays):
            return tuple(self.of(name)._one(np.asarray(c)) for name, c in zip(x.names, x.arrays, strict=True))
        return self._one(np.asarray(x))

    def _one(self, x: Array) -> npt.NDArray[np.float32]:
        channels = x.shape[-1] if x.ndim > 1 else 1
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise _invalid(
                    f"{len(values)} values for `{name}`, and the data has {channels} channels",
                    f"give one value, or {channels}",
                )
        if self.channels == "BGR" and (channels != 3 or x.ndim < 3):
            raise _invalid(f"`BGR` reverses three channels, and the data has {channels}", "leave `--channels` out")
        out = x.astype(np.float32) * np.float32(self.scale)
        out -= np.asarray(self.mean, np.float32)
        out /= np.asarray(self.std, np.float32)
        if self.channels == "BGR":
            out = np.ascontiguousarray(out[..., ::-1])
        if self.layout == "NCHW" and out.ndim == 4:
            out = np.ascontiguousarray(out.transpose(0, 3, 1, 2))
        return out

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        named = {"inputs": {name: how.to_dict() for name, how in self.inputs}} if self.inputs else {}
        reversed_ = {"channels": self.channels} if self.channels != "RGB" else {}  # an older edgekit knows no such key
        numbers = {"scale": self.scale, "mean": list(self.mean), "std": list(self.std)}
        return {**numbers, "layout": self.layout, **reversed_, **named}

    @classmethod
    def from_dict(cls, value: JsonMapping, source: str = "preprocessing") -> Preprocessing:
        """Read the JSON form; `source` names it in messages.

        Raises:
            InputError: a key is missing, unknown or of the wrong type.
        """
        return read(cls, value, source, "description of preprocessing")

    @classmethod
    def declared(cls) -> Declaration:
        """Return the declaration of the JSON form."""
        return Annotated[PreprocessingForm, Through(_of_form)]

    def __str__(self) -> str:
        """Return the formula a person would write, e.g. `x / 255` or `(x / 255 - 0.5) / 0.25`."""
        if self.inputs:
            return "; ".join(f"{name}: {how}" for name, how in self.inputs)
        reciprocal = 1 / self.scale
        if self.scale == 1:
            text = "x"
        elif abs(reciprocal) > 1 and abs(2 * reciprocal - round(2 * reciprocal)) < 1e-6 * abs(reciprocal):
            text = f"x / {round(2 * reciprocal) / 2:g}"
        else:
            text = f"x * {self.scale:g}"
        if any(self.mean):
            plus = len(self.mean) == 1 and self.mean[0] < 0
            text = f"{text} + {-self.mean[0]:g}" if plus else f"{text} - {_numbers(self.mean)}"
        if any(v != 1 for v in self.std):
            text = f"({text}) / {_numbers(self.std)}" if " " in text else f"{text} / {_numbers(self.std)}"
        text = text if self.channels == "RGB" else f"{text}, reversed to {self.channels}"
        return text if self.layout == "NHWC" else f"{text}, transposed to {self.layout}"


def sets_scale(given: JsonMapping) -> bool:
    """Return whether fields of `Preprocessing` set how values are scaled; a layout alone does not."""
    fields = {"scale", "mean", "std"}
    return bool(fields & set(given)) or any(fields & set(own) for own in given.get("inputs", {}).values())


def _numbers(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else "[" + ", ".join(f"{v:g}" for v in values) + "]"


def _invalid(message: str, hint: str) -> InputError:
    return InputError(f"preprocessing: {message}", hint, code="preprocessing-invalid")


def _of_form(form: JsonMapping) -> Preprocessing:
    unknown = set(form) - {"scale", "mean", "std", "layout", "channels", "inputs"}
    if unknown:
        raise _invalid(
            f"unknown keys: {', '.join(map(quoted, sorted(unknown)))}",
            "the keys are scale, mean, std, layout, channels and inputs",
        )
    return Preprocessing(
        scale=float(form["scale"]),
        mean=tuple(map(float, form["mean"])),
        std=tuple(map(float, form["std"])),
        layout=form["layout"],
        channels=form.get("channels", "RGB"),
        inputs=tuple((name, _of_form(how)) for name, how in form.get("inputs", {}).items()),
    )


def checked_fields(given: JsonMapping) -> JsonObject:
    """Return fields of `Preprocessing` that a user gave, `mean` and `std` as tuples; those of `inputs` likewise.

    Args:
        given: by name; `inputs` maps names of inputs to such fields.

    Raises:
        InputError: something could never be right: better refused before the work.
    """
    own = {key: value for key, value in given.items() if key != "inputs"}
    fields: JsonObject = {key: tuple(value) if isinstance(value, list) else value for key, value in own.items()}
    Preprocessing(**fields)
    inputs = {name: checked_fields(changes) for name, changes in given.get("inputs", {}).items()}
    return fields | ({"inputs": inputs} if inputs else {})
