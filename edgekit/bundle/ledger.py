"""The effect ledger: one entry a stage, saying what the model would be like as a file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, NotRequired, TypedDict

from edgekit.errors.printable import visible
from edgekit.schema.gate import read
from edgekit.schema.rules import AnyFloat, Choosing, Count, Natural, Range, Seconds, Sized, Through, Wrong
from edgekit.schema.toml import nearest
from edgekit.schema.types import JsonMapping, JsonObject
from edgekit.schema.versions import Versions
from edgekit.stats import Interval
from edgekit.tasks.drop import Drop
from edgekit.tasks.metrics import Counted, Score, Valued, share
from edgekit.tasks.scores import score_text
from edgekit.text.tables import ratio_with_interval

VERSIONS = Versions("ledger entry", 1, unversioned=1)
SCORE = ("metric", "correct", "value", "low", "high", "samples")
"""Keys of a score, which stand in an entry's JSON form side by side with its own."""


class EntryForm(TypedDict):
    """An entry as JSON, without its score, whose keys stand beside these."""

    stage: str
    scheme: str
    sha256: str
    bytes: Natural
    gzip_bytes: Natural
    parameters: Count
    macs: Count | None
    zeros: Annotated[float, Range(0, 1)]
    unique: dict[str, Count]
    latency: Annotated[list[AnyFloat], Sized(3, 3)] | None
    seconds: Seconds
    drop: NotRequired[Drop]
    reverted: NotRequired[tuple[str, ...]]


class _CountedEntry(EntryForm, Counted):
    pass


class _ValuedEntry(EntryForm, Valued):
    pass


_FORM = Annotated[JsonObject, Choosing((("correct", _CountedEntry), ("", _ValuedEntry))), Through(share), VERSIONS]
"""An entry as JSON."""


@dataclass(frozen=True)
class Entry:
    """The exported model after one stage.

    Attributes:
        stage: `source` or the stage's name.
        scheme: how it was exported, the recipe's last scheme.
        sha256: of the file that all numbers are about.
        score: how good the file's answers to validation samples are.
        bytes, gzip_bytes: of the file.
        parameters, macs: as inspected; macs is None where not countable.
        zeros: share of the weights that mean zero, 0 to 1.
        unique: distinct stored values of each weight tensor of 32 and more elements.
        latency: ratio to the source's file, interleaved rounds: [value, low, high]; None for the source itself.
        seconds: spent in the stage by the run that finished it, without measuring; of a step of `--max-drop` the time
            in which its files were made and judged.
        drop: what the file lost against the source model, where a limit was set for it.
        reverted: names of the operators of an int8 file that compute in float.
    """

    stage: str
    scheme: str
    sha256: str
    score: Score
    bytes: int
    gzip_bytes: int
    parameters: int
    macs: int | None
    zeros: float
    unique: dict[str, int]
    latency: list[float] | None
    seconds: float
    drop: Drop | None = None
    reverted: tuple[str, ...] = ()

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("score", "drop", "reverted")}
        limited: JsonObject = {} if self.drop is None else {"drop": self.drop.to_dict()}
        mixed: JsonObject = {"reverted": list(self.reverted)} if self.reverted else {}
        return {"schema": VERSIONS.newest, **own, **limited, **mixed, **self.score.to_dict()}

    @classmethod
    def from_dict(cls, value: JsonMapping, source: str = "ledger") -> Entry:
        """Read the JSON form; `source` names it in messages.

        Raises:
            InputError: it is of another form.
        """
        return read(cls, value, source, "ledger entry")

    @classmethod
    def declared(cls) -> Any:
        """Return the declaration of the JSON form."""
        return Annotated[_FORM, Through(_of_form)]

    def ratio(self) -> Interval | None:
        """Return the latency ratio with its interval."""
        return None if self.latency is None else Interval(*self.latency)


def _of_form(form: JsonMapping) -> Entry:
    score = {key: form[key] for key in SCORE if key in form}
    for key in form:
        if key not in score and key not in EntryForm.__annotations__:
            raise Wrong("is an unknown key", nearest(visible(key), EntryForm.__annotations__), (key,), "key-unknown")
    return Entry(**{key: form[key] for key in EntryForm.__annotations__ if key in form}, score=Score.from_dict(score))


def ledger_line(entry: Entry, source: Entry) -> str:
    """Return one entry as a line that reads by itself."""
    ratio = entry.ratio()
    lost = f" ({entry.drop.text} lost)" if entry.drop is not None else ""
    size, packed = entry.bytes / source.bytes, entry.gzip_bytes / source.gzip_bytes
    return (
        f"{entry.stage} as {entry.scheme}: {score_text(entry.score)}{lost}, "
        f"{entry.bytes:,} bytes ({size:.2f}x, gzip {packed:.2f}x), "
        f"{'-' if entry.macs is None else f'{entry.macs:,}'} MACs, zeros {entry.zeros:.1%}, "
        f"at most {max(entry.unique.values(), default=0)} distinct weights a layer, "
        f"latency {'1.00x' if ratio is None else ratio_with_interval(ratio)}, {entry.seconds:.0f} s"
    )
