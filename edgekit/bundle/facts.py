"""What a record says of the machine that measured: facts, or why they could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

from edgekit.schema.rules import Count, Natural, Through
from edgekit.schema.tables import open_ended
from edgekit.schema.types import Declaration, JsonObject

T = TypeVar("T")


@dataclass(frozen=True)
class Unavailable:
    """A fact that could not be read, and why."""

    why: str

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return {"unavailable": self.why}

    @classmethod
    def declared(cls) -> Declaration:
        """Return the declaration of the JSON form."""
        return Annotated[dict[str, str], Through(_unavailable)]


def _unavailable(form: dict[str, str]) -> Unavailable:
    return Unavailable(form.get("unavailable", "no reason was given"))


Text = str | Unavailable | None
Number = Natural | Unavailable | None
FactValue = str | int | bool | list[str]


@open_ended
@dataclass(frozen=True)
class HostFacts:
    """What a machine is; None where the edgekit that wrote the record did not ask.

    Attributes:
        cpu_model, cpu_core: the board or processor, and ARM's name of the core.
        cpu_flags: instruction sets that decide which int8 kernels run.
        architecture: as `uname -m` prints it.
        cores: CPUs that a process may use.
        governor: of the CPU's frequency.
        max_frequency_khz: that the governor may choose.
        memory_kib: of the whole machine.
        os, kernel, glibc: versions.
        user_bits: 32 or 64, of programs.
        emulated: by what, or False.
        virtualization: as `systemd-detect-virt` prints it.
    """

    cpu_model: Text = None
    cpu_core: Text = None
    cpu_flags: list[str] | Unavailable | None = None
    architecture: Text = None
    cores: Number = None
    governor: Text = None
    max_frequency_khz: Count | Unavailable | None = None
    memory_kib: Count | Unavailable | None = None
    os: Text = None
    kernel: Text = None
    glibc: Text = None
    user_bits: Count | Unavailable | None = None
    emulated: str | bool | Unavailable | None = None
    virtualization: Text = None


def known(fact: T | Unavailable | None) -> T | None:
    """Return a fact, or None where it is not known."""
    return None if isinstance(fact, Unavailable) else fact


def fact_text(fact: FactValue | Unavailable | None, unknown: str = "unknown") -> str:
    """Return a fact as text."""
    value = known(fact)
    return unknown if value is None else str(value)
