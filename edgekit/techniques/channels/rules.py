"""The table: layer class -> how channels pass through it. What is not in it is left whole, with its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.techniques.channels import flows, merges
from edgekit.techniques.channels.flows import Flow, refuse
from edgekit.techniques.channels.tracking import Call, Ids, Tracker

DIMENSIONS = ("1D", "2D", "3D")
OTHERS = "which sets every channel against the others"
OF_THE_INPUT = "which prepares the model's input"


@dataclass(frozen=True)
class Rule:
    """How channels pass through a layer class; `image` classes come in 1D, 2D and 3D."""

    flow: Flow
    image: bool = False


RULES: dict[str, Rule] = {
    "Conv": Rule(flows.mix(flows.CONV), image=True),
    "Dense": Rule(flows.mix(flows.DENSE)),
    "SeparableConv": Rule(flows.mix(flows.SEPARABLE), image=True),
    "DepthwiseConv": Rule(flows.depthwise, image=True),
    "BatchNormalization": Rule(flows.batch_norm),
    "PReLU": Rule(flows.prelu),
    "Flatten": Rule(flows.reshape),
    "Reshape": Rule(flows.reshape),
    "Permute": Rule(flows.permute),
    "Activation": Rule(flows.activation),
    "Softmax": Rule(flows.softmax),
    "Rescaling": Rule(flows.rescaling),
    **dict.fromkeys(("Add", "Subtract", "Average", "Maximum", "Minimum"), Rule(merges.add)),
    "Multiply": Rule(merges.multiply),
    "Concatenate": Rule(merges.concatenate),
    **dict.fromkeys(("ReLU", "LeakyReLU", "ELU", "ThresholdedReLU", "Identity"), Rule(flows.keep)),
    **dict.fromkeys(("Dropout", "AlphaDropout", "GaussianDropout"), Rule(flows.dropout)),
    "SpatialDropout": Rule(flows.dropout, image=True),
    **dict.fromkeys(("ActivityRegularization", "GaussianNoise", "RepeatVector"), Rule(flows.keep)),
    **dict.fromkeys(("MaxPooling", "AveragePooling"), Rule(flows.keep, image=True)),
    **dict.fromkeys(("GlobalMaxPooling", "GlobalAveragePooling"), Rule(flows.keep, image=True)),
    **dict.fromkeys(("ZeroPadding", "Cropping", "UpSampling"), Rule(flows.keep, image=True)),
    **dict.fromkeys(("LayerNormalization", "GroupNormalization", "UnitNormalization"), Rule(refuse(OTHERS))),
    **dict.fromkeys(("Normalization", "Resizing", "CenterCrop"), Rule(refuse(OF_THE_INPUT))),
    **{
        f"Random{what}": Rule(refuse(OF_THE_INPUT))
        for what in ("Brightness", "Contrast", "Crop", "Flip", "Height", "Rotation", "Translation", "Width", "Zoom")
    },
}
for _name in ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"):
    RULES[_name] = Rule(flows.mix(flows.CONV_TRANSPOSE))


def rule_of(layer: Any) -> Rule | None:
    """Return the rule for a layer, or None. A user's subclass of a Keras layer may do anything, so it has none."""
    kind = type(layer)
    if kind.__name__ == "TFOpLambda" and kind.__module__.startswith("tf_keras."):
        return Rule(merges.operation)
    if kind is not getattr(tf_keras().layers, kind.__name__, None):
        return None
    stem = kind.__name__[:-2] if kind.__name__.endswith(DIMENSIONS) else ""
    if stem in RULES and RULES[stem].image:
        return RULES[stem]
    return RULES.get(kind.__name__)


def follow(call: Call, tracker: Tracker, unknown: dict[str, str]) -> list[Ids]:
    """Follow the channels through one call.

    Args:
        call: the call.
        tracker: told what goes together and what stays.
        unknown: layers with weights and without a rule are added: path to reason.

    Returns:
        The ids of the output channels of every output tensor.
    """
    rule = rule_of(call.layer)
    if rule is None:
        why = "whose way with channels is not known"
        if call.layer.weights:
            unknown[call.path] = f"how channels pass through a {type(call.layer).__name__} is not known"
        return tracker.whole(call, why)
    if getattr(call.layer, "data_format", None) == "channels_first":
        return tracker.whole(call, "whose channels are not on the last axis")
    if not call.ids or not all(len(ids) for ids in call.ids):
        return tracker.whole(call, "whose number of channels is not known")
    outputs = rule.flow(call, tracker)
    if [len(ids) for ids in outputs] != [shape[-1] if len(shape) > 1 else 0 for shape in call.output_shapes]:
        return tracker.whole(call, "whose shapes are not as expected")
    return outputs
