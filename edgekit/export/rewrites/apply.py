"""Apply the rewrites to a model, and prove each on samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgekit.export.rewrites.registry import REWRITES, Rewrite
from edgekit.export.rewrites.view import View
from edgekit.frameworks.tensorflow import quiet
from edgekit.frameworks.types import KerasModel
from edgekit.models.keras.calls import flat, is_graph
from edgekit.models.keras.rebuild import rebuild
from edgekit.tasks.samples import Array, ModelInputs

TOLERANCE = 1e-5
"""Of the largest difference of an output, relative to the output's largest magnitude."""
PROOF_SAMPLES = 32


@dataclass(frozen=True)
class Rewritten:
    """A model to quantize.

    Attributes:
        model: the model that was given if nothing was rewritten.
        rewrites: name to the number of places.
    """

    model: KerasModel
    rewrites: dict[str, int] = field(default_factory=dict)


def rewritten(model: KerasModel, samples: ModelInputs, rewrites: Sequence[Rewrite] = REWRITES) -> Rewritten:
    """Rewrite a model so that it quantizes better and computes the same in float.

    Args:
        model: a tf_keras model; others, and those without a graph, come back as they are. It is left as it is.
        samples: preprocessed inputs, one array or a tuple of them; some are used to compare outputs.
        rewrites: tried in this order. One is dropped if an output differs, or if Keras cannot make the model.
    """
    if not is_graph(model):
        return Rewritten(model)
    arrays = _in_dtypes(model, samples)
    some = [array[:PROOF_SAMPLES] for array in arrays]
    current, reference, used = model, None, dict[str, int]()
    for rewrite in rewrites:
        try:
            with quiet():
                view = View(_flat(current), arrays)
                places = rewrite.function(view)
                if not places:
                    continue
                candidate = view.build()
                if reference is None:
                    reference = _outputs(model, some)
                equal = _equal(reference, _outputs(candidate, some))
        except Exception:  # Keras raises what it likes; a model that cannot be rewritten is exported as it is
            continue
        if equal:
            current, used[rewrite.name] = candidate, places
    return Rewritten(current, used)


def in_words(rewrites: Mapping[str, int]) -> str:
    """Return what was rewritten, as a sentence without its end; `rewrites` are those of a `Rewritten`."""
    sentences = {rewrite.name: rewrite.description for rewrite in REWRITES}
    return "; ".join(f"{sentences.get(name, name)} ({places}x)" for name, places in rewrites.items())


def _flat(model: KerasModel) -> KerasModel:
    return rebuild(model) if any(map(is_graph, model.layers)) else model


def _in_dtypes(model: KerasModel, samples: ModelInputs) -> list[Array]:
    arrays = samples if isinstance(samples, tuple) else (samples,)
    return [a.astype(i.dtype.as_numpy_dtype, copy=False) for a, i in zip(arrays, model.inputs, strict=True)]


def _outputs(model: KerasModel, inputs: list[Array]) -> list[Array]:
    found = flat(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    return [np.asarray(output, np.float64) for output in found]


def _equal(reference: list[Array], outputs: list[Array]) -> bool:
    """Return whether outputs are the same up to rounding; those that are not finite are not."""
    return all(
        a.shape == b.shape and bool(np.abs(a - b).max(initial=0.0) <= TOLERANCE * np.abs(a).max(initial=0.0))
        for a, b in zip(reference, outputs, strict=True)
    )
