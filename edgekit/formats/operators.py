"""Operators that may be run: those known to compute on tensors and to do nothing else, by name.

What a runtime does not know it refuses itself. But a process that holds TensorFlow or an extension knows more: its flex
operators read and write files. So where a file is run for `compress`, its operators are looked up here before.
"""

from __future__ import annotations

from collections.abc import Iterable

TFLITE_CUSTOM = frozenset(
    {"TFLite_Detection_PostProcess", "Mfcc", "AudioSpectrogram", "NumericVerify", "RandomUniform"}
    | {"RandomStandardNormal", "Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D"}
    | {"aeq.hadamard_rotation", "odml.scaled_dot_product_attention", "odml.update_kv_cache"}
)
"""Custom operators that are linked into ai-edge-litert."""
ONNX_STANDARD = ("", "ai.onnx", "ai.onnx.ml")
MICROSOFT = frozenset(
    {"Attention", "AttnLSTM", "BeamSearch", "BiasGelu", "BifurcationDetector", "CDist", "ConvTransposeWithDynamicPads"}
    | {"CropAndResize", "DecoderMaskedMultiHeadAttention", "DequantizeLinear", "DynamicQuantizeLSTM"}
    | {"DynamicQuantizeMatMul", "DynamicTimeWarping", "EmbedLayerNormalization", "ExpandDims", "FastGelu", "FusedConv"}
    | {"FusedGemm", "FusedMatMul", "GatherBlockQuantized", "GatherND", "Gelu", "GreedySearch", "GridSample"}
    | {"GroupQueryAttention", "Inverse", "MatMulBnb4", "MatMulFpQ4", "MatMulInteger16", "MatMulIntegerToFloat"}
    | {"MatMulNBits", "MaxpoolWithMask", "MoE", "MultiHeadAttention", "MurmurHash3", "NGramRepeatBlock", "NhwcMaxPool"}
    | {"Pad", "QAttention", "QEmbedLayerNormalization", "QGemm", "QLinearAdd", "QLinearAveragePool", "QLinearConcat"}
    | {"QLinearConv", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul", "QLinearSigmoid", "QLinearSoftmax"}
    | {"QLinearWhere", "QMoE", "QuantizeLinear", "QuickGelu", "Range", "RotaryEmbedding", "SampleOp", "Sampling"}
    | {"SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "SparseAttention", "SparseToDenseMatMul"}
    | {"Tokenizer", "TransposeMatMul", "Trilu", "UnfoldTensor", "Unique", "WhisperBeamSearch", "WordConvEmbedding"}
)
"""Operators of `com.microsoft` that have a kernel for CPUs in onnxruntime; each computes on tensors only."""


def foreign_tflite(names: Iterable[str]) -> list[str]:
    """Return the operators of a .tflite file that are not on the list.

    Args:
        names: as `edgekit.formats` gives them, custom ones as `CUSTOM:name`.
    """
    special = ("UNKNOWN:", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")
    return [
        name.removeprefix("CUSTOM:")
        for name in names
        if (name.startswith("CUSTOM:") and name.removeprefix("CUSTOM:") not in TFLITE_CUSTOM)
        or name.startswith(special)
    ]


def foreign_onnx(nodes: Iterable[tuple[str, str]], functions: Iterable[tuple[str, str]]) -> list[str]:
    """Return the operators of an ONNX model that are not on the list, as `domain:name`.

    Args:
        nodes: (domain, name) of every node, in the bodies of functions, too.
        functions: (domain, name) of the functions that the model defines itself.
    """
    own = set(functions)
    foreign = {
        f"{domain}:{name}": None
        for domain, name in nodes
        if domain not in ONNX_STANDARD
        and (domain, name) not in own
        and not (domain == "com.microsoft" and name in MICROSOFT)
    }
    return list(foreign)
