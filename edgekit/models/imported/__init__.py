"""Graphs that were made elsewhere, rebuilt as tf_keras models: one intermediate graph, one reader a format.

    file --(a child process)--> operators.py --(reading/)--> graph.py --(lowering/)--> tf_keras model --> proof.py

operators.py   the operators of a file, constants folded and shapes known; what crosses the process
folding.py     how they come about from an ONNX file, in the child
patterns.py    decompositions recognised: HardSwish, SiLU, GELU, Mish, LayerNormalization
graph.py       the intermediate graph: typed operations on logical axes
reading/       from a file's operators to the intermediate graph: one function an operator
lowering/      from the intermediate graph to layers, channels last: one function an operation
proof.py       the outputs are those of the file's own runtime, or the first operator that differs is named
importing.py   all of it, for the pipeline
tflite_operators.py   a .tflite file as plain operators, likewise in the child
torch_module.py       a PyTorch module in memory as an ONNX file
torch_program.py      a program of torch.export, read strictly; torch_program_export.py: it as an ONNX file

The graph is that of one sample: a batch of 1. What it does to an axis of size 1 it does to each sample by itself, so
the layers do it to any batch.
"""
