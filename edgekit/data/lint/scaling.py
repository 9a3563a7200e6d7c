"""Values as they are fed, against what the first layers of the model make of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgekit.data.lint.check import FedInput
from edgekit.data.lint.facts import InputFacts
from edgekit.data.lint.finding import Finding, samples
from edgekit.data.lint.model_facts import ModelInput

_FAR = 20
"""Factor between spreads, or distance in spreads, from which on values are not those a layer was fitted to."""


def token_findings(fed: FedInput) -> Iterator[Finding]:
    """Yield what is wrong with the integers that a model takes, such as tokens; at most one finding."""
    data, model = fed.data, fed.model
    if model is None or not _takes_integers(model):
        return
    if not data.whole:
        yield Finding(
            "not-integers",
            f"{samples(data)} are fed as {_span(fed)} with fractions, and the model takes integers",
            "feed token numbers as they are: --scale 1",
        )
    elif model.vocabulary is not None and (data.low < 0 or data.high >= model.vocabulary):
        yield Finding(
            "token-range",
            f"{samples(data)} are fed as {_span(fed)}, and the model's Embedding layer knows 0 to "
            f"{model.vocabulary - 1}",
            "number the tokens as when the model was trained",
        )


def scaling_findings(fed: FedInput) -> Iterator[Finding]:
    """Yield whether values are scaled twice or not at all; at most one finding."""
    data, model = fed.data, fed.model
    if model is None or _takes_integers(model) or model.computes or data.low == data.high:
        return
    peak = max(abs(data.low), abs(data.high))
    if model.rescales is not None:
        if model.takes_raw and peak <= 1.5:
            yield Finding(
                "normalised-twice",
                f"{samples(data)} are fed as {_span(fed)}, and the model {_arithmetic(model)} itself",
                "feed them as the model was trained, probably raw: --scale 1 and no --mean or --std",
            )
    elif model.mean and len(model.mean) == len(data.mean):
        yield from _moments(data, model, _span(fed))
    elif not model.normalizes:
        yield from _unscaled(data, fed.batch_norm, _span(fed), peak)


def _takes_integers(model: ModelInput) -> bool:
    return model.vocabulary is not None or model.dtype.startswith(("int", "uint"))


def _span(fed: FedInput) -> str:
    return f"values from {fed.data.low:.4g} to {fed.data.high:.4g} ({fed.formula})"


def _arithmetic(model: ModelInput) -> str:
    """Return what the model does with its inputs first."""
    if model.rescales is not None and abs(model.rescales - 1) < 0.01 and model.shift:
        return f"{'subtracts' if model.shift < 0 else 'adds'} {abs(model.shift):.4g}"
    return f"multiplies them by {model.rescales:.4g}"


def _moments(data: InputFacts, model: ModelInput, span: str) -> Iterator[Finding]:
    fed_mean, fed_std, mean, std = (np.array(v) for v in (data.mean, data.std, model.mean, model.std))
    varied = (std > 0) & (fed_std > 0)
    if not varied.any():
        return
    ratio = float(np.median(fed_std[varied] / std[varied]))
    distance = float(np.median(np.abs(fed_mean[varied] - mean[varied]) / std[varied]))
    if 1 / _FAR <= ratio <= _FAR and distance <= _FAR:
        return
    code, hint = "not-normalised", "feed the values as the model was trained: --scale, --mean and --std say how"
    if ratio < 1:
        code, hint = "normalised-twice", "the model normalises by itself: feed raw values, probably --scale 1"
    yield Finding(
        code,
        f"{samples(data)} are fed as {span} with a spread of {np.median(fed_std):.3g} around "
        f"{np.median(fed_mean):.3g}, "
        f"and the model's first layer normalises a spread of {np.median(std):.3g} around {np.median(mean):.3g}",
        hint,
    )


def _unscaled(data: InputFacts, batch_norm: bool, span: str, peak: float) -> Iterator[Finding]:
    image = len(data.shape) >= 2
    if image and data.low >= 0 and 64 < data.high <= 255 and not batch_norm:
        yield Finding(
            "not-normalised",
            f"{samples(data)} are fed as {span}, and no layer of the model rescales or normalises",
            "if it was trained on values from 0 to 1: --scale 1/255",
        )
    elif peak > 1000 and not batch_norm:
        yield Finding(
            "not-normalised",
            f"{samples(data)} are fed as {span}, and no layer of the model rescales or normalises",
            "feed them as the model was trained: --scale, --mean and --std say how",
        )
    elif image and data.high - data.low < 0.02:
        yield Finding(
            "normalised-twice",
            f"{samples(data)} are fed as {span}, a range of {data.high - data.low:.2g} only",
            "if they are stored scaled already: --scale 1",
        )
