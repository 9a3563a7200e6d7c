"""Models trained with fake quantization: what is rewritten in them.

Scales and shifts stay as they were trained, with the ranges that were. Activations are computed from bounded values: in
training they were simulated at their output only.
"""

from __future__ import annotations

from edgekit.export.rewrites.activations import bound_activations
from edgekit.export.rewrites.apply import Rewritten, rewritten
from edgekit.export.rewrites.registry import REWRITES
from edgekit.export.rewrites.view import View
from edgekit.frameworks.tensorflow import quiet
from edgekit.frameworks.types import KerasModel
from edgekit.models.keras.quantized import scope
from edgekit.tasks.samples import ModelInputs

BOUNDED = tuple(rewrite for rewrite in REWRITES if rewrite.function is bound_activations)


def rewritten_for_int8(model: KerasModel, float_model: KerasModel, samples: ModelInputs) -> Rewritten:
    """Rewrite a model, whether it was trained with fake quantization or not.

    Args:
        model: left as it is.
        float_model: of a model with quantize wrappers the same weights without; of another None.
        samples: preprocessed inputs, one array or a tuple of them.
    """
    return rewritten(model, samples) if float_model is None else rewritten_trained(model, float_model, samples)


def rewritten_trained(model: KerasModel, float_model: KerasModel, samples: ModelInputs) -> Rewritten:
    """Rewrite a model with quantize wrappers.

    The proof is that of the float model: with fake quantization a difference of 1e-7 may become a step.

    Args:
        model: with quantize wrappers; left as it is.
        float_model: the same weights without.
        samples: preprocessed inputs, one array or a tuple of them.
    """
    proven = rewritten(float_model, samples, BOUNDED).rewrites
    if not proven:
        return Rewritten(model)
    with quiet(), scope(model):
        view = View(model)
        places = bound_activations(view)
        return Rewritten(view.build(), dict.fromkeys(proven, places)) if places else Rewritten(model)
