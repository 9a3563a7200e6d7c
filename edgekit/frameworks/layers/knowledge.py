"""The questions that every layer class answers, and the kinds of answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

BOTH, KERAS_2, KERAS_3 = (2, 3), (2,), (3,)
"""Generations of Keras that have a class."""


@dataclass(frozen=True)
class No:
    """Not supported, and why: an answer like any other.

    Attributes:
        why: completes "`kernel` (Conv2D): ...".
    """

    why: str


class Role(StrEnum):
    """What a class is for. Techniques ask for roles where all classes of a role are treated alike."""

    DENSE = "dense"
    CONVOLUTION = "convolution"
    DEPTHWISE = "depthwise convolution"
    SEPARABLE = "separable convolution"
    TRANSPOSED = "transposed convolution"
    WEIGHTED = "other layer with weights"
    RECURRENT = "recurrent"
    CELL = "recurrent cell"
    NORMALIZATION = "normalization"
    ACTIVATION = "activation"
    ATTENTION = "attention"
    POOLING = "pooling"
    SHAPE = "shape"
    MERGE = "merge"
    REGULARIZATION = "regularization"
    AUGMENTATION = "augmentation"
    PREPROCESSING = "preprocessing"
    WRAPPER = "wrapper"
    CODE = "code"
    BASE = "base class"


@dataclass(frozen=True)
class ToKeras2:
    """A Keras 3 layer becomes a Keras 2 layer by its configuration.

    Attributes:
        rename: Keras 3 key to Keras 2 key.
        ignore: keys without a meaning in Keras 2 or at inference, dropped whatever their value.
        keep: keys that Keras 2 accepts without naming them in a signature.
        build: a key of `edgekit.models.bridge.layers.BUILDERS`, where the configuration alone is not enough.
        copy_weights: whether the variables correspond one to one.
        kind: the Keras 2 class, if it has another name.
    """

    rename: tuple[tuple[str, str], ...] = ()
    ignore: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    build: str = ""
    copy_weights: bool = True
    kind: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A Keras 3 layer that does nothing at inference, so that the Keras 2 model has none in its place."""


@dataclass(frozen=True)
class ToKeras3:
    """A Keras 2 layer becomes a Keras 3 layer by the same configuration, read from right to left.

    Attributes:
        build: a key of `edgekit.models.bridge.unbridge_layers.BUILDERS`, where the configuration is not enough.
        one_axis: Keras 2 writes a list of one axis, Keras 3 takes the axis.
        joined_states: Keras 2 passes initial states in one list with the sequence.
    """

    build: str = ""
    one_axis: bool = False
    joined_states: bool = False


@dataclass(frozen=True)
class Sparse:
    """Weight pruning and clustering work on a kernel of the layer.

    Attributes:
        kernel: name of the attribute.
        two_of_four: TFMOT prunes it in the pattern 2:4, too.
    """

    kernel: str
    two_of_four: bool = False


class Handling(StrEnum):
    """What quantization-aware training does with a layer."""

    TRAINED = "trained"
    """TFMOT's own way: weights and output are fake-quantized."""
    OUTPUT = "output"
    """The output is fake-quantized; weights, if any, are quantized when the file is made."""
    CALIBRATED = "calibrated"
    """Nothing is simulated; the file gets its ranges from the calibration samples."""


@dataclass(frozen=True)
class Qat:
    """How quantization-aware training takes a layer.

    Attributes:
        handling: of Keras's own class; a subclass is calibrated.
        rewrite: a key of `edgekit.techniques.qat_preflight.REWRITES`: how the layer is rewritten first.
        kernel: which of TFMOT's configurations its kernel has: `conv`, `dense` or `depthwise`; empty if none. A
            BatchNormalization that follows is trained as part of such a layer; kernels of `conv` and `dense` keep zeros
            and clusters.
    """

    handling: Handling
    rewrite: str = ""
    kernel: str = ""


class Loop(StrEnum):
    """Whether TensorFlow makes a loop (WHILE) of a layer, on which its quantizer crashes."""

    NONE = "no loop"
    FUSED = "one operator"
    """An operator of its own, unless it is masked, read backwards or has other activations: then unrolled, too."""
    UNROLLED = "unrolled"
    """Every step is written out, which needs a fixed number of steps."""
    NEVER = "cannot be unrolled"
    INSIDE = "as the layer inside"


class Acts(StrEnum):
    """When a layer does something."""

    ALWAYS = "always"
    TRAINING = "in training only"
    DIFFERENTLY = "otherwise in training"


class Values(StrEnum):
    """What a layer does with the values of its input, at inference; what data lint sees before the first weights."""

    KEEPS = "keeps the range"
    MOVES = "moves values"
    """Each value is at one place of the output."""
    DROPS = "drops values"
    """Each value is at one place of the output, or at none."""
    REPEATS = "repeats values"
    SCALES = "factor and offset"
    NORMALIZES = "normalizes"
    LOOKS_UP = "looks up rows"
    ENCODES = "encodes categories"
    COMPUTES = "computes others"


class Scale(StrEnum):
    """Whether a factor and a shift a channel may be moved from behind a layer to before it."""

    NO = "no"
    PASSES = "yes"
    POSITIVE = "a positive factor"
    NO_SHIFT = "a factor"
    HOMOGENEOUS = "a positive factor, if the activation lets it pass"


class Int8(StrEnum):
    """How a layer computes in an int8 .tflite file."""

    YES = "int8"
    PARTLY = "partly float"
    """TFLite has no int8 form of some of its operators."""
    FLOAT = "float"
    """TFLite has no int8 form of its operator."""
    NO = "no int8 file"
    """TFLite has no operator for it, or it is a loop that cannot be unrolled."""
    INSIDE = "as the layer inside"
    UNTRIED = "not tried"
    """Not bridged from Keras 3, and not tried with Keras 2."""


@dataclass(frozen=True)
class Export:
    """What the exporters and the rewrites before them need to know.

    Attributes:
        int8: how the layer computes in an int8 .tflite file.
        folds_norm: TensorFlow's converter folds a BatchNormalization that follows into it.
        scale: see `Scale`.
        affine: a key of `edgekit.export.rewrites.affine.LAYERS`, if it computes factor * x + shift; else empty.
    """

    int8: Int8
    folds_norm: bool = False
    scale: Scale = Scale.NO
    affine: str = ""


@dataclass(frozen=True)
class LayerKnowledge:
    """The answers of one layer class. No answer has a default: a new row answers everything.

    Attributes:
        keras: generations that have the class.
        role: what it is for.
        bridge: how Keras 3 becomes Keras 2.
        back: how Keras 2 becomes Keras 3.
        channels: a key of `edgekit.techniques.channels.rules.FLOWS`: how channels pass through it, for channel pruning.
        kernels: names of its weights that are kernels: pruning keeps their zeros.
        sparse: how weight pruning and clustering take it.
        qat: how quantization-aware training takes it.
        loop: whether it is a loop in TensorFlow.
        acts: in training, at inference, or both.
        values: what it does with the values of its input.
        export: what exporters need to know.
        file: whether a model file may hold it without `--allow-unsafe`; checked against the allow list.
    """

    keras: tuple[int, ...]
    role: Role
    bridge: ToKeras2 | LeftOut | No
    back: ToKeras3 | No
    channels: str | No
    kernels: tuple[str, ...]
    sparse: Sparse | No
    qat: Qat
    loop: Loop
    acts: Acts
    values: Values
    export: Export
    file: bool | No


Rows = dict[str, LayerKnowledge]

NO_KERAS_2 = No("this layer has no Keras 2 form here")
NO_KERAS_3 = No("this layer has no Keras 3 form here")
NOT_FOLLOWED = No("whose way with channels is not known")
OTHERS = No("which sets every channel against the others")
OF_THE_INPUT = No("which prepares the model's input")
NO_KERNEL = No("it has no kernel")
UNTRIED = No("edgekit has not tried it with TFMOT")
CALIBRATED = Qat(Handling.CALIBRATED)
OUTPUT = Qat(Handling.OUTPUT)
TRAINED = Qat(Handling.TRAINED)


def each(names: str, row: LayerKnowledge) -> Rows:
    """Return one row for several classes; `Conv#D` is Conv1D, Conv2D and Conv3D."""
    return dict.fromkeys(_numbered(names), row)


def _numbered(names: str) -> Iterator[str]:
    for name in names.split():
        yield from (name.replace("#", size) for size in "123") if "#" in name else (name,)
