"""What `compress` is asked for, and what can be refused before a model or data are opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekit.bundle.manifest import MANIFEST, strangers
from edgekit.bundle.recipe import Recipe
from edgekit.errors import InputError
from edgekit.export.sources import plan_source
from edgekit.files.destinations import prove_bundle
from edgekit.models.sources.file_source import source_format
from edgekit.pipeline.input_sizes import InputOptions
from edgekit.pipeline.outside import check_outside
from edgekit.progress import SILENT, Progress
from edgekit.schema.types import JsonValue
from edgekit.techniques.registry import resolve
from edgekit.techniques.stage import Stage, check_order


@dataclass(frozen=True)
class Request:
    """A run of `compress`, or of what only looks at a model, as the parameters of `compress` say; see there.

    Attributes:
        out: the folder to create, if one is.
        stages: of the recipe, resolved.
    """

    model: Path | None
    data: str
    recipe: Recipe
    out: Path = Path()
    preprocessing: Mapping[str, JsonValue] = field(default_factory=dict)
    allow_unsafe: bool = False
    metric: str | None = None
    task: str = ""
    custom: Sequence[str] = ()
    force: bool = False
    fresh: bool = False
    anyway: bool = False
    inputs: InputOptions = field(default_factory=InputOptions)
    progress: Progress = SILENT
    split_outputs: bool = False
    stages: tuple[Stage, ...] = ()

    def proved(self) -> Request:
        """Return it as it is, once it is known that its bundle can be made.

        Raises:
            OutputError: `out` exists, or cannot be written.
        """
        prove_bundle(self.out, self.model, self.data, force=self.force, marker=MANIFEST, strangers=strangers)
        return self

    def checked(self) -> Request:
        """Return it with its stages, and the recipe with its preprocessing.

        Raises:
            InputError: the stages cannot follow each other, or nothing trains a model like this.
            ConversionError: nothing can be made of a model like this.
        """
        name = self.recipe.name
        stages = [resolve(spec, f"recipe {name}: stage[{i}]") for i, spec in enumerate(self.recipe.stages)]
        check_order(stages)
        format_ = source_format(self.model)
        layers = self.recipe.wants_layers(format_)  # mostly a file can be rebuilt as such: opening it tells
        plan_source("keras" if layers else format_, self.recipe)
        if self.recipe.max_drop is not None and "int8" not in self.recipe.schemes:
            raise InputError(
                f"recipe `{name}` makes no int8 file, which is what `--max-drop` is for",
                'add "int8" to its schemes, or leave `--max-drop` out',
                code="max-drop-without-int8",
            )
        if self.recipe.normalize_outside:
            check_outside(self.recipe, None)
        return replace(self, recipe=self.recipe.with_preprocessing(self.preprocessing), stages=tuple(stages))
