"""Names for what TensorFlow, Keras and h5py hand over, which have no types that mypy could read.

Each stands for `Any`, so nothing is checked behind it: it names what a value is, and an operation on it is the
framework's. What edgekit makes of such a value and passes on between rooms has a type of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Framework = Any
"""An imported package: TensorFlow, Keras 2 or 3, TensorFlow Model Optimization."""
KerasModel = Any
"""A model of Keras 2 (`tf_keras`) or Keras 3."""
KerasLayer = Any
"""A layer of Keras 2 or 3; a model inside a model is one, too."""
KerasNode = Any
"""One call of a layer in a functional model."""
KerasClass = Any
"""A class of Keras: of layers, of models, of regularizers."""
ConfigValue = Any
"""A value inside a configuration of Keras: numbers, texts, lists and tables of them."""
KerasConfig = dict[str, ConfigValue]
"""What `get_config` returns, or a file stores: the keys are those of the class."""
KerasObject = Any
"""Anything that Keras makes of a configuration: an optimizer, a loss, an initializer, a callback."""
Tensor = Any
"""A tensor, with values or symbolic, of TensorFlow or Keras."""
Tensors = Any
"""Tensors in the structure that a model takes or returns: one, or a tuple, list or dictionary of them."""
SymbolicTensor = Any
"""A tensor without values, with name, shape and dtype: TensorFlow's `TensorSpec`, or an input of Keras."""
TensorFunction = Callable[[list[Tensor]], list[Tensor]]
"""A model as a function: of a list of inputs, returns a list of outputs."""
Operation = Any
"""An operation of a TensorFlow graph."""
Variable = Any
"""A variable of TensorFlow or Keras: a weight."""
Function = Any
"""A function or signature of TensorFlow, traced."""
Converter = Any
"""A converter of TensorFlow Lite."""
Message = Any
"""A protocol buffer of TensorFlow: a graph, a node, the description of a SavedModel."""
Hdf5Group = Any
"""A file of h5py, or a group or data set in it."""
Method = Callable[..., Any]
"""A method of a framework that edgekit replaces for a while."""
Arguments = tuple[Any, ...]
"""Arguments of such a method, by place."""
Keywords = dict[str, Any]
"""Arguments of such a method, by name."""
