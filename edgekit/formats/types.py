"""Names for what onnx and the FlatBuffers library hand over, which have no types that mypy could read.

Each stands for `Any`, so nothing is checked behind it: it names what a value is.
"""

from __future__ import annotations

from typing import Any

OnnxModel = Any
"""A `ModelProto`."""
OnnxGraph = Any
"""A `GraphProto`: of the model, or the body of a loop or a branch."""
OnnxNode = Any
"""A `NodeProto`: an operator with its inputs, outputs and attributes."""
OnnxTensor = Any
"""A `TensorProto`: a constant, or a `SparseTensorProto` where the text says so."""
OnnxValue = Any
"""A `ValueInfoProto`: name, type and shape of an input, an output or a value between."""
OnnxMessage = Any
"""Any protocol buffer of onnx."""
Table = Any
"""A table of a FlatBuffer, read in place: an object of a generated class such as `Tensor`."""
TfliteModel = Any
"""A whole `.tflite` unpacked into objects that can be changed: the generated `ModelT`."""
TfliteObject = Any
"""A part of a `TfliteModel`: a `SubGraphT`, an `OperatorT`, a `TensorT`."""
TfliteSchema = Any
"""The module of classes that are generated from TFLite's schema."""
Number = Any
"""A number as its field has it: an integer or floating point."""
OnnxSession = Any
"""An `onnxruntime.InferenceSession`."""
