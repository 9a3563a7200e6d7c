"""What a recipe's file may hold, declared: keys, types, bounds and defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, NotRequired, TypeAlias, TypedDict

from edgekit.bundle.schemes import FORMATS, SCHEMES
from edgekit.errors.printable import quoted
from edgekit.schema.rules import Closed, Line, OneOf, Others, Range, Sized, Through, Wrong, one_of, unique
from edgekit.schema.types import JsonMapping, JsonObject, JsonValue
from edgekit.schema.versions import Versions

VERSIONS = Versions("recipe", 1, hint="begin the file with: schema = 1")
CALIBRATION_METHODS = ("minmax", "percentile", "mse")
MOST_SAMPLES = 2**31 - 1
MOST_DROP = 1e6
"""Of a metric without bounds; of a share 100 is everything."""
LAYOUTS = ("NHWC", "NCHW")
"""Of what files take and give."""
PREPROCESSING = ("scale", "mean", "std", "layout", "channels")
"""Fields of `edgekit.tasks.preprocessing.Preprocessing` that a recipe gives."""

Scheme: TypeAlias = Annotated[str, OneOf(lambda: SCHEMES)]
Plain: TypeAlias = Line | float | bool
OptionValue: TypeAlias = Plain | list[Plain]
"""What an option of a stage is; the technique knows which (`edgekit.techniques.registry`)."""


def number(value: JsonValue) -> float:
    """Read `0.5`, or the text `1/255`.

    Raises:
        ValueError: it is no number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(value)
    above, slash, below = str(value).partition("/")
    try:
        return float(above) / float(below) if slash else float(above)
    except ZeroDivisionError as error:
        raise ValueError(value) from error


def _factor(value: JsonValue) -> float:
    try:
        return number(value)
    except ValueError:
        raise Wrong(f'is {quoted(value)}, expected a number, or text such as "1/255"') from None


def _channels(value: JsonValue) -> tuple[float, ...]:
    values = value if isinstance(value, list) else [value]
    try:
        return tuple(map(number, values))
    except ValueError:
        raise Wrong(f"is {quoted(value)}, expected a number, or a list of them, one a channel") from None


def _usable(table: JsonObject) -> JsonObject:
    """Return a table of preprocessing; raise `InputError` for what could never be right."""
    fields = {key: value for key, value in table.items() if key in PREPROCESSING}
    if fields:
        from edgekit.tasks.preprocessing import Preprocessing

        Preprocessing(**fields)
    return table


Factor: TypeAlias = Annotated[float | str, Through(_factor)]
Factors: TypeAlias = Annotated[float | str | Annotated[list[float | str], Sized(1)], Through(_channels)]
Word: TypeAlias = Annotated[Line, Through(str.upper)]


class StageTable(TypedDict):
    """`[[stage]]`: a technique, and its options beside it."""

    use: Line


class InputTable(TypedDict):
    """How samples become a model's input: (x * scale - mean) / std."""

    scale: NotRequired[Factor]
    mean: NotRequired[Factors]
    std: NotRequired[Factors]
    layout: NotRequired[Word]
    channels: NotRequired[Word]


class PreprocessingTable(InputTable):
    """`[preprocessing]`."""

    inputs: NotRequired[dict[Line, Annotated[InputTable, Closed, Through(_usable)]]]
    normalize_outside: NotRequired[bool]


@dataclass(frozen=True)
class ExportTable:
    """`[export]`."""

    schemes: Annotated[tuple[Scheme, ...], Sized(1), Through(unique)] = (
        "float32",
        "int8",
    )
    formats: Annotated[tuple[Annotated[str, one_of(*FORMATS)], ...], Sized(1), Through(unique)] = FORMATS
    max_drop: Annotated[float, Range(0, MOST_DROP)] | None = None
    layout: Annotated[Line, Through(str.upper), one_of(*LAYOUTS)] | None = None


@dataclass(frozen=True)
class CalibrationTable:
    """`[calibration]`."""

    samples: Annotated[int, Range(1, MOST_SAMPLES)] = 500
    method: Annotated[str, one_of(*CALIBRATION_METHODS)] = "minmax"
    percentile: Annotated[float, Range(50, 100), Through(float)] = 99.9


@dataclass(frozen=True)
class CheckTable:
    """`[check]`."""

    samples: Annotated[int, Range(1, MOST_SAMPLES)] = 1000


@dataclass(frozen=True)
class EvalTable:
    """`[eval]`."""

    samples: Annotated[int, Range(0, MOST_SAMPLES)] = 1000


@dataclass(frozen=True)
class RecipeFile:
    """A recipe's file, without its schema."""

    description: str = ""
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0
    stage: tuple[Annotated[StageTable, Others(Line, OptionValue)], ...] = ()
    export: ExportTable = ExportTable()
    preprocessing: Annotated[PreprocessingTable, Closed, Through(_usable)] = field(
        default_factory=lambda: PreprocessingTable()
    )
    calibration: CalibrationTable = CalibrationTable()
    check: CheckTable = CheckTable()
    eval: EvalTable = EvalTable()

    def preprocessing_fields(self) -> JsonMapping:
        """Return the fields of `Preprocessing` that are given; `inputs` maps names of inputs to such fields."""
        table: JsonMapping = self.preprocessing
        return {key: value for key, value in table.items() if key in PREPROCESSING or (key == "inputs" and value)}
