"""How channels pass through a layer, by its row in the register. Of what is not followed no channel is pruned."""

from __future__ import annotations

from edgekit.frameworks.layers.knowledge import NOT_FOLLOWED, No
from edgekit.frameworks.layers.register import known
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasLayer
from edgekit.techniques.channels import flows, merges
from edgekit.techniques.channels.flows import Flow, refuse
from edgekit.techniques.channels.tracking import Call, Ids, Tracker

FLOWS: dict[str, Flow] = {
    "conv": flows.mix(flows.CONV),
    "conv-transpose": flows.mix(flows.CONV_TRANSPOSE),
    "dense": flows.mix(flows.DENSE),
    "separable": flows.mix(flows.SEPARABLE),
    "depthwise": flows.depthwise,
    "batch-norm": flows.batch_norm,
    "prelu": flows.prelu,
    "reshape": flows.reshape,
    "permute": flows.permute,
    "activation": flows.activation,
    "softmax": flows.softmax,
    "rescaling": flows.rescaling,
    "add": merges.add,
    "multiply": merges.multiply,
    "concatenate": merges.concatenate,
    "keep": flows.keep,
    "dropout": flows.dropout,
}
"""By the name in the register of layers."""


def flow_of(layer: KerasLayer) -> Flow | None:
    """Return how channels pass through a layer; None if that is not known.

    A user's subclass of a Keras layer may do anything, so nothing is known of it.
    """
    kind = type(layer)
    if kind.__name__ == "TFOpLambda" and kind.__module__.startswith("tf_keras."):
        return merges.operation
    row = known(layer)
    if row is None or row.channels is NOT_FOLLOWED or kind is not getattr(tf_keras().layers, kind.__name__, None):
        return None
    return refuse(row.channels.why) if isinstance(row.channels, No) else FLOWS[row.channels]


def follow(call: Call, tracker: Tracker, unknown: dict[str, str]) -> list[Ids]:
    """Follow the channels through one call.

    Args:
        call: the call.
        tracker: notes what goes together and what stays.
        unknown: layers with weights that cannot be followed are added: path to reason.

    Returns:
        The ids of the output channels of every output tensor.
    """
    flow = flow_of(call.layer)
    if flow is None:
        if call.layer.weights:
            unknown[call.path] = f"how channels pass through a {type(call.layer).__name__} is not known"
        return tracker.keep_all(call, NOT_FOLLOWED.why)
    if getattr(call.layer, "data_format", None) == "channels_first":
        return tracker.keep_all(call, "whose channels are not on the last axis")
    if not call.ids or not all(len(ids) for ids in call.ids):
        return tracker.keep_all(call, "whose number of channels is not known")
    outputs = flow(call, tracker)
    if [len(ids) for ids in outputs] != [shape[-1] if len(shape) > 1 else 0 for shape in call.output_shapes]:
        return tracker.keep_all(call, "whose shapes are not as expected")
    return outputs
