"""The checks of data and preprocessing, before any work starts. A new one is one function and one row here."""

from __future__ import annotations

from edgekit.data.lint.check import Check, FedInput
from edgekit.data.lint.facts import DataFacts, InputFacts
from edgekit.data.lint.finding import Finding
from edgekit.data.lint.int8 import INT8, int8_findings
from edgekit.data.lint.labels import (
    calibration_findings,
    contradicting_findings,
    shared_findings,
    size_findings,
    unseen_findings,
)
from edgekit.data.lint.model_facts import ModelFacts, ModelInput
from edgekit.data.lint.samples import constant_features, constant_samples, order_findings
from edgekit.data.lint.scaling import scaling_findings, token_findings

INPUT_CHECKS: list[Check[FedInput]] = [
    Check(("channel-order",), "the shape of samples against the model's: channels first or last", order_findings),
    Check(("not-integers", "token-range"), "integers fed against the model's vocabulary", token_findings, INT8),
    Check(("normalised-twice", "not-normalised"), "values fed against the first layers", scaling_findings, INT8),
    Check(("constant-samples",), "samples with the same value everywhere", constant_samples),
    Check(("constant-features",), "features and channels that never change", constant_features),
    Check(INT8, "what the one scale of an int8 input leaves of the values", int8_findings),
]
"""Of every input."""
SET_CHECKS: list[Check[DataFacts]] = [
    Check(("rare-class", "uneven-classes"), "training samples of each class", size_findings),
    Check(("untested-class",), "test samples of each class", unseen_findings),
    Check(("test-in-train",), "test samples that are in the training part, too", shared_findings),
    Check(("contradicting-labels",), "equal training samples with different labels", contradicting_findings),
    Check(("few-calibration-samples",), "how many samples set the quantization ranges", calibration_findings),
]
"""Of the whole data set."""


def lint(facts: DataFacts, model: ModelFacts, *, unsure: bool = False) -> list[Finding]:
    """Return the findings of all checks; an empty list for data that look right.

    Args:
        facts: of the data.
        model: what its first layers do.
        unsure: also findings that are worth a warning only where their effect on the model is measured.
    """
    findings: list[Finding] = []
    for index, data in enumerate(facts.inputs):
        fed = FedInput(data, _model_input(data, index, model), model.batch_norm, facts.fed, facts.int8)
        by_check = [(check, list(check.findings(fed))) for check in INPUT_CHECKS]
        certain = {finding.code for _, some in by_check for finding in some if finding.sure}
        findings += [finding for check, some in by_check if not certain & set(check.unless) for finding in some]
    for of_set in SET_CHECKS:
        findings += of_set.findings(facts)
    return [finding for finding in findings if finding.sure or unsure]


def _model_input(data: InputFacts, index: int, model: ModelFacts) -> ModelInput | None:
    """Return the model's input of the same name, else of the same number."""
    named = next((known for known in model.inputs if known.name == data.name), None)
    return named or (model.inputs[index] if index < len(model.inputs) else None)


def checks_table() -> str:
    """Return the checks as rows of a Markdown table: codes, and what is looked at."""
    rows = [(check.codes, check.looks_at) for check in INPUT_CHECKS]
    rows += [(check.codes, check.looks_at) for check in SET_CHECKS]
    return "\n".join(f"| {', '.join(f'`{code}`' for code in codes)} | {looks_at} |" for codes, looks_at in rows)
