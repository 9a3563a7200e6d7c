"""The table of ONNX's operators, and the reading of a whole graph."""

from __future__ import annotations

from edgekit.models.imported.graph import Graph, Step
from edgekit.models.imported.operators import Operators, Unsupported
from edgekit.models.imported.patterns import recognised
from edgekit.models.imported.reading import attention, elementwise, linear, normalization, recurrent, shapes, windows
from edgekit.models.imported.reading.at import At, Reading

OPERATORS: dict[str, Reading] = {
    "Abs": elementwise.function("abs"),
    "Add": elementwise.arithmetic("add"),
    "And": elementwise.arithmetic("and"),
    "ArgMax": shapes.extreme("max"),
    "ArgMin": shapes.extreme("min"),
    "Attention": attention.attention,
    "AveragePool": windows.pooling("mean"),
    "BatchNormalization": normalization.batch,
    "Cast": elementwise.cast,
    "Ceil": elementwise.function("ceil"),
    "Celu": elementwise.function("celu", alpha=1.0),
    "Clip": elementwise.clip,
    "Concat": shapes.concatenate,
    "Conv": windows.convolution,
    "ConvTranspose": windows.transposed,
    "Cos": elementwise.function("cos"),
    "DepthToSpace": shapes.depth_to_space,
    "Div": elementwise.arithmetic("divide"),
    "Einsum": linear.einsum,
    "Elu": elementwise.function("elu", alpha=1.0),
    "Equal": elementwise.arithmetic("equal"),
    "Erf": elementwise.function("erf"),
    "Exp": elementwise.function("exp"),
    "Expand": linear.expand,
    "Flatten": shapes.reshaped,
    "Floor": elementwise.function("floor"),
    "GRU": recurrent.recurrent,
    "Gather": linear.gather,
    "Gelu": elementwise.gelu,
    "Gemm": linear.gemm,
    "GlobalAveragePool": windows.whole("mean"),
    "GlobalMaxPool": windows.whole("max"),
    "Greater": elementwise.arithmetic("greater"),
    "GreaterOrEqual": elementwise.arithmetic("greater_equal"),
    "GroupNormalization": normalization.group,
    "HardSigmoid": elementwise.function("hard_sigmoid", alpha=0.2, beta=0.5),
    "HardSwish": elementwise.function("hard_swish"),
    "InstanceNormalization": normalization.instance,
    "IsNaN": elementwise.function("is_nan"),
    "LSTM": recurrent.recurrent,
    "LayerNormalization": normalization.layer,
    "LeakyRelu": elementwise.function("leaky_relu", alpha=0.01),
    "Less": elementwise.arithmetic("less"),
    "LessOrEqual": elementwise.arithmetic("less_equal"),
    "Log": elementwise.function("log"),
    "LogSoftmax": normalization.softmax,
    "LpNormalization": normalization.lp,
    "MatMul": linear.product,
    "Max": elementwise.arithmetic("maximum"),
    "MaxPool": windows.pooling("max"),
    "Mean": linear.mean,
    "Min": elementwise.arithmetic("minimum"),
    "Mish": elementwise.function("mish"),
    "Mul": elementwise.arithmetic("multiply"),
    "Neg": elementwise.function("negative"),
    "Not": elementwise.function("not"),
    "Or": elementwise.arithmetic("or"),
    "PRelu": elementwise.prelu,
    "Pad": shapes.pad,
    "Pow": elementwise.power,
    "RMSNormalization": normalization.rms,
    "Reciprocal": elementwise.function("reciprocal"),
    "ReduceL1": shapes.reduction("l1"),
    "ReduceL2": shapes.reduction("l2"),
    "ReduceLogSum": normalization.log_sum,
    "ReduceLogSumExp": shapes.reduction("logsumexp"),
    "ReduceMax": shapes.reduction("max"),
    "ReduceMean": shapes.reduction("mean"),
    "ReduceMin": shapes.reduction("min"),
    "ReduceProd": shapes.reduction("prod"),
    "ReduceSum": shapes.reduction("sum"),
    "ReduceSumSquare": shapes.reduction("sumsquare"),
    "Relu": elementwise.function("relu"),
    "Reshape": shapes.reshaped,
    "Resize": shapes.resize,
    "Round": elementwise.function("round"),
    "Selu": elementwise.function("selu", alpha=1.67326319217681884765625, gamma=1.05070102214813232421875),
    "Sigmoid": elementwise.function("sigmoid"),
    "Sign": elementwise.function("sign"),
    "Sin": elementwise.function("sin"),
    "Slice": shapes.slice_,
    "Softmax": normalization.softmax,
    "Softplus": elementwise.function("softplus"),
    "Softsign": elementwise.function("softsign"),
    "SpaceToDepth": shapes.space_to_depth,
    "Split": shapes.split,
    "Sqrt": elementwise.function("sqrt"),
    "Squeeze": shapes.reshaped,
    "Sub": elementwise.arithmetic("subtract"),
    "Sum": linear.total,
    "Swish": elementwise.function("swish", alpha=1.0),
    "Tanh": elementwise.function("tanh"),
    "ThresholdedRelu": elementwise.function("thresholded_relu", alpha=1.0),
    "Tile": shapes.tile,
    "Transpose": shapes.transpose,
    "Unsqueeze": shapes.reshaped,
    "Upsample": shapes.resize,
    "Where": elementwise.where,
}
"""By ONNX's name: what reads an operator."""


def graph_of(operators: Operators, file: str) -> Graph:
    """Return the intermediate graph of an ONNX file's operators.

    Raises:
        ConversionError: an operator cannot be rebuilt; it is named, with the reason.
    """
    operators = recognised(operators)
    steps, constants = list[Step](), dict(operators.constants)
    for node in operators.nodes:
        read = OPERATORS.get(node.kind)
        if read is None:
            raise node.refusal(file, "edgekit knows no layers for it")
        try:
            steps += read(At(node, operators, constants))
        except Unsupported as why:
            raise node.refusal(file, str(why)) from why
    return Graph(operators.inputs, operators.outputs, tuple(steps), constants, operators.shapes, operators.dtypes)
