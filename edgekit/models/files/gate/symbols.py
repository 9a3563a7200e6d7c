"""What a model file may name without `--allow-unsafe`: classes and functions that compute on tensors, by exact name.

Every name was decided on by hand. tests/models/gate/test_symbols.py keeps the lists in step with the installed
TensorFlow and Keras: a name that no longer exists, or that means another function than before, fails there, and so
does a layer, an operation or a tensor function of a new version that is neither listed here nor refused by name there.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _numbered(text: str, sizes: str = "123") -> frozenset[str]:
    """Return every word once a size: `Conv#D` is Conv1D, Conv2D and Conv3D."""
    return frozenset(word.replace("#", size) for word in text.split() for size in sizes)


MODELS = _words("Sequential Functional Model")

_BOTH = (
    _words("InputLayer Dense EinsumDense Embedding Masking Activation ActivityRegularization Identity")
    | _words("ReLU LeakyReLU PReLU ELU Softmax BatchNormalization LayerNormalization GroupNormalization")
    | _words("UnitNormalization SpectralNormalization Normalization Rescaling Resizing CenterCrop CategoryEncoding")
    | _words("Dropout GaussianNoise GaussianDropout AlphaDropout Flatten Reshape Permute RepeatVector Discretization")
    | _words("Add Subtract Multiply Average Maximum Minimum Concatenate Dot Attention AdditiveAttention")
    | _words("MultiHeadAttention LSTM GRU SimpleRNN LSTMCell GRUCell SimpleRNNCell StackedRNNCells RNN")
    | _words("Bidirectional TimeDistributed DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D")
    | _words("RandomBrightness RandomContrast RandomCrop RandomFlip RandomRotation RandomTranslation RandomZoom")
    | _numbered("Conv#D Conv#DTranspose ConvLSTM#D MaxPooling#D AveragePooling#D GlobalMaxPooling#D")
    | _numbered("GlobalAveragePooling#D SpatialDropout#D ZeroPadding#D Cropping#D UpSampling#D")
)
_OLD_NAMES = _numbered(
    "AvgPool#D MaxPool#D GlobalAvgPool#D GlobalMaxPool#D Convolution#D Convolution#DTranspose"
) | _words("SeparableConvolution1D SeparableConvolution2D")
LAYERS_2 = _BOTH | _OLD_NAMES | _words("ThresholdedReLU RandomHeight RandomWidth")
"""Layers of Keras 2, below `keras.layers`; operations of its graphs are in `FUNCTIONS_2`."""
LAYERS_3 = (
    _BOTH
    | _OLD_NAMES
    | _numbered("AdaptiveAveragePooling#D AdaptiveMaxPooling#D")
    | _words("GroupQueryAttention RMSNormalization ReversibleEmbedding MelSpectrogram STFTSpectrogram")
    | _words("RandomColorDegeneration RandomColorJitter RandomElasticTransform RandomErasing RandomGaussianBlur")
    | _words("RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomSaturation")
    | _words("RandomSharpness RandomShear AutoContrast Equalization Solarization")
)
"""Layers of Keras 3, below `keras.layers`."""

OTHERS_2 = {
    "tf_keras.src.applications.convnext": _words("LayerScale StochasticDepth"),
    "tf_keras.src.applications.inception_resnet_v2": _words("CustomScaleLayer"),
}
OTHERS_3 = {
    "keras.src.applications.convnext": _words("LayerScale StochasticDepth"),
    "keras.src.applications.inception_resnet_v2": _words("CustomScaleLayer"),
}
"""Layers of `keras.applications` without a public name: module to classes."""

_TFMOT = "tensorflow_model_optimization.python.core"
WRAPPERS_2 = {
    f"{_TFMOT}.sparsity.keras.pruning_wrapper": _words("PruneLowMagnitude"),
    f"{_TFMOT}.sparsity.keras.pruning_schedule": _words("ConstantSparsity PolynomialDecay"),
    f"{_TFMOT}.clustering.keras.cluster_wrapper": _words("ClusterWeights ClusterWeightsRNN ClusterWeightsMHA"),
    f"{_TFMOT}.quantization.keras.quantize_wrapper": _words("QuantizeWrapper QuantizeWrapperV2"),
    f"{_TFMOT}.quantization.keras.quantize_layer": _words("QuantizeLayer"),
    f"{_TFMOT}.quantization.keras.quantize_aware_activation": _words("QuantizeAwareActivation NoOpActivation"),
    f"{_TFMOT}.quantization.keras.quantize_config": _words("OutputOnlyConfig"),
    f"{_TFMOT}.quantization.keras.quantizers": _words("LastValueQuantizer MovingAverageQuantizer AllValuesQuantizer")
    | _words("FixedQuantizer NoQuantizer"),
    f"{_TFMOT}.quantization.keras.default_8bit.default_8bit_quantize_registry": (
        _words("Default8BitQuantizeConfig Default8BitQuantizeConfigRNN Default8BitActivationQuantizeConfig")
        | _words("Default8BitConvQuantizeConfig Default8BitConvTransposeQuantizeConfig")
    ),
    f"{_TFMOT}.quantization.keras.default_8bit.default_8bit_quantize_configs": (
        _words("Default8BitOutputQuantizeConfig NoOpQuantizeConfig")
    ),
}
"""What TensorFlow Model Optimization wraps layers of Keras 2 in: module to classes."""
WRAPPED_ATTRIBUTES = {
    "weight_attrs": _words("kernel depthwise_kernel pointwise_kernel recurrent_kernel embeddings"),
    "activation_attrs": _words("activation recurrent_activation"),
}
"""Attributes of a layer that a quantize configuration may name: it reads and sets them."""

INITIALIZERS = (
    _words("Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal")
    | _words("LecunUniform Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal")
    | _words("VarianceScaling Zeros STFT STFTInitializer")
)
REGULARIZERS = _words("L1 L1L2 L2 OrthogonalRegularizer")
CONSTRAINTS = _words("MaxNorm MinMaxNorm NonNeg UnitNorm RadialConstraint")
POLICIES = _words("DTypePolicy FloatDTypePolicy QuantizedDTypePolicy QuantizedFloat8DTypePolicy Policy")
ACTIVATIONS = (
    _words("celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear")
    | _words("log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign")
    | _words("sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold")
)
NAMED = {
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS
    | _words("constant glorot_normal glorot_uniform he_normal he_uniform identity lecun_normal lecun_uniform ones one")
    | _words("orthogonal random_normal random_uniform truncated_normal variance_scaling zeros zero normal uniform")
    | _words("stft"),
    "regularizer": REGULARIZERS | _words("l1 l2 l1_l2 orthogonal_regularizer"),
    "constraint": CONSTRAINTS
    | _words("max_norm min_max_norm non_neg unit_norm radial_constraint maxnorm nonneg unitnorm"),
}
"""By the ending of the key under which a layer names them as text: `bias_constraint`, `recurrent_activation`."""

OPERATIONS_3 = {
    "keras.src.ops.numpy": (
        _words("Abs Absolute Add All AllClose Amax Amin Angle Any Append Arccos Arccosh Arcsin Arcsinh Arctan Arctan2")
        | _words("Arctanh Argmax Argmin Argpartition Argsort ArraySplit Average Bincount BitwiseAnd BitwiseInvert")
        | _words("BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor BroadcastTo Cbrt Ceil Clip")
        | _words(
            "Concatenate Conj Conjugate Copy Corrcoef Correlate Cos Cosh CountNonzero Cross Cumprod Cumsum Deg2rad"
        )
        | _words("Diag Diagflat Diagonal Diff Digitize Divide DivideNoNan Dot Dsplit Dstack Einsum Equal Exp Exp2")
        | _words(
            "ExpandDims Expm1 Fabs Flip Fliplr Flipud Floor FloorDivide Fmax Fmin Fmod FullLike Gcd GetItem Greater"
        )
        | _words("GreaterEqual Heaviside Histogram Hsplit Hstack Hypot I0 Imag Inner IsIn Isclose Isfinite Isinf Isnan")
        | _words("Isneginf Isposinf Isreal Kron Lcm Ldexp LeftShift Less LessEqual Log Log10 Log1p Log2 Logaddexp")
        | _words("Logaddexp2 LogicalAnd LogicalNot LogicalOr LogicalXor Matmul Max Maximum Mean Median Meshgrid Min")
        | _words("Minimum Mod Moveaxis Multiply NanToNum Nanargmax Nanargmin Nancumprod Nancumsum Nanmax Nanmean")
        | _words(
            "Nanmedian Nanmin Nanpercentile Nanprod Nanquantile Nanstd Nansum Nanvar Ndim Negative Nextafter Nonzero"
        )
        | _words("NotEqual OnesLike Outer Pad Percentile Power Prod Ptp Quantile Rad2deg Ravel Real Reciprocal Repeat")
        | _words("Reshape RightShift Roll Rot90 Round SearchSorted Select Sign Signbit Sin Sinc Sinh Size Slogdet Sort")
        | _words("Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take TakeAlongAxis Tan Tanh Tensordot Tile")
        | _words("Trace Transpose Trapezoid Tril Triu TrueDivide Trunc UnravelIndex Vander Var Vdot View Vsplit Vstack")
        | _words("Where ZerosLike")
    ),
    "keras.src.ops.nn": (
        _words("AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm Celu Conv ConvTranspose DepthToSpace")
        | _words(
            "DepthwiseConv DotProductAttention Elu Fold Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LayerNorm"
        )
        | _words("LeakyRelu LogSigmoid LogSoftmax MaxPool Moments MultiHot Normalize OneHot Polar RMSNorm Relu Relu6")
        | _words("Selu SeparableConv Sigmoid Silu SoftShrink Softmax Softplus Softsign SpaceToDepth SparsePlus")
        | _words("SparseSigmoid Sparsemax Squareplus TanhShrink Threshold Unfold")
    ),
    "keras.src.ops.einops": _words("Rearrange"),
    "keras.src.ops.core": _words("Cast ConvertToTensor SaturateCast Scatter ScatterUpdate Slice SliceUpdate")
    | _words("StopGradient Unstack"),
    "keras.src.ops.math": (
        _words(
            "CDist Erf Erfc Erfinv ExtractSequences FFT FFT2 IFFT2 IRFFT ISTFT InTopK Logdet Logsumexp RFFT Rsqrt STFT"
        )
        | _words("SegmentMax SegmentMin SegmentProd SegmentReduction SegmentSum TopK ViewAsComplex ViewAsReal")
    ),
    "keras.src.ops.linalg": _words("Cholesky CholeskyInverse Det Eig Eigh Inv Lstsq LuFactor MatrixRank Norm Pinv Qr")
    | _words("SVD Solve SolveTriangular"),
    "keras.src.ops.image": (
        _words("AffineTransform CropImages ElasticTransform ExtractPatches GaussianBlur HSVToRGB MapCoordinates")
        | _words("PadImages PerspectiveTransform RGBToGrayscale RGBToHSV Resize ScaleAndTranslate SobelEdges")
    ),
}
"""Operations of Keras 3 graphs: module to classes."""

_ROOT = (
    _words("argsort batch_to_space broadcast_to cast clip_by_norm clip_by_value concat convert_to_tensor einsum")
    | _words(
        "ensure_shape expand_dims eye fill gather gather_nd identity linspace norm one_hot ones ones_like pad rank"
    )
    | _words("realdiv repeat reshape reverse reverse_sequence roll searchsorted sequence_mask shape size slice sort")
    | _words("space_to_batch space_to_batch_nd split squeeze stack stop_gradient strided_slice tensor_scatter_nd_add")
    | _words(
        "tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub tensor_scatter_nd_update tensordot tile"
    )
    | _words("transpose truncatediv truncatemod unstack where zeros zeros_like scatter_nd meshgrid")
    | _words(
        "__operators__.getitem __operators__.add __operators__.eq __operators__.ne dtypes.complex dtypes.saturate_cast"
    )
)
_MATH = (
    _words("abs accumulate_n acos acosh add add_n angle argmax argmin asin asinh atan atan2 atanh bessel_i0 bessel_i0e")
    | _words(
        "bessel_i1 bessel_i1e betainc ceil conj cos cosh count_nonzero cumprod cumsum cumulative_logsumexp digamma"
    )
    | _words(
        "divide divide_no_nan equal erf erfc erfcinv erfinv exp expm1 floor floordiv floormod greater greater_equal"
    )
    | _words("igamma igammac imag in_top_k is_finite is_inf is_nan l2_normalize lbeta less less_equal lgamma log log1p")
    | _words(
        "log_sigmoid logical_and logical_not logical_or logical_xor maximum minimum multiply multiply_no_nan ndtri"
    )
    | _words(
        "negative nextafter not_equal polygamma polyval pow real reciprocal reciprocal_no_nan reduce_all reduce_any"
    )
    | _words(
        "reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_std reduce_sum"
    )
    | _words(
        "reduce_variance rint round rsqrt scalar_mul segment_max segment_mean segment_min segment_prod segment_sum"
    )
    | _words(
        "sigmoid sign sin sinh softplus sqrt square squared_difference subtract tan tanh top_k truediv xdivy xlog1py"
    )
    | _words("xlogy zero_fraction zeta invert_permutation special.dawsn special.expint special.spence")
)
_NN = (
    _words(
        "atrous_conv2d atrous_conv2d_transpose avg_pool avg_pool1d avg_pool2d avg_pool3d batch_normalization bias_add"
    )
    | _words(
        "batch_norm_with_global_normalization conv1d conv1d_transpose conv2d conv2d_transpose conv3d conv3d_transpose"
    )
    | _words(
        "conv_transpose convolution crelu depth_to_space depthwise_conv2d dilation2d elu embedding_lookup erosion2d"
    )
    | _words(
        "gelu l2_loss leaky_relu local_response_normalization log_softmax max_pool max_pool1d max_pool2d max_pool3d"
    )
    | _words(
        "max_pool_with_argmax moments normalize_moments pool relu relu6 selu separable_conv2d silu softmax softsign"
    )
    | _words("space_to_depth sufficient_statistics weighted_moments with_space_to_batch")
)
_LINALG = _words(
    "adjoint band_part cross diag diag_part matmul matrix_transpose matvec normalize set_diag tensor_diag"
) | (_words("tensor_diag_part trace cholesky det inv logdet"))
_IMAGE = (
    _words(
        "adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation central_crop convert_image_dtype"
    )
    | _words(
        "combined_non_max_suppression crop_and_resize crop_to_bounding_box extract_patches flip_left_right flip_up_down"
    )
    | _words("grayscale_to_rgb hsv_to_rgb image_gradients non_max_suppression non_max_suppression_overlaps")
    | _words("non_max_suppression_padded non_max_suppression_with_scores pad_to_bounding_box per_image_standardization")
    | _words("resize resize_with_crop_or_pad resize_with_pad rgb_to_grayscale rgb_to_hsv rgb_to_yiq rgb_to_yuv rot90")
    | _words("sobel_edges total_variation transpose yiq_to_rgb yuv_to_rgb")
)
_SIGNAL = _words(
    "dct idct fft fft2d fftshift frame ifft ifft2d ifftshift inverse_stft irfft irfft2d overlap_and_add rfft rfft2d"
) | _words("stft mfccs_from_log_mel_spectrograms")
_QUANTIZATION = _words("fake_quant_with_min_max_args fake_quant_with_min_max_vars") | (
    _words("fake_quant_with_min_max_vars_per_channel quantize_and_dequantize quantize_and_dequantize_v2")
)
_BITWISE = _words("bitwise_and bitwise_or bitwise_xor invert left_shift right_shift")
_V1 = (
    _words(
        "convert_to_tensor div expand_dims floor_div gather gather_nd norm ones_like pad shape size squeeze to_double"
    )
    | _words("to_float to_int32 to_int64 transpose where zeros_like batch_to_space math.argmax math.argmin")
    | _words(
        "math.count_nonzero math.reduce_all math.reduce_any math.reduce_logsumexp math.reduce_max math.reduce_mean"
    )
    | _words("math.reduce_min math.reduce_prod math.reduce_sum math.scalar_mul image.crop_and_resize image.resize_area")
    | _words("image.extract_image_patches image.resize_bicubic image.resize_bilinear image.resize_images")
    | _words("image.resize_image_with_pad image.resize_nearest_neighbor nn.avg_pool nn.conv1d nn.conv2d")
    | _words("nn.conv2d_transpose nn.conv3d nn.conv3d_transpose nn.convolution nn.crelu nn.depth_to_space")
    | _words("nn.depthwise_conv2d nn.depthwise_conv2d_native nn.dilation2d nn.embedding_lookup nn.erosion2d")
    | _words("nn.fused_batch_norm nn.log_softmax nn.max_pool nn.max_pool_with_argmax nn.moments nn.pool nn.relu_layer")
    | _words("nn.separable_conv2d nn.softmax nn.space_to_depth nn.space_to_batch nn.weighted_moments nn.xw_plus_b")
)
_BACKEND = (
    _words("abs all any argmax argmin batch_dot batch_flatten batch_normalization bias_add cast cast_to_floatx clip")
    | _words("concatenate conv1d conv2d conv2d_transpose conv3d cos cumprod cumsum depthwise_conv2d dot elu equal exp")
    | _words(
        "expand_dims flatten gather greater greater_equal hard_sigmoid l2_normalize less less_equal log max maximum"
    )
    | _words("mean min minimum not_equal one_hot ones_like permute_dimensions pool2d pool3d pow prod relu repeat")
    | _words(
        "repeat_elements reshape resize_images resize_volumes reverse round separable_conv2d shape sigmoid sign sin"
    )
    | _words(
        "random_normal random_uniform softmax softplus softsign spatial_2d_padding spatial_3d_padding sqrt square std"
    )
    | _words("squeeze stack stop_gradient sum tanh temporal_padding tile transpose")
)


def _below(place: str, names: frozenset[str]) -> frozenset[str]:
    return frozenset(f"{place}.{name}" for name in names)


FUNCTIONS_2 = (
    _ROOT
    | _below("math", _MATH)
    | _below("nn", _NN)
    | _below("linalg", _LINALG)
    | _below("image", _IMAGE)
    | _below("signal", _SIGNAL)
    | _below("quantization", _QUANTIZATION)
    | _below("bitwise", _BITWISE)
    | _below("random", _words("normal truncated_normal uniform"))
    | _below("compat.v1", _V1)
    | _below("keras.backend", _BACKEND)
    | _below("keras.activations", _words("elu exponential gelu hard_sigmoid linear mish relu selu sigmoid softmax"))
    | _below("keras.activations", _words("softplus softsign swish tanh"))
)
"""Functions that a Keras 2 graph may record as a layer (TFOpLambda), by TensorFlow's canonical name.

Each maps tensors and numbers to tensors, keeps no state but that of random numbers, and takes no function, path or
resource.
"""
