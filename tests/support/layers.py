"""A layer table that no file was run for."""

from __future__ import annotations

from dataclasses import replace

from edgekit.bundle.sensitivity import Layer, Sensitivity
from edgekit.tasks.metrics import Score

PLAIN = Layer(
    name="net/plain/Relu;net/plain/BiasAdd/ReadVariableOp1",
    kind="CONV_2D",
    rank=None,
    exact=False,
    noise_share=0.01,
    output_sqnr_db=42.0,
    weights_sqnr_db=48.0,
    worst_channel_sqnr_db=45.0,
    acting_weights_sqnr_db=47.0,
    accumulated_sqnr_db=35.0,
    range_used=0.6,
    outliers=1.5,
    narrow_channels=0.0,
    gain_db=None,
    with_it=(),
    reverting_bytes=1200,
)
MOVED = replace(
    PLAIN, name="net/flat/Reshape", kind="RESHAPE", exact=True, noise_share=0.0, output_sqnr_db=None,
    weights_sqnr_db=None, worst_channel_sqnr_db=None, acting_weights_sqnr_db=None, reverting_bytes=0,
)  # fmt: skip
READER = replace(PLAIN, name="net/reader/MatMul", kind="FULLY_CONNECTED", rank=2, gain_db=0.2)
CULPRIT = replace(
    PLAIN, name="net/wide/Conv2D", rank=1, noise_share=0.9, outliers=212.0, gain_db=18.5, with_it=(READER.name,)
)


def table(*layers: Layer, **changed: object) -> Sensitivity:
    """Return a layer table, by default one with a culprit."""
    scores = {"float": (30, 32), "int8": (11, 32), "reverted": (29, 32)}
    found = Sensitivity(
        model="net",
        format="tflite",
        samples=32,
        sqnr_db=9.0,
        inputs_share=0.02,
        outputs_share=0.01,
        scores={name: Score.of_count(*counts).to_dict() for name, counts in scores.items()},
        layers=layers or (PLAIN, CULPRIT, MOVED, READER),
    )
    return replace(found, **changed)
