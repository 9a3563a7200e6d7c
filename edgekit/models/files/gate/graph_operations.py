"""What the graph of a SavedModel may do on this machine: operations that compute, by exact name.

TensorFlow calls an operation stateful or not, which says little: `ReadFile`, `DecodeProtoV2` and `Abort` are not, and
read files or end the process. So each operation is listed that a model for inference has any use for.
tests/models/gate/test_graph_operations.py keeps the list in step with the installed TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

from edgekit.frameworks.tensorflow import tensorflow
from edgekit.frameworks.types import Function, Message, Tensor

CONSTANT_FLOOR = 64 << 20
"""Bytes that the constants of a graph may take in memory, whatever its file has."""
TENSOR_BYTES = 1 << 30
"""Of one tensor of a graph, for a batch of one."""
CONSTANT_FACTOR = 4
"""The same, for a byte of the file: it may hold half precision as float."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COMPUTING = (
    _words("Abs AccumulateNV2 Acos Acosh Add AddN AddV2 AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation All")
    | _words("Angle Any ApproxTopK ApproximateEqual ArgMax ArgMin Asin Asinh Atan Atan2 Atanh AvgPool AvgPool3D")
    | _words(
        "BatchFFT BatchFFT2D BatchIFFT BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchMatrixBandPart BatchMatrixDiag"
    )
    | _words(
        "BatchNormWithGlobalNormalization BatchToSpace BatchToSpaceND BesselI0 BesselI0e BesselI1 BesselI1e Betainc"
    )
    | _words("BiasAdd BiasAddV1 Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor BlockLSTM BlockLSTMV2 BroadcastArgs")
    | _words("BroadcastTo Bucketize Cast Ceil Cholesky ClipByValue CombinedNonMaxSuppression Complex ComplexAbs Concat")
    | _words(
        "ConcatOffset ConcatV2 Conj ConjugateTranspose Const Conv Conv2D Conv2DBackpropInput Conv2DBackpropInputV2"
    )
    | _words("Conv3D Conv3DBackpropInput Conv3DBackpropInputV2 Cos Cosh CropAndResize Cross Cumprod Cumsum")
    | _words("CumulativeLogsumexp DataFormatDimMap DataFormatVecPermute DenseBincount DepthToSpace")
    | _words("DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput Dequantize Diag DiagPart Digamma Dilation2D Div")
    | _words("DivNoNan DynamicPartition DynamicStitch Einsum Elu EnsureShape Equal Erf Erfc Erfinv EuclideanNorm Exp")
    | _words(
        "ExpandDims Expint Expm1 ExtractGlimpse ExtractGlimpseV2 ExtractImagePatches ExtractVolumePatches FFT FFT2D"
    )
    | _words("FFT3D FFTND FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Floor")
    | _words("FloorDiv FloorMod FractionalAvgPool FractionalMaxPool FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3")
    | _words(
        "FusedPadConv2D FusedResizeAndPadConv2D GRUBlockCell Gather GatherNd GatherV2 Greater GreaterEqual HSVToRGB"
    )
    | _words("HistogramFixedWidth IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND Identity IdentityN Igamma")
    | _words("Igammac Imag ImageProjectiveTransformV2 ImageProjectiveTransformV3 InTopK InTopKV2 InplaceAdd InplaceSub")
    | _words(
        "InplaceUpdate Inv Invert InvertPermutation IsFinite IsInf IsNan L2Loss LRN LSTMBlockCell LeakyRelu LeftShift"
    )
    | _words("Less LessEqual Lgamma LinSpace ListDiff Log Log1p LogMatrixDeterminant LogSoftmax LogicalAnd LogicalNot")
    | _words(
        "LogicalOr LowerBound Lu MatMul MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart MatrixDiagPartV2"
    )
    | _words("MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixInverse MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3")
    | _words(
        "MatrixSolve MatrixTriangularSolve Max MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax Maximum Mean Mfcc Min"
    )
    | _words("Minimum MirrorPad Mod Mul MulNoNan Neg NextAfter NoOp NonMaxSuppression NonMaxSuppressionV2 Multinomial")
    | _words("NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 NonMaxSuppressionWithOverlaps NotEqual")
    | _words("NthElement OneHot OnesLike Pack Pad PadV2 ParallelConcat ParallelDynamicStitch Placeholder PlaceholderV2")
    | _words("PlaceholderWithDefault Polygamma PopulationCount Pow PreventGradient Prod Qr QuantizeAndDequantize")
    | _words(
        "QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2 RFFT RFFT2D RFFT3D RFFTND"
    )
    | _words("RGBToHSV Range Rank Real RealDiv Reciprocal Relu Relu6 Reshape ResizeArea ResizeBicubic ResizeBilinear")
    | _words(
        "ResizeNearestNeighbor Reverse ReverseSequence ReverseV2 RightShift Rint Roll Round Rsqrt ScaleAndTranslate"
    )
    | _words(
        "ScatterNd ScatterNdNonAliasingAdd SegmentMax SegmentMaxV2 SegmentMean SegmentMin SegmentMinV2 SegmentProd"
    )
    | _words("SegmentProdV2 SegmentSum SegmentSumV2 Select SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Sinh Size Slice")
    | _words(
        "Snapshot Softmax Softplus Softsign SpaceToBatch SpaceToBatchND SpaceToDepth Spence Split SplitV Sqrt Square"
    )
    | _words(
        "SquaredDifference Squeeze StopGradient StridedSlice Sub Sum Svd Tan Tanh TensorScatterAdd TensorScatterMax"
    )
    | _words(
        "TensorScatterMin TensorScatterSub TensorScatterUpdate TensorStridedSliceUpdate Tile TopK TopKV2 Transpose"
    )
    | _words("TruncateDiv TruncateMod Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex")
    | _words(
        "UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum UpperBound Where Xdivy Xlog1py"
    )
    | _words("Xlogy ZerosLike Zeta AudioSpectrogram SparseSoftmaxCrossEntropyWithLogits SoftmaxCrossEntropyWithLogits")
    | _words("SparseToDense SparseReshape SparseReorder SparseFillEmptyRows SparseTensorDenseMatMul SparseSegmentSum")
    | _words("SparseSegmentMean SparseSegmentSqrtN RaggedTensorToTensor RaggedRange RaggedGather")
    | _words("CudnnRNN CudnnRNNV2 CudnnRNNV3 UniformQuantize UniformDequantize UniformRequantize")
)
"""Operations whose outputs depend on their inputs alone."""

CONTROLLING = (
    _words("PartitionedCall StatefulPartitionedCall While StatelessWhile If StatelessIf Case StatelessCase Assert")
    | _words("CheckNumerics CheckNumericsV2 Switch Merge Enter Exit NextIteration LoopCond ControlTrigger FakeParam")
    | _words("DeviceIndex GuaranteeConst SymbolicGradient _Arg _Retval")
)
"""Operations that say what is computed; `Assert` ends the computation with an error."""

KEEPING = (
    _words(
        "VarHandleOp ReadVariableOp VarIsInitializedOp VariableShape DisableCopyOnRead DestroyResourceOp ResourceGather"
    )
    | _words(
        "AssignVariableOp AssignAddVariableOp AssignSubVariableOp ResourceGatherNd ResourceStridedSliceAssign Empty"
    )
    | _words(
        "ResourceScatterAdd ResourceScatterUpdate ResourceScatterNdUpdate HashTable HashTableV2 MutableHashTableV2"
    )
    | _words("InitializeTable InitializeTableV2 LookupTableFindV2 LookupTableSizeV2 LookupTableInsertV2")
    | _words("LookupTableImportV2 LookupTableExportV2 LookupTableRemoveV2 TensorListConcat TensorListConcatLists")
    | _words("TensorListConcatV2 TensorListElementShape TensorListFromTensor TensorListGather TensorListGetItem")
    | _words("TensorListLength TensorListPopBack TensorListPushBack TensorListPushBackBatch TensorListReserve")
    | _words(
        "TensorListResize TensorListScatter TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem"
    )
    | _words("TensorListSplit TensorListStack EmptyTensorList TensorArrayV3 TensorArrayReadV3 TensorArrayWriteV3")
    | _words("TensorArrayGatherV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArrayConcatV3 TensorArraySplitV3")
    | _words("TensorArrayCloseV3 RandomStandardNormal RandomUniform RandomUniformInt RandomShuffle RandomGamma")
    | _words(
        "RandomPoissonV2 TruncatedNormal ParameterizedTruncatedNormal RngReadAndSkip RngSkip StatelessRandomGetAlg"
    )
    | _words(
        "StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2"
    )
    | _words("StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2")
    | _words("StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessMultinomial")
    | _words("StatelessTruncatedNormal StatelessTruncatedNormalV2 StatefulStandardNormalV2 StatefulTruncatedNormal")
    | _words("StatefulUniform StatefulUniformFullInt StatefulUniformInt")
)
"""Operations with a state that stays inside the process: variables, tables, lists, random numbers."""

ALLOWED = COMPUTING | CONTROLLING | KEEPING


def unsafe_operations(meta_graph: Message) -> list[str]:
    """Name the operations that are not known to compute and nothing else.

    Functions that only the graph's saver calls are left out: TensorFlow 2 runs none of the main graph when it loads.

    Args:
        meta_graph: a MetaGraphDef of TensorFlow 2.
    """
    library = {function.signature.name: function for function in meta_graph.graph_def.library.function}
    called = set(meta_graph.object_graph_def.concrete_functions)
    for name, function in library.items():
        called.update(callee for callee in _callees(function.node_def, library) if callee != name)
    savers = set(_callees(meta_graph.graph_def.node, library)) - called
    found: dict[str, None] = {}
    for name, function in library.items():
        if name not in savers or "api_implements" in function.attr:
            found.update((n.op, None) for n in function.node_def if n.op not in ALLOWED and n.op not in library)
    return list(found)


def recursive_functions(meta_graph: Message) -> list[str]:
    """Name the functions of a graph that call themselves, directly or through others: they never end."""
    library = {function.signature.name: function for function in meta_graph.graph_def.library.function}
    calls = {name: set(_callees(function.node_def, library)) & set(library) for name, function in library.items()}
    users: dict[str, list[str]] = {}
    for name, callees in calls.items():
        for callee in callees:
            users.setdefault(callee, []).append(name)
    ready = [name for name, callees in calls.items() if not callees]
    for name in ready:
        for user in users.get(name, ()):
            calls[user].discard(name)
            if not calls[user]:
                ready.append(user)
    return [name for name, callees in calls.items() if callees]


def constant_bytes(meta_graph: Message) -> int:
    """Return how many bytes the constants of a graph and its functions take in memory: one value may stand for many."""
    total = 0
    graph = meta_graph.graph_def
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        for node in nodes:
            for value in node.attr.values():
                for tensor in (value.tensor, *value.list.tensor):
                    total += _tensor_bytes(tensor)
    return total


def largest_tensor(graph: Function) -> tuple[str, int]:
    """Return the largest tensor that a graph or a function called in it makes, and its bytes, as far as shapes tell.

    Args:
        graph: a FuncGraph of a loaded function; sizes that only running tells count as one.
    """
    found, stack, seen = ("", 0), [graph], set()
    while stack:
        item = stack.pop()
        if item is None or id(item) in seen:
            continue
        seen.add(id(item))
        for operation in item.get_operations():
            for tensor in operation.outputs:
                sizes = [size for size in (tensor.shape.dims or ()) if size.value is not None]
                count = int(prod(size.value for size in sizes)) * max(1, int(tensor.dtype.size))
                found = max(found, (operation.name, count), key=lambda pair: pair[1])
        stack.extend(getattr(function, "graph", None) for function in getattr(item, "_functions", {}).values())
    return found


def _tensor_bytes(tensor: Tensor) -> int:
    sizes = [dimension.size for dimension in tensor.tensor_shape.dim]
    if not tensor.dtype or any(size < 0 for size in sizes):
        return 0
    bytes_each = int(tensorflow().as_dtype(tensor.dtype).size)
    return int(prod(sizes)) * max(1, bytes_each)


def _callees(nodes: Iterable[Message], library: dict[str, Message]) -> Iterator[str]:
    for node in nodes:
        if node.op in library:
            yield node.op
        for value in node.attr.values():
            yield value.func.name
            yield from (function.name for function in value.list.func)
