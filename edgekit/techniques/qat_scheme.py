"""A model with fake quantization, by TensorFlow Model Optimization (TFMOT).

Jacob et al. 2018 (arXiv 1712.05877); guides: https://www.tensorflow.org/model_optimization/guide/quantization/training
and https://www.tensorflow.org/model_optimization/guide/combine/collaborative_optimization

What TFMOT 0.8.1 does not do by itself, and is done here:

* It chooses the collaborative form (sparsity preserving, cluster preserving, both) for the whole model, with one shared
  quantizer that forgets the zeros of all layers when one layer has none. Here every layer gets its own.
* Depthwise kernels get one scale for all channels. Here every channel has its own, as TFLite has it.
* It quantizes the numbers of an Embedding's tokens like other inputs, and fails for integers.
* A convolution or dense layer directly before a ReLU layer loses the quantization of its weights too, not only that of
  its output, and one before a Concatenate its collaborative form.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from enum import StrEnum

import numpy as np

from edgekit.errors import ConversionError
from edgekit.export.tflite.int4 import MIN_WEIGHTS
from edgekit.frameworks.layers.knowledge import Handling
from edgekit.frameworks.layers.register import known
from edgekit.frameworks.tensorflow import quiet, tfmot
from edgekit.frameworks.types import KerasLayer, KerasModel, KerasObject
from edgekit.models.keras.quantized import depthwise_config, scope
from edgekit.models.keras.rebuild import Part, clone, rebuild
from edgekit.tasks.samples import Array
from edgekit.techniques.masks import is_kernel
from edgekit.techniques.selection import kernel, sparse_kernel
from edgekit.techniques.stage import CLUSTERED, SPARSE

INT8, INT4 = 8, 4
"""Bits of a weight."""
MAX_DISTINCT = 256
"""A kernel with more distinct values is not clustered: they would not fit int8."""

LayerMetadata = dict[str, dict[str, KerasObject]]
"""What TFMOT carries of every layer, by name: under `quantize_config` how the layer is quantized."""


class Form(StrEnum):
    """What quantization-aware training keeps of a kernel."""

    SPARSE = "sparsity preserving"
    CLUSTERED = "cluster preserving"
    BOTH = "sparsity and cluster preserving"


def forms(model: KerasModel, traits: frozenset[str]) -> dict[str, Form]:
    """Return the collaborative form of every kernel that earlier stages worked on, by layer.

    Args:
        model: a flat tf_keras model.
        traits: of the model; without `sparse` zeros are chance, without `clustered` so are equal values.
    """
    by_layer = {}
    for layer in model.layers:
        if kernel_configuration(layer) not in ("conv", "dense"):
            continue
        values = next(w for w in layer.weights if is_kernel(w)).numpy()
        sparse = SPARSE in traits and bool((values == 0).any())
        clustered = CLUSTERED in traits and _few_values(values)
        if sparse or clustered:
            by_layer[layer.name] = Form.BOTH if sparse and clustered else Form.SPARSE if sparse else Form.CLUSTERED
    return by_layer


def kernel_configuration(layer: KerasLayer) -> str:
    """Return which of TFMOT's configurations the kernel of a layer has; empty if none. See `Qat.kernel`."""
    row = known(layer)
    return row.qat.kernel if row is not None else ""


def unclustered(model: KerasModel, kept: Mapping[str, Form]) -> list[str]:
    """Return the layers of a clustered model whose clusters no form keeps; TFMOT has forms for Conv2D and Dense."""
    lost = []
    for layer in model.layers:
        if layer.name not in kept and sparse_kernel(layer) and _few_values(kernel(layer)):
            lost.append(layer.name)
    return lost


def apply(
    model: KerasModel, handling: Mapping[str, Handling], kept: Mapping[str, Form], weight_bits: int = INT8
) -> KerasModel:
    """Return the model with quantize wrappers; layer names stay.

    Args:
        model: a flat functional tf_keras model that `qat_preflight` has prepared; left as it is.
        handling: by layer.
        kept: the collaborative form, by layer.
        weight_bits: of the kernels that `narrowed` names; the others have 8. Keras keeps no other number than 8 in a
            file.

    Raises:
        ConversionError: a layer cannot be taken apart and made again.
    """
    keras = tfmot().quantization.keras
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_configs as configs,
    )

    def annotate(layer: KerasLayer) -> list[Part] | None:
        if handling[layer.name] is Handling.CALIBRATED:
            return None
        config = configs.Default8BitOutputQuantizeConfig() if handling[layer.name] is Handling.OUTPUT else None
        return [Part(keras.quantize_annotate_layer(clone(layer), config), layer.get_weights())]

    try:
        with quiet(), scope(model):
            return keras.quantize_apply(
                rebuild(model, annotate), _scheme(kept, weight_bits), quantized_layer_name_prefix=""
            )
    except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:  # whatever TFMOT and Keras raise
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ConversionError(
            f"TFMOT cannot make model `{model.name}` fit for quantization-aware training: {reason.strip()[:300]}",
            "if it names a layer of your own or a Lambda, replace that by layers of Keras",
            code="qat-model-unfit",
        ) from error


def input_quantizers(quantized: KerasModel) -> list[KerasLayer]:
    """Return the layers with which TFMOT quantizes the inputs of a model, in their order."""
    return [layer for layer in quantized.layers if type(layer).__name__ == "QuantizeLayer"]


def _few_values(values: Array) -> bool:
    """Whether a kernel is clustered: trained weights that are not zero hardly ever repeat."""
    nonzero = values[values != 0]
    distinct = len(np.unique(nonzero))
    return distinct <= MAX_DISTINCT and distinct < 0.9 * nonzero.size


def _scheme(kept: Mapping[str, Form], weight_bits: int) -> KerasObject:
    """Return TFMOT's default 8-bit scheme, with the corrections that the module's docstring names."""
    default = tfmot().quantization.keras.default_8bit

    class Layout:
        """The default layout transform, then every kernel's configuration set right."""

        def apply(self, model: KerasModel, configs: LayerMetadata) -> tuple[KerasModel, LayerMetadata]:
            with _float_inputs_alone():
                model, configs = _named(*default.Default8BitQuantizeLayoutTransform().apply(model, configs))
            for layer in model.layers:
                if layer.name in configs and kernel_configuration(layer):
                    config = configs[layer.name].get("quantize_config")
                    config = _config(layer, config, kept.get(layer.name))
                    configs[layer.name]["quantize_config"] = _of_bits(layer, config, weight_bits)
            return model, configs

    class Scheme(default.Default8BitQuantizeScheme):  # type: ignore[misc,name-defined]
        def get_layout_transformer(self) -> Layout:
            return Layout()

    return Scheme()


@contextlib.contextmanager
def _float_inputs_alone() -> Iterator[None]:
    """Let TFMOT quantize floating-point inputs; it would quantize indices, too."""
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_transforms as transforms,
    )
    from tensorflow_model_optimization.python.core.quantization.keras.graph_transformations.transforms import (
        LayerPattern,
    )

    before = transforms.InputLayerQuantize.pattern
    transforms.InputLayerQuantize.pattern = lambda _: LayerPattern("InputLayer", {"dtype": "float.*"})
    try:
        yield
    finally:
        transforms.InputLayerQuantize.pattern = before


def _named(model: KerasModel, configs: LayerMetadata) -> tuple[KerasModel, LayerMetadata]:
    """Name the input quantizers by their order; TFMOT numbers them through the process, which shows in the file."""
    names = {layer.name: f"quantize_input_{number}" for number, layer in enumerate(input_quantizers(model))}

    def rename(layer: KerasLayer) -> list[Part] | None:
        return [Part(clone(layer, name=names[layer.name]))] if layer.name in names else None

    return rebuild(model, rename), {names.get(name, name): config for name, config in configs.items()}


def narrowed(layer: KerasLayer) -> bool:
    """Return whether the int4 schemes may hold a layer's kernel in 4 bits; depthwise and transposed ones stay int8."""
    narrow = kernel_configuration(layer) in ("conv", "dense") and not type(layer).__name__.endswith("Transpose")
    return narrow and kernel(layer).size >= MIN_WEIGHTS


def _of_bits(layer: KerasLayer, config: KerasObject, bits: int) -> KerasObject:
    """Return TFMOT's configuration of a layer with so many bits a weight; None is its default."""
    if bits == INT8 or not narrowed(layer):
        return config
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    config = config or registry.Default8BitQuantizeRegistry().get_quantize_config(layer)
    config.weight_quantizer.num_bits = bits
    return config


def _config(layer: KerasLayer, config: KerasObject, form: Form | None) -> KerasObject:
    """Return how TFMOT quantizes one convolution or dense layer; None is its default."""
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_configs,
    )
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    combine = tfmot().experimental.combine
    before_relu = isinstance(config, default_8bit_quantize_configs.NoOpQuantizeConfig)
    activations = [] if before_relu else ["activation"]
    if kernel_configuration(layer) == "depthwise":
        return depthwise_config()(["depthwise_kernel"], activations, False)
    if before_relu:
        dense = kernel_configuration(layer) == "dense"
        make = registry.Default8BitQuantizeConfig if dense else registry.Default8BitConvQuantizeConfig
        config = make(["kernel"], activations, False)
    if form is None:
        return config
    config = config or registry.Default8BitQuantizeRegistry().get_quantize_config(layer)
    if form is Form.SPARSE:
        sparse = combine.Default8BitPrunePreserveQuantizeScheme().get_quantize_registry()
        return sparse.apply_sparsity_preserve_quantize_config(layer, config)
    scheme = combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=form is Form.BOTH)
    return scheme.get_quantize_registry().apply_cluster_preserve_quantize_config(layer, config)
