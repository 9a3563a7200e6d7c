"""Layers at the start of a model: inputs, images, categories, text and sound."""

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
    Acts,
    Export,
    Int8,
    LayerKnowledge,
    Loop,
    No,
    Role,
    Rows,
    ToKeras2,
    ToKeras3,
    Values,
    each,
)

VOCABULARY = No("it reads a vocabulary, text or columns of a table")


def _untried(keras: tuple[int, ...], values: Values, file: bool | No) -> LayerKnowledge:
    return LayerKnowledge(
        keras=keras,
        role=Role.PREPROCESSING,
        bridge=NO_KERAS_2,
        back=NO_KERAS_3,
        channels=NOT_FOLLOWED,
        kernels=(),
        sparse=NO_KERNEL,
        qat=CALIBRATED,
        loop=Loop.NONE,
        acts=Acts.ALWAYS,
        values=values,
        export=Export(Int8.UNTRIED),
        file=file,
    )


ROWS: Rows = {
    "InputLayer": LayerKnowledge(
        keras=BOTH,
        role=Role.PREPROCESSING,
        bridge=ToKeras2(),
        back=ToKeras3(),
        channels=NOT_FOLLOWED,  # where channels start
        kernels=(),
        sparse=NO_KERNEL,
        qat=CALIBRATED,
        loop=Loop.NONE,
        acts=Acts.ALWAYS,
        values=Values.MOVES,
        export=Export(Int8.YES),
        file=True,
    ),
    "Masking": LayerKnowledge(
        keras=BOTH,
        role=Role.PREPROCESSING,
        bridge=ToKeras2(),
        back=ToKeras3(),
        channels=NOT_FOLLOWED,
        kernels=(),
        sparse=NO_KERNEL,
        qat=CALIBRATED,
        loop=Loop.NONE,
        acts=Acts.ALWAYS,
        values=Values.KEEPS,
        export=Export(Int8.PARTLY),
        file=True,
    ),
    "Resizing": LayerKnowledge(
        keras=BOTH,
        role=Role.PREPROCESSING,
        bridge=ToKeras2(ignore=("fill_mode", "fill_value")),
        back=ToKeras3(),
        channels=OF_THE_INPUT,
        kernels=(),
        sparse=NO_KERNEL,
        qat=CALIBRATED,
        loop=Loop.NONE,
        acts=Acts.ALWAYS,
        values=Values.KEEPS,
        export=Export(Int8.YES),
        file=True,
    ),
    "CenterCrop": LayerKnowledge(
        keras=BOTH,
        role=Role.PREPROCESSING,
        bridge=ToKeras2(),
        back=ToKeras3(),
        channels=OF_THE_INPUT,
        kernels=(),
        sparse=NO_KERNEL,
        qat=CALIBRATED,
        loop=Loop.NONE,
        acts=Acts.ALWAYS,
        values=Values.KEEPS,
        export=Export(Int8.YES),
        file=True,
    ),
    "CategoryEncoding": _untried(BOTH, Values.ENCODES, True),
    "Discretization": _untried(BOTH, Values.COMPUTES, True),
    **each("AutoContrast Equalization Solarization", _untried(KERAS_3, Values.COMPUTES, True)),
    **each("MelSpectrogram STFTSpectrogram", _untried(KERAS_3, Values.COMPUTES, True)),
    "ContrastLimitedAdaptiveHistogramEqualization": _untried(
        KERAS_3, Values.COMPUTES, No("edgekit has not looked at it")
    ),
    **each("Hashing HashedCrossing IntegerLookup StringLookup", _untried(BOTH, Values.COMPUTES, VOCABULARY)),
    "TextVectorization": _untried(BOTH, Values.COMPUTES, VOCABULARY),
    "DenseFeatures": _untried(KERAS_2, Values.COMPUTES, VOCABULARY),
    "MaxNumBoundingBoxes": _untried(KERAS_3, Values.COMPUTES, No("it takes bounding boxes")),
}
