"""The gate in front of Keras: what a model file may name, and what it may cost, decided before Keras sees it.

symbols.py           what may be named: layers, operations, functions, each by its exact name
configuration.py     a model's configuration, checked and rewritten so that every name means what is listed
graph.py             the calls of a functional model, put in an order in which they can be made
hdf5.py              HDF5 files that hold their own bytes, and no more than the file has
archive.py           `.keras` archives, likewise
folder.py            SavedModel folders without links that leave them
graph_operations.py  operations of TensorFlow graphs that compute, and nothing else
budget.py            what building a model may allocate
"""
