"""Layers that act while training: dropout, noise, penalties, augmentation."""

from __future__ import annotations

from edgekit.frameworks.layers.knowledge import (
    BOTH,
    CALIBRATED,
    KERAS_2,
    KERAS_3,
    NO_KERAS_2,
    NO_KERAS_3,
    NO_KERNEL,
    NOT_FOLLOWED,
    OF_THE_INPUT,
    TRAINED,
    Acts,
    Export,
    Int8,
    LayerKnowledge,
    LeftOut,
    Loop,
    No,
    Qat,
    Role,
    Rows,
    Scale,
    ToKeras2,
    ToKeras3,
    Values,
    each,
)

OTHER_SAMPLES = No("it mixes samples, or holds other layers")


def _regularization(bridge: ToKeras2, channels: str, qat: Qat) -> LayerKnowledge:
    return LayerKnowledge(
        keras=BOTH,
        role=Role.REGULARIZATION,
        bridge=bridge,
        back=ToKeras3(),
        channels=channels,
        kernels=(),
        sparse=NO_KERNEL,
        qat=qat,
        loop=Loop.NONE,
        acts=Acts.TRAINING,
        values=Values.KEEPS,
        export=Export(Int8.YES, scale=Scale.PASSES),
        file=True,
    )


def _augmentation(
    keras: tuple[int, ...], back: ToKeras3 | No, channels: No, file: bool | No, bridge: LeftOut | No
) -> LayerKnowledge:
    return LayerKnowledge(
        keras=keras,
        role=Role.AUGMENTATION,
        bridge=bridge,
        back=back,
        channels=channels,
        kernels=(),
        sparse=NO_KERNEL,
        qat=CALIBRATED,
        loop=Loop.NONE,
        acts=Acts.TRAINING,
        values=Values.KEEPS,
        export=Export(Int8.YES if isinstance(bridge, LeftOut) else Int8.UNTRIED),
        file=file,
    )


UNSEEDED = ToKeras2(ignore=("seed",))

ROWS: Rows = {
    **each("Dropout SpatialDropout#D", _regularization(UNSEEDED, "dropout", TRAINED)),
    **each("GaussianDropout AlphaDropout", _regularization(UNSEEDED, "dropout", CALIBRATED)),
    "GaussianNoise": _regularization(UNSEEDED, "keep", CALIBRATED),
    "ActivityRegularization": _regularization(ToKeras2(), "keep", TRAINED),
    "StochasticDepth": LayerKnowledge(
        keras=BOTH,
        role=Role.REGULARIZATION,
        bridge=ToKeras2(kind="Dropout", ignore=("seed", "drop_path_rate"), build="stochastic-depth"),
        back=NO_KERAS_3,
        channels=NOT_FOLLOWED,
        kernels=(),
        sparse=NO_KERNEL,
        qat=CALIBRATED,
        loop=Loop.NONE,
        acts=Acts.TRAINING,
        values=Values.KEEPS,
        export=Export(Int8.YES),
        file=True,
    ),
    **each(
        "RandomBrightness RandomContrast RandomFlip RandomRotation RandomTranslation RandomZoom",
        _augmentation(BOTH, ToKeras3(), OF_THE_INPUT, True, LeftOut()),
    ),
    **each(
        "RandomColorDegeneration RandomColorJitter RandomElasticTransform RandomErasing RandomGaussianBlur "
        "RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomSaturation RandomSharpness "
        "RandomShear",
        _augmentation(KERAS_3, NO_KERAS_3, NOT_FOLLOWED, True, LeftOut()),
    ),
    **each(
        "AugMix CutMix MixUp RandAugment",
        _augmentation(KERAS_3, NO_KERAS_3, NOT_FOLLOWED, OTHER_SAMPLES, LeftOut()),
    ),
    **each("RandomHeight RandomWidth", _augmentation(KERAS_2, NO_KERAS_3, OF_THE_INPUT, True, NO_KERAS_2)),
    "RandomCrop": LayerKnowledge(
        keras=BOTH,
        role=Role.AUGMENTATION,
        bridge=NO_KERAS_2,  # at inference it resizes
        back=NO_KERAS_3,
        channels=OF_THE_INPUT,
        kernels=(),
        sparse=NO_KERNEL,
        qat=CALIBRATED,
        loop=Loop.NONE,
        acts=Acts.DIFFERENTLY,
        values=Values.KEEPS,
        export=Export(Int8.UNTRIED),
        file=True,
    ),
}
