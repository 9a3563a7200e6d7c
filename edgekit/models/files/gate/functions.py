"""TensorFlow's register of public functions, in which Keras 2 looks up those that a graph records."""

from __future__ import annotations

from edgekit.frameworks.tensorflow import tf_keras


def canonical_name(symbol: str) -> str:
    """Return the one canonical name of the function that a public name stands for; the name itself if it is none.

    Args:
        symbol: below `tf.`, such as `math.add`, also of TensorFlow 1 (`compat.v1.nn.relu`) or below `keras.`.
    """
    tf_keras()
    from tensorflow.python.util import tf_export

    function = tf_export.get_symbol_from_name(symbol)
    if function is None:
        return symbol
    for api in ({}, {"api_name": "keras"}):
        name = tf_export.get_canonical_name_for_symbol(function, add_prefix_to_v1_names=True, **api)
        if name is not None:
            return str(name)
    return ""
