"""How far two realisations of a model differ on the same samples: the one class for all that compares outputs.

`edgekit.measuring.agreement` makes it: of the files of a bundle against the model that they come from, and of a device
against the host.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, NotRequired, TypedDict

from edgekit.schema.rules import AnyFloat, Count, Holding, Natural, Through, Wrong
from edgekit.schema.tables import fields_written
from edgekit.schema.types import JsonMapping, JsonObject
from edgekit.tasks.channels import LostChannel

HOST, DEVICE = "host", "device"


@dataclass(frozen=True)
class BySample:
    """What is counted where both sides ran the same file, as it is stored and not dequantized.

    Attributes:
        equal: samples that are equal in every value.
        far: samples that differ by more than rounding can.
        other_class: samples with the largest output elsewhere, and not for a tie; None in older records.
        rms: root mean square of all differences, and `span` of the reference's outputs: in steps or values as the
            largest difference.
        same_runtime: whether both sides ran under the same runtime.
        mismatch: why nothing could be compared: other shapes or types. Every sample is far then. Empty otherwise.
    """

    equal: Count
    far: Count = 0
    other_class: Count | None = None
    rms: AnyFloat = 0.0
    span: AnyFloat = 0.0
    same_runtime: bool = True
    mismatch: str = ""


@dataclass(frozen=True)
class Agreement:
    """How far two realisations of a model differ on the same samples.

    Attributes:
        reference, other: a file of the bundle, or the Keras model in memory: `float model`, or `fake-quant model` for
            int8 files of models trained with fake quantization; between machines the host's runtime, and `device`.
        samples: how many.
        top1: share of samples with the same largest output, 0 to 1; None where an output is a single value.
        max_abs: largest difference of any output, in real units; infinite where outputs are not finite, NaN between
            machines where the outputs are integers.
        max_steps: the same in steps of the output's scale; None where neither output is quantized.
        sqnr_db: signal-to-quantization-noise ratio in dB; None where the two are equal, or are class numbers, and
            between machines.
        lost: channels that `other` flattens or erases; left out of the JSON form where there are none.
        by_sample: between machines only.
    """

    reference: str
    other: str
    samples: Count
    top1: float | None
    max_abs: AnyFloat
    max_steps: AnyFloat | None
    sqnr_db: float | None
    lost: tuple[LostChannel, ...] = ()
    by_sample: BySample | None = None

    @property
    def same_class(self) -> int | None:
        """How many samples have the same largest output."""
        return None if self.top1 is None else round(self.top1 * self.samples)

    @property
    def equal(self) -> bool:
        """Whether every value of every sample is the same."""
        return self.by_sample is not None and self.by_sample.equal == self.samples

    def to_dict(self) -> JsonObject:
        """Return the JSON form that a manifest holds."""
        optional = {"lost": self.lost, "by_sample": self.by_sample}
        return {key: value for key, value in fields_written(self).items() if optional.get(key, True)}


class HostForm(TypedDict):
    """The JSON form in a record: of a device's outputs against the host's."""

    samples: Natural
    same_class: Count | None
    equal: Count
    largest_difference: AnyFloat
    unit: str
    other_class: NotRequired[Count]
    far: NotRequired[Count]
    rms: NotRequired[AnyFloat]
    span: NotRequired[AnyFloat]
    why: NotRequired[str]
    host_runtime: NotRequired[str]
    same_runtime: NotRequired[bool]


def host_form(agreement: Agreement) -> HostForm:
    """Return the JSON form that a record holds of an agreement between host and device."""
    counted = agreement.by_sample
    assert counted is not None
    steps = agreement.max_steps
    form: HostForm = {
        "samples": agreement.samples,
        "same_class": agreement.same_class,
        "equal": counted.equal,
        "largest_difference": agreement.max_abs if steps is None else steps,
        "unit": "value" if steps is None else "steps",
        "far": counted.far,
        "rms": counted.rms,
        "span": counted.span,
        "host_runtime": agreement.reference,
        "same_runtime": counted.same_runtime,
    }
    if counted.other_class is not None:
        form["other_class"] = counted.other_class
    if counted.mismatch:
        form["why"] = counted.mismatch
    return form


def _of_host_form(form: JsonMapping) -> Agreement:
    samples, same, largest = form["samples"], form["same_class"], form["largest_difference"]
    if same is not None and same > samples:
        raise Wrong(f"has the same class on {same:,} of {samples:,} samples")
    steps = form["unit"] == "steps"
    counted = BySample(
        form["equal"],
        form.get("far", 0),
        form.get("other_class"),
        form.get("rms", 0.0),
        form.get("span", 0.0),
        form.get("same_runtime", True),
        form.get("why", ""),
    )
    top1 = None if same is None else same / samples
    return Agreement(
        reference=form.get("host_runtime", HOST),
        other=DEVICE,
        samples=samples,
        top1=top1,
        max_abs=math.nan if steps else largest,
        max_steps=largest if steps else None,
        sqnr_db=None,
        by_sample=counted,
    )


BETWEEN_MACHINES = Annotated[JsonObject, Holding(HostForm), Through(_of_host_form)]
"""The declaration of the form in a record."""
