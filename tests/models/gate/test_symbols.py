"""The lists of what a model file may name, held against the installed TensorFlow and Keras."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

from edgekit.frameworks.tensorflow import keras3, tf_keras, tfmot
from edgekit.models.files.gate import symbols
from edgekit.models.files.gate.functions import canonical_name
from edgekit.models.files.gate.graph_operations import ALLOWED, KEEPING

pytestmark = pytest.mark.tensorflow


def words(text: str) -> set[str]:
    return set(text.split())


REFUSED_MODULES = words(
    """
    tensorflow.compiler.jit.ops.xla_ops tensorflow.compiler.tf2xla.ops.gen_xla_ops
    tensorflow.core.distributed_runtime.preemption.gen_check_preemption_op
    tensorflow.distribute.experimental.rpc.kernels.gen_rpc_ops tensorflow.dtensor.python.gen_dtensor_ops
    tensorflow.python.ops.bincount_ops tensorflow.python.ops.candidate_sampling_ops tensorflow.python.ops.cond
    tensorflow.python.ops.confusion_matrix tensorflow.python.ops.control_flow_assert
    tensorflow.python.ops.control_flow_case tensorflow.python.ops.control_flow_ops
    tensorflow.python.ops.ctc_ops tensorflow.python.ops.functional_ops tensorflow.python.ops.gen_audio_ops
    tensorflow.python.ops.gen_control_flow_ops tensorflow.python.ops.gen_data_flow_ops
    tensorflow.python.ops.gen_decode_proto_ops tensorflow.python.ops.gen_encode_proto_ops
    tensorflow.python.ops.gen_experimental_dataset_ops tensorflow.python.ops.gen_io_ops
    tensorflow.python.ops.gen_logging_ops tensorflow.python.ops.gen_parsing_ops
    tensorflow.python.ops.gen_ragged_array_ops tensorflow.python.ops.gen_random_index_shuffle_ops
    tensorflow.python.ops.gen_sdca_ops tensorflow.python.ops.gen_string_ops
    tensorflow.python.ops.histogram_ops tensorflow.python.ops.linalg.sparse.conjugate_gradient
    tensorflow.python.ops.logging_ops tensorflow.python.ops.losses.losses_impl
    tensorflow.python.ops.nn_impl_distribute tensorflow.python.ops.numerics tensorflow.python.ops.parsing_ops
    tensorflow.python.ops.ragged.ragged_array_ops tensorflow.python.ops.ragged.ragged_concat_ops
    tensorflow.python.ops.ragged.ragged_factory_ops tensorflow.python.ops.ragged.ragged_functional_ops
    tensorflow.python.ops.ragged.ragged_getitem tensorflow.python.ops.ragged.ragged_math_ops
    tensorflow.python.ops.ragged.ragged_string_ops tensorflow.python.ops.ragged.segment_id_ops
    tensorflow.python.ops.random_crop_ops tensorflow.python.ops.rnn tensorflow.python.ops.script_ops
    tensorflow.python.ops.sets_impl tensorflow.python.ops.signal.mel_ops
    tensorflow.python.ops.signal.window_ops tensorflow.python.ops.sparse_ops
    tensorflow.python.ops.stateless_random_ops tensorflow.python.ops.string_ops tf_keras.src.backend_config
    tf_keras.src.losses tf_keras.src.metrics.accuracy_metrics
    """
)
"""Of TensorFlow's source: their functions make strings, files, random numbers, control flow or losses."""
REFUSED_FUNCTIONS = words(
    """
    approx_top_k bitcast boolean_mask broadcast_dynamic_shape broadcast_static_shape clip_by_global_norm
    compat.v1.arg_max compat.v1.arg_min compat.v1.batch_gather compat.v1.batch_to_space_nd
    compat.v1.boolean_mask compat.v1.clip_by_average_norm compat.v1.debugging.assert_equal
    compat.v1.debugging.assert_greater compat.v1.debugging.assert_greater_equal
    compat.v1.debugging.assert_integer compat.v1.debugging.assert_less compat.v1.debugging.assert_less_equal
    compat.v1.debugging.assert_near compat.v1.debugging.assert_negative
    compat.v1.debugging.assert_non_negative compat.v1.debugging.assert_non_positive
    compat.v1.debugging.assert_none_equal compat.v1.debugging.assert_positive compat.v1.debugging.assert_rank
    compat.v1.debugging.assert_rank_at_least compat.v1.debugging.assert_rank_in
    compat.v1.debugging.assert_scalar compat.v1.debugging.assert_shapes compat.v1.debugging.assert_type
    compat.v1.image.draw_bounding_boxes compat.v1.image.extract_glimpse
    compat.v1.image.sample_distorted_bounding_box compat.v1.math.in_top_k
    compat.v1.nn.batch_norm_with_global_normalization compat.v1.nn.conv2d_backprop_filter
    compat.v1.nn.conv2d_backprop_input compat.v1.nn.conv3d_backprop_filter compat.v1.nn.dropout
    compat.v1.nn.embedding_lookup_sparse compat.v1.nn.fractional_avg_pool compat.v1.nn.fractional_max_pool
    compat.v1.nn.nce_loss compat.v1.nn.quantized_avg_pool compat.v1.nn.quantized_conv2d
    compat.v1.nn.quantized_max_pool compat.v1.nn.quantized_relu_x compat.v1.nn.safe_embedding_lookup_sparse
    compat.v1.nn.sampled_softmax_loss compat.v1.nn.sigmoid_cross_entropy_with_logits
    compat.v1.nn.softmax_cross_entropy_with_logits compat.v1.nn.softmax_cross_entropy_with_logits_v2
    compat.v1.nn.sparse_softmax_cross_entropy_with_logits compat.v1.nn.sufficient_statistics
    compat.v1.nn.weighted_cross_entropy_with_logits compat.v1.quantize_v2 compat.v1.random.multinomial
    compat.v1.random.poisson compat.v1.setdiff1d compat.v1.to_bfloat16 compat.v1.to_complex128
    compat.v1.to_complex64 conv conv2d_backprop_filter_v2 conv2d_backprop_input_v2 debugging.assert_equal
    debugging.assert_greater debugging.assert_greater_equal debugging.assert_integer debugging.assert_less
    debugging.assert_less_equal debugging.assert_near debugging.assert_negative debugging.assert_non_negative
    debugging.assert_non_positive debugging.assert_none_equal debugging.assert_positive
    debugging.assert_proper_iterable debugging.assert_rank debugging.assert_rank_at_least
    debugging.assert_rank_in debugging.assert_same_float_dtype debugging.assert_scalar debugging.assert_shapes
    debugging.assert_type debugging.check_numerics edit_distance extract_volume_patches fftnd fingerprint
    identity_n ifftnd image.adjust_jpeg_quality image.draw_bounding_boxes image.extract_glimpse
    image.generate_bounding_box_proposals image.psnr image.random_brightness image.random_contrast
    image.random_flip_left_right image.random_flip_up_down image.random_hue image.random_jpeg_quality
    image.random_saturation image.sample_distorted_bounding_box image.ssim image.ssim_multiscale
    image.stateless_random_brightness image.stateless_random_contrast image.stateless_random_flip_left_right
    image.stateless_random_flip_up_down image.stateless_random_hue image.stateless_random_jpeg_quality
    image.stateless_random_saturation image.stateless_sample_distorted_bounding_box io.decode_and_crop_jpeg
    io.decode_bmp io.decode_gif io.decode_image io.decode_jpeg io.decode_jxl io.decode_png io.decode_webp
    io.encode_jpeg io.encode_png io.extract_jpeg_shape irfftnd keras.activations.deserialize
    keras.activations.get keras.activations.serialize keras.backend.arange keras.backend.batch_get_value
    keras.backend.batch_set_value keras.backend.binary_crossentropy keras.backend.binary_focal_crossentropy
    keras.backend.categorical_crossentropy keras.backend.categorical_focal_crossentropy keras.backend.constant
    keras.backend.ctc_batch_cost keras.backend.ctc_decode keras.backend.ctc_label_dense_to_sparse
    keras.backend.dropout keras.backend.dtype keras.backend.eye keras.backend.in_top_k
    keras.backend.local_conv1d keras.backend.local_conv2d keras.backend.ones keras.backend.print_tensor
    keras.backend.random_bernoulli keras.backend.random_binomial keras.backend.rnn
    keras.backend.sparse_categorical_crossentropy keras.backend.switch keras.backend.to_dense
    keras.backend.truncated_normal linalg.cholesky_solve linalg.eig linalg.eigh linalg.eigh_tridiagonal
    linalg.eigvals linalg.eigvalsh linalg.expm linalg.global_norm linalg.logm linalg.lstsq linalg.lu
    linalg.lu_matrix_inverse linalg.lu_reconstruct linalg.lu_solve linalg.matrix_rank linalg.pinv linalg.qr
    linalg.slogdet linalg.solve linalg.sqrtm linalg.svd linalg.triangular_solve linalg.tridiagonal_matmul
    linalg.tridiagonal_solve math.approx_max_k math.approx_min_k math.is_non_decreasing
    math.is_strictly_increasing math.sobol_sample math.special.bessel_j0 math.special.bessel_j1
    math.special.bessel_k0 math.special.bessel_k0e math.special.bessel_k1 math.special.bessel_k1e
    math.special.bessel_y0 math.special.bessel_y1 math.special.fresnel_cos math.special.fresnel_sin
    math.unsorted_segment_max math.unsorted_segment_mean math.unsorted_segment_min math.unsorted_segment_prod
    math.unsorted_segment_sqrt_n math.unsorted_segment_sum nn.depthwise_conv2d_backprop_filter
    nn.depthwise_conv2d_backprop_input nn.dropout nn.embedding_lookup_sparse nn.experimental.general_dropout
    nn.experimental.stateless_dropout nn.fractional_avg_pool nn.fractional_max_pool nn.isotonic_regression
    nn.log_poisson_loss nn.nce_loss nn.safe_embedding_lookup_sparse nn.sampled_softmax_loss
    nn.sigmoid_cross_entropy_with_logits nn.softmax_cross_entropy_with_logits
    nn.sparse_softmax_cross_entropy_with_logits nn.weighted_cross_entropy_with_logits parallel_stack
    quantization.dequantize quantization.fake_quant_with_min_max_args_gradient
    quantization.fake_quant_with_min_max_vars_gradient
    quantization.fake_quant_with_min_max_vars_per_channel_gradient quantization.quantize
    quantization.quantized_concat random.categorical random.gamma random.poisson random.shuffle range rfftnd
    shape_n signal.fft3d signal.fftnd signal.ifft3d signal.ifftnd signal.inverse_mdct
    signal.inverse_stft_window_fn signal.irfft3d signal.irfftnd signal.mdct signal.rfft3d signal.rfftnd unique
    unique_with_counts unravel_index
    """
)
"""In the other modules: losses, gradients, assertions, files in memory, and what takes no tensor."""
REFUSED_LAYERS = {
    2: words(
        """
        AbstractRNNCell DenseFeatures HashedCrossing Hashing IntegerLookup Lambda Layer LocallyConnected1D
        LocallyConnected2D StringLookup TextVectorization Wrapper
        """
    ),
    3: words(
        """
        AugMix ContrastLimitedAdaptiveHistogramEqualization CutMix FlaxLayer HashedCrossing Hashing
        IntegerLookup JaxLayer Lambda Layer MaxNumBoundingBoxes MixUp Pipeline RandAugment StringLookup
        TFSMLayer TextVectorization TorchModuleWrapper Wrapper
        """
    ),
}
"""Code, text, vocabularies and base classes."""
REFUSED_OPERATIONS = words(
    """
    AssociativeScan Cond ForiLoop Map Scan Switch VectorizedMap WhileLoop SSIM JVP BinaryCrossentropy
    CTCDecode CTCLoss CategoricalCrossentropy PSNR SparseCategoricalCrossentropy Arange Array EmptyLike Full
    Geomspace Linspace Logspace Unique
    """
)
"""Functions as arguments, losses, and what takes no tensor."""


def recordable() -> dict[str, str]:
    """Every function that Keras 2 can record in a graph: canonical name to the module of TensorFlow it is in."""
    tf_keras()
    from tensorflow.python.util import tf_decorator, tf_export

    found = {}
    for name in tf_export._NAME_TO_SYMBOL_MAPPING:
        function = tf_export.get_symbol_from_name(name)
        if not callable(function) or inspect.isclass(function) or name.startswith("raw_ops."):
            continue
        dispatched = hasattr(function, "_tf_fallback_dispatchers") or hasattr(function, "_tf_type_based_dispatcher")
        if dispatched and canonical_name(name) == name:
            found[name] = str(getattr(tf_decorator.unwrap(function)[1], "__module__", "")).rpartition("[")[2]
    return found


def test_every_allowed_function_is_what_its_name_says() -> None:
    """A name that moved to another function, or is an alias now, would let something through or nothing."""
    found = recordable()
    assert [name for name in sorted(symbols.FUNCTIONS_2) if name not in found] == []


def test_every_function_that_keras_can_record_was_decided_on() -> None:
    """A new TensorFlow brings new functions: list them in symbols.py, or here."""
    undecided = [
        name
        for name, module in recordable().items()
        if name not in symbols.FUNCTIONS_2
        and name not in REFUSED_FUNCTIONS
        and module not in REFUSED_MODULES
        and "." in module
    ]
    assert undecided == []


@pytest.mark.parametrize("generation", [2, 3])
def test_every_layer_was_decided_on(generation: int) -> None:
    keras = tf_keras() if generation == 2 else keras3()
    listed = symbols.LAYERS_2 if generation == 2 else symbols.LAYERS_3
    layers = {
        name
        for name, item in vars(keras.layers).items()
        if inspect.isclass(item) and issubclass(item, keras.layers.Layer)
    }
    assert layers - listed == REFUSED_LAYERS[generation]
    assert listed - layers == set()


def test_every_operation_of_keras_3_was_decided_on() -> None:
    found: dict[str, set[str]] = {}
    for module in symbols.OPERATIONS_3:
        items: dict[str, Any] = vars(importlib.import_module(module))
        kinds = {n for n, v in items.items() if inspect.isclass(v) and issubclass(v, keras3().Operation)}
        found[module] = {name for name in kinds if items[name].__module__ == module}
        assert found[module] - symbols.OPERATIONS_3[module] <= REFUSED_OPERATIONS
        assert symbols.OPERATIONS_3[module] <= found[module]


@pytest.mark.parametrize("generation", [2, 3])
def test_listed_classes_live_where_the_gate_says(generation: int) -> None:
    keras = tf_keras() if generation == 2 else keras3()
    for room, names in (
        ("initializers", symbols.INITIALIZERS),
        ("regularizers", symbols.REGULARIZERS),
        ("constraints", symbols.CONSTRAINTS),
    ):
        here = {name for name in names if hasattr(getattr(keras, room), name)}
        assert here
        assert all(inspect.isclass(getattr(getattr(keras, room), name)) for name in here)
    for module, names in (symbols.OTHERS_2 if generation == 2 else symbols.OTHERS_3).items():
        items = vars(importlib.import_module(module))
        assert names <= set(items), module


def test_wrappers_of_tfmot_live_where_the_gate_says_and_those_of_the_default_scheme_are_listed() -> None:
    tfmot()
    for module, names in symbols.WRAPPERS_2.items():
        items = vars(importlib.import_module(module))
        assert all(inspect.isclass(items[name]) and items[name].__module__ == module for name in names), module
    place = next(module for module in symbols.WRAPPERS_2 if module.endswith("default_8bit_quantize_registry"))
    listed = frozenset[str]().union(*symbols.WRAPPERS_2.values())
    assert set(importlib.import_module(place)._types_dict()) <= listed
    assert set(importlib.import_module(place.rpartition(".default_8bit.")[0] + ".quantizers")._types_dict()) <= listed


def test_operations_of_graphs_are_registered_and_keep_their_state_inside() -> None:
    tf_keras()
    from tensorflow.python.framework import op_def_registry

    definitions = {name: op_def_registry.get(name) for name in ALLOWED}
    assert [name for name, definition in definitions.items() if definition is None] == []
    stateful = {name for name, definition in definitions.items() if definition.is_stateful}
    allowed = words(
        """
        Assert CheckNumerics CheckNumericsV2 DeviceIndex GuaranteeConst Multinomial Case If While
        StatefulPartitionedCall CudnnRNN CudnnRNNV2 CudnnRNNV3 _Arg _Retval
        """
    )
    assert stateful <= KEEPING | allowed
    for name, definition in definitions.items():  # a path or a command would come in as text
        texts = {a.name for a in definition.attr if a.type in ("string", "list(string)")} - HARMLESS_TEXTS
        assert not texts, name


HARMLESS_TEXTS = words(
    """
    align allowed_devices bad_indices_policy config config_proto container data_format debug_name device_names
    direction dst_format equation executor_type fill_mode frame_name input_mode interpolation kernel_type
    message method mode noise padding rnn_mode round_mode row_partition_types shared_name src_format
    tensor_array_name
    """
)
"""Attributes of text that choose among ways to compute, or name something inside the graph."""
