"""Layers without weights that pool, pad, reshape, repeat or merge."""

from __future__ import annotations

from edgekit.frameworks.layers.knowledge import (
    BOTH,
    CALIBRATED,
    KERAS_3,
    NO_KERAS_2,
    NO_KERAS_3,
    NO_KERNEL,
    NOT_FOLLOWED,
    OUTPUT,
    TRAINED,
    Acts,
    Export,
    Int8,
    LayerKnowledge,
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


def _pooling(qat: Qat, int8: Int8, scale: Scale) -> LayerKnowledge:
    return LayerKnowledge(
        keras=BOTH,
        role=Role.POOLING,
        bridge=ToKeras2(),
        back=ToKeras3(),
        channels="keep",
        kernels=(),
        sparse=NO_KERNEL,
        qat=qat,
        loop=Loop.NONE,
        acts=Acts.ALWAYS,
        values=Values.KEEPS,
        export=Export(int8, scale=scale),
        file=True,
    )


def _shape(channels: str | No, qat: Qat, values: Values, scale: Scale = Scale.NO) -> LayerKnowledge:
    return LayerKnowledge(
        keras=BOTH,
        role=Role.SHAPE,
        bridge=ToKeras2(),
        back=ToKeras3(),
        channels=channels,
        kernels=(),
        sparse=NO_KERNEL,
        qat=qat,
        loop=Loop.NONE,
        acts=Acts.ALWAYS,
        values=values,
        export=Export(Int8.YES, scale=scale),
        file=True,
    )


def _merge(channels: str | No, qat: Qat) -> LayerKnowledge:
    return LayerKnowledge(
        keras=BOTH,
        role=Role.MERGE,
        bridge=ToKeras2(),
        back=ToKeras3(),
        channels=channels,
        kernels=(),
        sparse=NO_KERNEL,
        qat=qat,
        loop=Loop.NONE,
        acts=Acts.ALWAYS,
        values=Values.COMPUTES,
        export=Export(Int8.YES),
        file=True,
    )


ROWS: Rows = {
    "MaxPooling1D": _pooling(CALIBRATED, Int8.YES, Scale.POSITIVE),
    "MaxPooling2D": _pooling(TRAINED, Int8.YES, Scale.POSITIVE),
    "MaxPooling3D": _pooling(CALIBRATED, Int8.NO, Scale.POSITIVE),
    "AveragePooling1D": _pooling(TRAINED, Int8.YES, Scale.PASSES),
    "AveragePooling2D": _pooling(TRAINED, Int8.YES, Scale.PASSES),
    "AveragePooling3D": _pooling(CALIBRATED, Int8.NO, Scale.PASSES),
    **each("GlobalMaxPooling#D", _pooling(TRAINED, Int8.YES, Scale.POSITIVE)),
    **each("GlobalAveragePooling#D", _pooling(TRAINED, Int8.YES, Scale.PASSES)),
    **each(
        "AdaptiveAveragePooling#D AdaptiveMaxPooling#D",
        LayerKnowledge(
            keras=KERAS_3,
            role=Role.POOLING,
            bridge=NO_KERAS_2,
            back=NO_KERAS_3,
            channels=NOT_FOLLOWED,
            kernels=(),
            sparse=NO_KERNEL,
            qat=CALIBRATED,
            loop=Loop.NONE,
            acts=Acts.ALWAYS,
            values=Values.KEEPS,
            export=Export(Int8.UNTRIED),
            file=True,
        ),
    ),
    "ZeroPadding1D": _shape("keep", TRAINED, Values.KEEPS, Scale.NO_SHIFT),
    "ZeroPadding2D": _shape("keep", TRAINED, Values.KEEPS, Scale.NO_SHIFT),
    "ZeroPadding3D": _shape("keep", CALIBRATED, Values.KEEPS, Scale.NO_SHIFT),
    **each("Cropping#D", _shape("keep", TRAINED, Values.DROPS, Scale.PASSES)),
    "UpSampling1D": _shape("keep", CALIBRATED, Values.KEEPS, Scale.PASSES),
    "UpSampling2D": _shape("keep", TRAINED, Values.KEEPS, Scale.PASSES),
    "UpSampling3D": _shape("keep", CALIBRATED, Values.KEEPS, Scale.PASSES),
    **each("Flatten Reshape", _shape("reshape", TRAINED, Values.MOVES)),
    "Permute": _shape("permute", TRAINED, Values.MOVES),
    "Identity": _shape("keep", CALIBRATED, Values.MOVES),
    "RepeatVector": _shape("keep", CALIBRATED, Values.REPEATS),
    "Add": _merge("add", TRAINED),
    **each("Subtract Average Maximum Minimum", _merge("add", OUTPUT)),
    "Multiply": _merge("multiply", OUTPUT),
    "Concatenate": _merge("concatenate", TRAINED),
    "Dot": _merge(NOT_FOLLOWED, CALIBRATED),
}
