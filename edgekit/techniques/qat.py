"""`quantize`: quantization-aware training (QAT), keeping the zeros and clusters that earlier stages made.

Jacob et al. 2018 (arXiv 1712.05877); TFMOT's guides on QAT and on collaborative optimization (PQAT, CQAT, PCQAT);
with a teacher: Polino et al. 2018, "Model compression via distillation and quantization" (arXiv 1802.05668).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np

from edgekit.errors import ConversionError, InputError
from edgekit.export.tflite import convert as tflite
from edgekit.export.tflite.saved import without_loops
from edgekit.files.temporary import temporary_folder
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.layers.knowledge import Handling
from edgekit.frameworks.types import KerasModel
from edgekit.models.training.augment import augmentation
from edgekit.models.training.targets import Targets, check_soft
from edgekit.models.training.training import TrainConfig, sample_shape
from edgekit.progress import Progress
from edgekit.schema.types import JsonObject
from edgekit.tasks.samples import ModelInputs, choose, part
from edgekit.techniques.batch_statistics import SAMPLES, measure_before_validation
from edgekit.techniques.integer_inputs import check_inputs
from edgekit.techniques.masks import keep_zeros
from edgekit.techniques.qat_finish import for_converter, rounded, without_forms
from edgekit.techniques.qat_preflight import Prepared, prepare
from edgekit.techniques.qat_ranges import calibrate
from edgekit.techniques.qat_scheme import INT4, INT8, apply, forms, unclustered
from edgekit.techniques.stage import CLUSTERED, QUANTIZED, SPARSE, ModelState, StageContext, Trained
from edgekit.techniques.teacher import soft_targets
from edgekit.techniques.training import train_stage

FLOAT, ORIGINAL = "float", "original"
"""Teachers: the float model that enters the stage, or the source model from before all stages."""
PROOF_SAMPLES = 32
"""With which the prepared model is compared with the given one."""
TRIAL_SAMPLES = 8
"""With which the int8 file before training is calibrated; only its operators are looked at."""
FLOAT_OPERATOR = "DEQUANTIZE"
"""An int8 file has this operator only where it goes on in float."""


@dataclass(frozen=True)
class Quantize(Trained):
    """Train with fake quantization, so that the weights get used to int8.

    Attributes:
        alpha: share of the soft loss, towards a teacher's outputs; with 0 the labels alone count.
        temperature: T of the soft targets.
        teacher: `float`, the model that enters this stage, or `original`, the one from before all stages.
        weight_bits: 8, or 4 for the schemes `int4` and `int4-dense`: what they hold in 4 bits is trained so.
        allow_float_layers: go on, with a warning, if some layers will compute in float inside the int8 file, because
            TFLite has no int8 form of them; else refuse before training.
    """

    alpha: float = 0.0
    temperature: float = 4.0
    teacher: str = FLOAT
    weight_bits: int = INT8
    learning_rate: float = 1e-4
    allow_float_layers: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_soft(self.temperature, self.alpha)
        if self.teacher not in (FLOAT, ORIGINAL):
            raise InputError(f"unknown teacher `{self.teacher}`", f"one of: {FLOAT}, {ORIGINAL}", code="unknown-name")
        if self.teacher != FLOAT and not self.alpha:
            raise InputError(
                f"`teacher` has no effect with alpha 0: `{self.teacher}`",
                "set alpha, for example to 0.7",
                code="option-without-effect",
            )

        if self.weight_bits not in (INT4, INT8):
            raise InputError(
                f"`weight_bits` is {self.weight_bits}, expected {INT4} or {INT8}", code="value-out-of-range"
            )

    @property
    def expectation(self) -> str:
        """See `Stage`."""
        taught, cost = "", ""
        if self.alpha:
            taught = f", taught by the {self.teacher} model"
            if self.augment != "none":
                cost = "; the teacher runs along, because augmented samples cannot be cached"
        epochs = f"quantization-aware training, {self.epochs} epoch{'s' * (self.epochs != 1)}"
        if self.weight_bits == INT4:
            return f"{epochs} of weights in 4 bits{taught}: what the schemes int4 and int4-dense make smaller{cost}"
        return (
            f"{epochs}{taught}: the same int8 file as by calibration alone, with less loss of accuracy where there was "
            f"any{cost}"
        )

    def follow(self, traits: frozenset[str]) -> frozenset[str]:
        """See `Stage`."""
        if QUANTIZED in traits:
            raise InputError(
                "`quantize` after `quantize`: the model is quantized already",
                "leave one of them out",
                code="stage-order",
            )
        if self.weight_bits == INT4 and (kept := traits & {SPARSE, CLUSTERED}):
            raise InputError(
                f"`quantize` with `weight_bits = 4` does not keep a model {' and '.join(sorted(kept))}",
                "leave `weight_bits` out, or the stage that makes zeros or clusters",
                code="stage-order",
            )
        return traits | {QUANTIZED}

    def preflight(self, model: KerasModel, progress: Progress, *, allow_unsafe: bool) -> None:
        """See `Stage`: fake quantization must be able to take every input."""
        check_inputs(model)

    def run(self, state: ModelState, context: StageContext) -> tuple[ModelState, JsonObject]:
        """See `Stage`."""
        traits = self.follow(state.traits)
        model, note = quantize(
            state.model,
            state.traits,
            context,
            config=self.config(context.seed),
            targets=self._targets(state.model, context) if self.alpha else None,
            allow_float_layers=self.allow_float_layers,
            weight_bits=self.weight_bits,
        )
        return ModelState(model, traits), note

    def _targets(self, entering: KerasModel, context: StageContext) -> Targets:
        teacher = entering if self.teacher == FLOAT else context.original
        return soft_targets(
            teacher, context, "teacher", augment=self.augment, temperature=self.temperature, alpha=self.alpha
        )


def quantize(
    model: KerasModel,
    traits: frozenset[str],
    context: StageContext,
    *,
    config: TrainConfig,
    targets: Targets | None = None,
    allow_float_layers: bool = True,
    weight_bits: int = INT8,
) -> tuple[KerasModel, JsonObject]:
    """Train with fake quantization.

    Args:
        model: a float tf_keras classifier; left as it is.
        traits: of the model; zeros of a `sparse` and shared values of a `clustered` model are kept.
        context: splits, preprocessing, progress and the work folder are used.
        config: how to train.
        targets: what to train towards; by default the labels.
        allow_float_layers: see `Quantize`.
        weight_bits: likewise.

    Returns:
        A flat model with TFMOT's quantize wrappers of the default 8-bit scheme and the layer names of before, and the
        note: `preflight` (what TFMOT could not take, and what was done), `forms` (collaborative form by layer) and the
        training history.

    Raises:
        InputError: the model is quantized already, has nothing to quantize, or would compute in float in the int8 file.
        ConversionError: the model cannot be prepared, or an int8 file cannot be made of it.
    """
    x = context.preprocessing.apply(context.splits.x_calibration)
    prepared = prepare(model, part(x, slice(PROOF_SAMPLES)))
    for replaced in prepared.replacements:
        context.progress.warn(f"quantize: {replaced}", "layer-not-simulated")
    kept = forms(prepared.model, traits)
    if kept:
        counts = Counter(kept.values())
        context.progress.notify(f"quantize: {', '.join(f'{n} layers {form}' for form, n in counts.items())}")
    if CLUSTERED in traits and (lost := unclustered(prepared.model, kept)):
        context.progress.warn(
            f"quantize: training will undo the clusters of {', '.join(lost)}: TFMOT keeps those of Conv2D and Dense",
            "clusters-lost",
        )
    quantized = apply(prepared.model, prepared.handling, kept, weight_bits)
    calibrate(quantized, prepared.model, x, config.batch_size, context.ranging)
    if set(prepared.handling.values()) != {Handling.TRAINED}:
        _try_conversion(quantized, prepared, x, allow_float_layers, context.progress)
    callbacks = keep_zeros(quantized) if SPARSE in traits else []
    if weight_bits != INT8:
        callbacks += measure_before_validation(quantized, _some(context, config.augment), config.batch_size)
    history = train_stage(quantized, context, config, targets=targets, callbacks=callbacks)
    note = {
        "preflight": [asdict(replaced) for replaced in prepared.replacements],
        "forms": {name: str(form) for name, form in kept.items()},
    }
    if weight_bits != INT8:
        return rounded(quantized, prepared.model, prepared.handling, weight_bits), {**note, **history.to_dict()}
    return without_forms(quantized, prepared.model, prepared.handling, kept), {**note, **history.to_dict()}


def _some(context: StageContext, augment: str) -> ModelInputs:
    """Return training samples as model inputs, in random order, augmented as in training."""
    splits, rng = context.splits, np.random.default_rng(context.seed)
    x = choose(splits.x_train, rng.permutation(len(splits.x_train))[:SAMPLES])
    inputs: ModelInputs = context.preprocessing.apply(augmentation(augment, sample_shape(splits))(x, rng))
    return inputs


def _try_conversion(
    quantized: KerasModel, prepared: Prepared, x: ModelInputs, allow_float_layers: bool, progress: Progress
) -> None:
    """Make an int8 file before training: what cannot be converted, or stays float in it, is better known now."""
    left = ", ".join(name for name, how in prepared.handling.items() if how is not Handling.TRAINED)
    hint = f"look at the layers that are not simulated: {left}"
    with temporary_folder("preflight") as folder:
        saved = without_loops(for_converter(quantized), folder / "saved_model")
        try:
            flatbuffer = tflite.convert(saved.folder(), saved.signature, "int8", part(x, slice(TRIAL_SAMPLES)))
        except ConversionError as error:
            raise ConversionError(
                f"quantize: no int8 file can be made of this model: {error.message}", hint, code="qat-model-unfit"
            ) from error
        path = folder / "trial.tflite"
        path.write_bytes(flatbuffer)
        operators = inspect_file(path).operators
    if FLOAT_OPERATOR in operators:
        what = "quantize: some layers will compute in float inside the int8 file: TFLite has no int8 form of them"
        if not allow_float_layers:
            raise InputError(what, f"{hint}; or allow it with allow_float_layers = true", code="float-in-int8")
        progress.warn(f"{what}; {hint}", "float-in-int8")
