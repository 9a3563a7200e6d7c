"""Float ONNX graphs in int8: QDQ with static calibration, weights per channel, int8 inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from edgekit.errors import ConversionError
from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.onnx.bias import nearer
from edgekit.export.onnx.fold import fold
from edgekit.export.onnx.overflow import without_overflow
from edgekit.export.onnx.ports import Scale, make_integer, note_scales
from edgekit.export.onnx.ranges import Ranges, Samples, measured
from edgekit.export.onnx.tidy import OPSET, tidy
from edgekit.export.onnx.weights import narrow_weights
from edgekit.formats.types import OnnxModel
from edgekit.frameworks.types import ConfigValue, Keywords

OLDEST_OPSET = 13
"""Scales per channel came with it; a file that is older is upgraded to `OPSET`."""
LEFT_ALONE = ("BatchNormalization",)
"""Operators that onnxruntime would quantize for the whole tensor what differs per channel: they compute in float."""
Ports = Mapping[str, Mapping[str, Scale]]


def quantized(
    model: OnnxModel, samples: Samples, scratch: Path, ports: Ports | None = None, ranging: Ranging = MINMAX
) -> tuple[OnnxModel, str]:
    """Return a float model in int8, and what a user should know of how it was made.

    Args:
        model: an onnx.ModelProto, its batch fixed to one.
        samples: for calibration: inputs by name.
        scratch: a folder for temporary files.
        ports: the scales that inputs and outputs are to have, where they are known: by name, under `inputs` and
            `outputs`.
        ranging: how the ranges of activations are chosen.

    Raises:
        ConversionError: nothing in it can be quantized, or a tensor is not finite on the samples.
    """
    import onnx

    model, notes = upgraded(model)
    ready, rows = prepared(model, scratch), list(samples)
    made, scales, further = with_ranges(ready, measured(ready, rows, ranging), ports)
    further.append(without_overflow(made, rows, scales["inputs"]))
    made, note = nearer(made, ready, rows, {**scales["inputs"], **scales["outputs"]})
    del made.metadata_props[:]
    made.metadata_props.extend(model.metadata_props)
    note_scales(made, scales)
    onnx.checker.check_model(made)
    return made, "".join(f", {each}" for each in (*notes, *further, note) if each)


def with_ranges(
    ready: OnnxModel, ranges: Ranges, ports: Ports | None = None
) -> tuple[OnnxModel, dict[str, dict[str, Scale]], list[str]]:
    """Return a prepared model in int8, the scales of its inputs and outputs, and what a user should know.

    Args:
        ready: as `prepared` returns it; not changed.
        ranges: of its activations, in real units.
        ports: as of `quantized`.

    Raises:
        ConversionError: nothing in it can be quantized.
    """
    notes = []
    wanted = {name: scale for side in (ports or {}).values() for name, scale in side.items() if name in ranges}
    made = _with_qdq(ready, ranges, wanted)
    scales = make_integer(made, ranges, wanted)
    in_float = narrow_weights(made)
    if not any(node.op_type == "DequantizeLinear" and node.input[0] in _constants(made) for node in made.graph.node):
        raise ConversionError(
            "ONNX int8: onnxruntime can quantize none of the model's operators",
            "leave int8 out of the schemes",
            code="nothing-to-quantize",
        )
    if in_float:
        compute = "computes" if len(in_float) == 1 else "compute"
        notes.append(f"{', '.join(in_float)} {compute} in float with int8 weights")
    tidy(made, {value.name: value.name for value in (*made.graph.input, *made.graph.output)})
    return made, scales, notes


def upgraded(model: OnnxModel) -> tuple[OnnxModel, list[str]]:
    """Return a model in an opset that has scales per channel, and what a user should know of that."""
    import onnx

    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset >= OLDEST_OPSET:
        return model, []
    return onnx.version_converter.convert_version(model, OPSET), [f"upgraded from opset {opset} to {OPSET}"]


def prepared(model: OnnxModel, scratch: Path) -> OnnxModel:
    """Return the model as the quantizer wants it: optimized as far as it stays ONNX, folded, its shapes inferred.

    Args:
        model: an onnx.ModelProto of opset 13 or later, its batch fixed to one; not changed.
        scratch: a folder for temporary files.
    """
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    path = scratch / "prepared.onnx"
    onnx.save(model, path)
    quant_pre_process(str(path), str(path), skip_symbolic_shape=True)
    found = onnx.load(path)
    fold(found)
    return onnx.shape_inference.infer_shapes(found)


def _with_qdq(model: OnnxModel, ranges: Ranges, wanted: Mapping[str, Scale]) -> OnnxModel:
    """Return the model with QuantizeLinear and DequantizeLinear around what onnxruntime computes in int8."""
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    low_high = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    given = {
        name: [{"scale": np.array(scale, np.float32), "zero_point": np.array(point, np.int8)}]
        for name, (scale, point) in wanted.items()
    }
    operators = sorted({*QDQRegistry, *QLinearOpsRegistry} - set(LEFT_ALONE))

    def attempt(**options: ConfigValue) -> OnnxModel:
        copy = type(model).FromString(model.SerializeToString())
        quantizer = QDQQuantizer(
            copy,
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QInt8,
            tensors_range=TensorsData(CalibrationMethod.MinMax, dict(low_high)),
            nodes_to_quantize=[],
            nodes_to_exclude=[],
            op_types_to_quantize=operators,
            extra_options={"TensorQuantOverrides": given, **options},
        )
        return quantizer.quantize_model()

    return _first_that_works(attempt, {}, {"QDQDisableWeightAdjustForInt32Bias": True})


def _first_that_works(attempt: Callable[..., OnnxModel], *options: Keywords) -> OnnxModel:
    """Return what an attempt gives with the first options that do not fail.

    onnxruntime widens the scales of weights where a bias would not fit into 32 bits, and fails at that where weights or
    biases are scalars.
    """
    for given in options[:-1]:
        try:
            return attempt(**given)
        except (ValueError, IndexError, TypeError):
            continue
    return attempt(**options[-1])


def _constants(model: OnnxModel) -> set[str]:
    return {tensor.name for tensor in model.graph.initializer}
