"""Layers around other layers, layers that run code of their own, and base classes."""

from __future__ import annotations

from edgekit.frameworks.layers.knowledge import (
    BOTH,
    CALIBRATED,
    KERAS_3,
    NO_KERAS_2,
    NO_KERAS_3,
    NO_KERNEL,
    NOT_FOLLOWED,
    UNTRIED,
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

CODE = No("it runs code, or loads it from elsewhere")
BASE = No("it is a base class")


def _unknown(keras: tuple[int, ...], role: Role, file: No) -> LayerKnowledge:
    return LayerKnowledge(
        keras=keras,
        role=role,
        bridge=NO_KERAS_2,
        back=NO_KERAS_3,
        channels=NOT_FOLLOWED,
        kernels=(),
        sparse=NO_KERNEL,
        qat=CALIBRATED,
        loop=Loop.NONE,
        acts=Acts.ALWAYS,
        values=Values.COMPUTES,
        export=Export(Int8.UNTRIED),
        file=file,
    )


ROWS: Rows = {
    "TimeDistributed": LayerKnowledge(
        keras=BOTH,
        role=Role.WRAPPER,
        bridge=ToKeras2(build="wrapper"),
        back=ToKeras3(build="wrapper"),
        channels=NOT_FOLLOWED,
        kernels=("kernel",),
        sparse=UNTRIED,
        qat=CALIBRATED,
        loop=Loop.INSIDE,
        acts=Acts.ALWAYS,
        values=Values.COMPUTES,
        export=Export(Int8.INSIDE),
        file=True,
    ),
    "SpectralNormalization": LayerKnowledge(
        keras=BOTH,
        role=Role.WRAPPER,
        bridge=NO_KERAS_2,
        back=NO_KERAS_3,
        channels=NOT_FOLLOWED,
        kernels=("kernel",),
        sparse=UNTRIED,
        qat=CALIBRATED,
        loop=Loop.NONE,
        acts=Acts.DIFFERENTLY,
        values=Values.COMPUTES,
        export=Export(Int8.INSIDE),
        file=True,
    ),
    "Lambda": LayerKnowledge(
        keras=BOTH,
        role=Role.CODE,
        bridge=ToKeras2(build="lambda"),
        back=ToKeras3(build="lambda"),
        channels=NOT_FOLLOWED,
        kernels=(),
        sparse=NO_KERNEL,
        qat=CALIBRATED,
        loop=Loop.NONE,
        acts=Acts.ALWAYS,
        values=Values.COMPUTES,
        export=Export(Int8.INSIDE),
        file=CODE,
    ),
    **each("FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper", _unknown(KERAS_3, Role.CODE, CODE)),
    "Pipeline": _unknown(KERAS_3, Role.WRAPPER, No("edgekit has not looked at it")),
    **each("Layer Wrapper", _unknown(BOTH, Role.BASE, BASE)),
}
