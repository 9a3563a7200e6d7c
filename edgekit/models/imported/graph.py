"""The intermediate graph: typed operations on logical axes, whatever file they were read from.

Axes are those of the file, counted from 0, with the batch of 1 among them. Where an operation has channels, it says
which axis they are on; how a tensor is stored is the business of `edgekit.models.imported.lowering`. All sizes are
fixed, and weights are arrays, channels last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgekit.models.imported.operators import Operator, Shape
from edgekit.tasks.samples import Array

Pads = tuple[tuple[int, int], ...]
"""Values before and behind, of every spatial axis."""


@dataclass(frozen=True)
class Convolution:
    """Slides a kernel (*spatial, in / groups, out) over the axes that are neither batch nor channels."""

    kernel: Array
    bias: Array | None
    strides: Shape
    dilations: Shape
    pads: Pads
    groups: int
    channels: int


@dataclass(frozen=True)
class TransposedConvolution:
    """The gradient of a convolution, its kernel (*spatial, out, in); `pads` are cut off, `longer` is added behind."""

    kernel: Array
    bias: Array | None
    strides: Shape
    pads: Pads
    longer: Shape
    channels: int


@dataclass(frozen=True)
class Linear:
    """Multiplies the last axis with a kernel (in, out)."""

    kernel: Array
    bias: Array | None


@dataclass(frozen=True)
class BatchNormalization:
    """Scales and shifts every channel, by moving statistics."""

    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    epsilon: float
    channels: int


@dataclass(frozen=True)
class LayerNormalization:
    """Normalizes over the last axes, from `first` on; gamma and beta have their sizes."""

    first: int
    gamma: Array
    beta: Array | None
    epsilon: float


@dataclass(frozen=True)
class GroupNormalization:
    """Normalizes over groups of channels and all positions; gamma and beta are (channels,)."""

    groups: int
    gamma: Array
    beta: Array
    epsilon: float
    channels: int


@dataclass(frozen=True)
class Pooling:
    """Takes the largest value or the mean of windows.

    Attributes:
        beyond: how much further the last window of every axis reaches than pads do (`ceil_mode`); never counted.
        counts_pads: whether padded zeros count in a mean.
    """

    kind: Literal["max", "mean"]
    size: Shape
    strides: Shape
    pads: Pads
    beyond: Shape
    counts_pads: bool
    channels: int


@dataclass(frozen=True)
class Reduction:
    """Reduces axes to one value: `mean`, `sum`, `max`, `min`, `prod`, `l1`, `l2`, `sumsquare`, `logsumexp`."""

    kind: str
    axes: Shape
    keep: bool


@dataclass(frozen=True)
class Extreme:
    """The place of the largest or smallest value along an axis."""

    kind: Literal["max", "min"]
    axis: int
    keep: bool


@dataclass(frozen=True)
class Elementwise:
    """A function of every value by itself: a key of `edgekit.models.imported.lowering.activations.FUNCTIONS`."""

    kind: str
    options: tuple[float, ...] = ()


@dataclass(frozen=True)
class ParametricRelu:
    """Negative values times a slope, which broadcasts to the input."""

    slope: Array


@dataclass(frozen=True)
class Arithmetic:
    """Two tensors, one of which may be a constant, value by value, with broadcasting."""

    kind: str


@dataclass(frozen=True)
class Choose:
    """Values of the second input where the first is true, else of the third."""


@dataclass(frozen=True)
class Softmax:
    """Along an axis; its logarithm if `log`."""

    axis: int
    log: bool


@dataclass(frozen=True)
class Reshape:
    """The same values, row by row, in other axes."""

    shape: Shape


@dataclass(frozen=True)
class Permute:
    """Axes in another order."""

    order: Shape


@dataclass(frozen=True)
class Concatenate:
    """One behind the other along an axis."""

    axis: int


@dataclass(frozen=True)
class Slice:
    """Of every axis the values from `starts`, `sizes` of them, `steps` apart."""

    starts: Shape
    sizes: Shape
    steps: Shape


@dataclass(frozen=True)
class Pad:
    """Values around: `constant`, `reflect` or `edge`."""

    pads: Pads
    mode: str
    value: float


@dataclass(frozen=True)
class Resize:
    """Other spatial sizes: `nearest` or `linear`; `corners` aligned, or half pixels, or neither."""

    sizes: Shape
    mode: str
    corners: bool
    half_pixels: bool
    channels: int


@dataclass(frozen=True)
class DepthToSpace:
    """Channels to blocks of pixels; `split_first` if channels are numbered (block, block, channel), as in TFLite."""

    block: int
    split_first: bool
    channels: int


@dataclass(frozen=True)
class SpaceToDepth:
    """Blocks of pixels to channels, numbered (block, block, channel)."""

    block: int
    channels: int


@dataclass(frozen=True)
class MatrixProduct:
    """Multiplies two tensors over their last two axes, with broadcasting of the others."""


@dataclass(frozen=True)
class Lookup:
    """Rows of a constant table, by the numbers of the input."""

    table: Array


@dataclass(frozen=True)
class Take:
    """Places along an axis, one or several; a single number drops the axis."""

    places: Array
    axis: int


@dataclass(frozen=True)
class Expand:
    """Axes of size 1 repeated to a shape."""

    shape: Shape


@dataclass(frozen=True)
class Repeat:
    """The whole, several times along every axis."""

    times: Shape


@dataclass(frozen=True)
class Recurrent:
    """An LSTM or GRU over (steps, batch, features), one direction after the other.

    Attributes:
        kernels: (features, gates * units) of every direction, gates in the order of Keras.
        recurrent: (units, gates * units), likewise.
        biases: as the Keras layer takes them.
        reset_after: of a GRU, whether the reset gate comes behind the matrix product.
        backwards: of every direction.
    """

    kind: Literal["LSTM", "GRU"]
    kernels: tuple[Array, ...]
    recurrent: tuple[Array, ...]
    biases: tuple[Array, ...]
    reset_after: bool
    backwards: tuple[bool, ...]


Operation = (
    Convolution | TransposedConvolution | Linear | BatchNormalization | LayerNormalization | GroupNormalization
    | Pooling | Reduction | Extreme | Elementwise | ParametricRelu | Arithmetic | Choose | Softmax | Reshape | Permute
    | Concatenate | Slice | Pad | Resize | DepthToSpace | SpaceToDepth | MatrixProduct | Lookup | Take | Expand | Repeat
    | Recurrent
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One operation of the graph.

    Attributes:
        operation: what is computed.
        inputs: names of values and constants.
        outputs: names of values, empty where nobody reads one.
        of: the operator of the file, for messages and names.
    """

    operation: Operation
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    of: Operator


@dataclass(frozen=True)
class Graph:
    """A model.

    Attributes:
        inputs: names, in the order of the file.
        outputs: likewise.
        steps: in an order in which they can be computed.
        constants: inputs of steps that are known, by name.
        shapes: of all values and constants, by name.
        dtypes: likewise, NumPy's names.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]
    constants: Mapping[str, Array]
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, str]
