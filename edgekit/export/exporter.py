"""Write every artifact a recipe asks for into a folder."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.bundle.binding import bound
from edgekit.bundle.recipe import Recipe
from edgekit.bundle.schemes import FORMATS, SCHEMES, Source, from_int8
from edgekit.errors import ConversionError
from edgekit.export import c_header
from edgekit.export.calibration import Ranging
from edgekit.export.onnx import convert as onnx
from edgekit.export.rewrites.apply import Rewritten, in_words, rewritten
from edgekit.export.rewrites.trained import rewritten_for_int8
from edgekit.export.tflite import convert as tflite
from edgekit.export.tflite.convert import Calibration
from edgekit.export.tflite.dense_scales import one_scale
from edgekit.export.tflite.ranges import input_names
from edgekit.export.tflite.saved import Saved, without_loops
from edgekit.files.temporary import temporary_folder
from edgekit.frameworks.types import KerasModel
from edgekit.progress import Progress

HEADER = "model_data.h"


@dataclass(frozen=True)
class Exported:
    """A file just written: its format (`tflite`, `onnx`, `c`), its scheme, how it was made, and from what.

    Attributes:
        rewrites: what was rewritten in the model before it was quantized, name to the number of places.
        reverted: names of the operators of an int8 file that compute in float.
    """

    path: Path
    format: str
    scheme: str
    made_by: str
    rewrites: dict[str, int] = field(default_factory=dict)
    reverted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """The int8 file of a model, chosen among several.

    Attributes:
        file: as it ships, `.tflite` of a Keras model, else in the source's format.
        how: it differs from the file that is made by default, half a sentence; empty if it does not.
        reverted: names of its operators that compute in float.
    """

    file: bytes
    how: str = ""
    reverted: tuple[str, ...] = ()

    def said_of(self, made_by: str) -> str:
        """Return how a file was made, with how it differs."""
        return f"{made_by}, {self.how}" if self.how else made_by


def export(
    model: KerasModel,
    recipe: Recipe,
    calibration: Calibration,
    folder: Path,
    name: str,
    progress: Progress,
    float_model: KerasModel = None,
    chosen: Chosen | None = None,
) -> list[Exported]:
    """Export a tf_keras model.

    TFLite files come first, in the order of the recipe's schemes, then ONNX (float32 and int8, where the recipe has
    those schemes), then the C header of the int8 TFLite.

    Args:
        model: a tf_keras model.
        recipe: its `schemes` and `formats` are used.
        calibration: preprocessed samples, float32 (n, ...).
        folder: where to write.
        name: the files are called `NAME-SCHEME.tflite` and `NAME-SCHEME.onnx`.
        progress: notified of every file.
        float_model: for a model trained with fake quantization, the same weights without it: every scheme but int8 and
            those made from the int8 file come from this one.
        chosen: the int8 `.tflite`, which its ONNX and C header are made of; None: it is made by default.

    Raises:
        ConversionError: a file cannot be made.
    """
    with temporary_folder("export") as scratch:
        wanted, made = plan(recipe), list[Exported]()
        samples = _Samples(calibration, Ranging.of(recipe))
        workshop = _Workshop(model, float_model, samples, scratch, name, {scheme for _, scheme in wanted}, chosen)
        if workshop.rewrites:
            progress.notify(f"before quantization: {in_words(workshop.rewrites)}")
        with progress.task("exporting", len(wanted)) as task:
            for format_, scheme in wanted:
                try:
                    made.append(workshop.make(format_, scheme, folder, progress))
                except ConversionError as error:
                    if format_ != "onnx" or "tflite" not in recipe.formats:
                        raise
                    others = f"{error.hint}; or " if error.hint else ""
                    raise ConversionError(error.message, others + onnx.left_out(recipe), code=error.code) from error
                task.advance(made[-1].path.name)
    return made


def plan(recipe: Recipe) -> list[tuple[str, str]]:
    """Return the format and scheme of every file that a recipe asks for.

    Raises:
        ConversionError: there is none that could be run.
    """
    wanted = [("tflite", s) for s in recipe.schemes if "tflite" in recipe.formats]
    for format_ in (f for f in FORMATS if f != "tflite" and f in recipe.formats):
        wanted += [(format_, s) for s, row in SCHEMES.items() if s in recipe.schemes and format_ in row.formats]
    if all(format_ == "c" for format_, _ in wanted):
        raise ConversionError(
            f"recipe `{recipe.name}` asks for no file that can be run: formats {', '.join(recipe.formats)}, schemes "
            f"{', '.join(recipe.schemes)}",
            "ONNX has the schemes float32 and int8; a C header is checked as .tflite, add tflite to its formats",
            code="nothing-to-export",
        )
    return wanted


@dataclass(frozen=True)
class _Samples:
    """Calibration samples, and how ranges are chosen from them."""

    calibration: Calibration
    ranging: Ranging


class _Workshop:
    """Makes single artifacts; what one needs of another (ONNX int8 of TFLite int8) is made once, here."""

    def __init__(
        self,
        model: KerasModel,
        float_model: KerasModel,
        samples: _Samples,
        scratch: Path,
        name: str,
        schemes: Collection[str],
        chosen: Chosen | None,
    ) -> None:
        self._chosen = chosen
        self._calibration, self._ranging = samples.calibration, samples.ranging
        self._scratch, self._name = scratch, name
        plain, self._trained = float_model or model, float_model is not None
        # What is calibrated is rewritten. Files that keep floats are made from the model as it is: their users compare.
        int8 = any(map(from_int8, schemes))
        calibrated = "int16x8" in schemes or (int8 and not self._trained)
        found = rewritten(plain, samples.calibration) if calibrated else Rewritten(plain)
        trained = rewritten_for_int8(model, float_model, samples.calibration) if int8 and self._trained else found
        self.rewrites, self._int16_rewrites = trained.rewrites, found.rewrites
        self._int16 = without_loops(found.model, scratch / "int16")
        self._int8 = self._int16 if trained is found else without_loops(trained.model, scratch / "int8")
        self._float = self._int16 if self._int16.model is plain else Saved(plain, scratch / "float")
        self._flatbuffers: dict[str, Path] = {}
        self._int8_file: bytes | None = None
        self._notes: dict[str, str] = {}

    def make(self, format_: str, scheme: str, folder: Path, progress: Progress) -> Exported:
        if format_ == "tflite":
            path = folder / f"{self._name}-{scheme}.tflite"
            path.write_bytes(self._tflite(scheme).read_bytes())
            trained = self._trained and from_int8(scheme)
            how = "TFLiteConverter, trained with fake quantization" if trained else "TFLiteConverter"
            how += ", recurrent layers unrolled" if self._saved(scheme).unrolled else ""
            note = self._notes.get("int8" if from_int8(scheme) else scheme)
            how += f", {note}" if note else ""
            how += f", {SCHEMES[scheme].made}" if SCHEMES[scheme].made else ""
            reverted: tuple[str, ...] = ()
            if self._chosen and scheme == "int8":
                how, reverted = self._chosen.said_of(how), self._chosen.reverted
            return Exported(path, format_, scheme, how, self._used(scheme), reverted)
        if format_ == "c":
            path = folder / HEADER
            c_header.write_header(path, self._tflite(scheme), self._name, progress)
            return Exported(path, format_, scheme, f"the bytes of {self._name}-{scheme}.tflite", self._used(scheme))
        path = folder / f"{self._name}-{scheme}.onnx"
        if scheme == "float32":
            return Exported(path, format_, scheme, onnx.write_float(path, self._float.signature))
        return self._int8_onnx(path)

    def _tflite(self, scheme: str) -> Path:
        if scheme not in self._flatbuffers:
            path = self._scratch / f"{self._name}-{scheme}.tflite"
            if SCHEMES[scheme].source is Source.INT8:
                path.write_bytes(bound(SCHEMES[scheme].where)(self._per_channel(), scheme, self._calibration))
            elif scheme == "int8":
                path.write_bytes(self._chosen.file if self._chosen else self._with_few_scales(self._per_channel()))
            else:
                saved = self._saved(scheme)
                made = tflite.noted(saved.folder(), saved.signature, scheme, self._calibration, self._ranging)
                self._notes[scheme] = made.note
                path.write_bytes(made.data)
            self._flatbuffers[scheme] = path
        return self._flatbuffers[scheme]

    def _per_channel(self) -> bytes:
        """Return the int8 file with a scale a channel in all layers; int4 weights, which have fewer steps, need it."""
        if self._int8_file is None:
            saved = self._saved("int8")
            made = tflite.noted(saved.folder(), saved.signature, "int8", self._calibration, self._ranging)
            self._int8_file, self._notes["int8"] = made.data, made.note
        return self._int8_file

    def _with_few_scales(self, flatbuffer: bytes) -> bytes:
        names = input_names(flatbuffer)
        columns = tflite.by_name(self._int8.signature, self._calibration)

        def reference() -> bytes:
            found = self._tflite("float32").read_bytes()
            if len(names) > 1 and input_names(found) != names:
                raise ValueError("its inputs are in another order")
            return found

        return one_scale(flatbuffer, reference, [columns[name] for name in names])

    def _saved(self, scheme: str) -> Saved:
        return self._int16 if scheme == "int16x8" else self._int8 if from_int8(scheme) else self._float

    def _used(self, scheme: str) -> dict[str, int]:
        """Return the rewrites behind a file of this scheme."""
        saved = self._saved(scheme)
        return self._int16_rewrites if saved is self._int16 else self.rewrites if saved is self._int8 else {}

    def _int8_onnx(self, path: Path) -> Exported:
        # Where float ONNX is calibrated, that is what the TFLite was made of, but for layers unrolled for it alone.
        source = self._float if self._trained or self._int8.unrolled else self._int8

        def float_onnx() -> Path:
            onnx.write_float(self._scratch / "float.onnx", source.signature)
            return self._scratch / "float.onnx"

        how = onnx.write_int8(
            path,
            self._int8.signature,
            self._tflite("int8"),
            float_onnx,
            self._calibration,
            self._ranging,
            unrolled=self._int8.unrolled,
        )
        plain = source is self._float and how.startswith(onnx.STATIC)
        reverted = self._chosen.reverted if self._chosen and not how.startswith(onnx.STATIC) else ()
        return Exported(path, "onnx", "int8", how, {} if plain else self._used("int8"), reverted)
