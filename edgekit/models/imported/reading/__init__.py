"""From the operators of a file to the intermediate graph: one module a subject, one function an operator.

at.py              what such a function may look at
onnx.py            the table of ONNX's operators, and the reading of a whole graph
"""
