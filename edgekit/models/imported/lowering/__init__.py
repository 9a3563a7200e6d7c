"""From the intermediate graph to layers of tf_keras: one module a subject, one function an operation.

value.py       a tensor with the place of every logical axis in it
builder.py     layers by name, and tensors in the layout that an operation wants, transposed only if need be
lower.py       the table of operations, and the building of a whole model
layout.py      whether an input's channels come first in the file
"""
