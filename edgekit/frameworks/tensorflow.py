"""The only door to TensorFlow and Keras.

TensorFlow Model Optimization works on Keras 2 (`tf_keras`) models, so edgekit runs TensorFlow with
`TF_USE_LEGACY_KERAS=1`, which must be set before TensorFlow is imported. Importing takes seconds:
every function that needs it calls `tensorflow()` or `tf_keras()` when it runs, never at import time.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from edgekit.errors import EdgekitError, MissingExtraError
from edgekit.files.temporary import claim
from edgekit.frameworks.types import Framework


def set_environment() -> None:
    """Set what TensorFlow and Keras read when they are imported, be it here or by code of the user's."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@cache
def tensorflow() -> Framework:
    """Import TensorFlow, quietly, with Keras 2 behind `tf.keras`.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        EdgekitError: something imported TensorFlow earlier with Keras 3 behind it.
    """
    import logging

    set_environment()
    claim()
    try:
        with quiet(), _kept():
            import tensorflow as tf

            keras = tf.keras  # is imported when it is asked for
    except ImportError as error:
        raise MissingExtraError("this command", "compress", str(error)) from error
    if not keras.__name__.startswith(("tf_keras", "keras.api._v2")) and keras.__version__.startswith("3"):
        raise EdgekitError(
            "TensorFlow was imported before edgekit, with Keras 3 behind `tf.keras`",
            "import edgekit first, or set TF_USE_LEGACY_KERAS=1 before the first `import tensorflow`",
            code="keras3-behind-tensorflow",
        )
    tf.get_logger().setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
    return tf


@cache
def tf_keras() -> Framework:
    """Import Keras 2 (`tf_keras`)."""
    tensorflow()
    try:
        with quiet(), _kept():
            import tf_keras as module
    except ImportError as error:
        raise MissingExtraError("this command", "compress", str(error)) from error
    # Random layers with a state of their own, which training sets for every epoch.
    module.backend.experimental.enable_tf_random_generator()
    if not tensorflow().config.list_physical_devices("GPU"):
        _without_gpu_twins(module)
    return module


def _without_gpu_twins(keras: Framework) -> None:
    """Let LSTM and GRU layers be called without their implementations for a GPU, on a machine that has none.

    For each call Keras 2 also traces the layer as cuDNN computes it, and that one's gradients, in case the graph runs
    on a GPU: half of the time that building such a model takes.
    """
    keras.src.layers.rnn.gru_lstm_utils.function_register = lambda *_, **__: None


@cache
def keras3() -> Framework:
    """Import Keras 3 (`keras`) on the TensorFlow backend; it lives beside `tf_keras` in one process."""
    tensorflow()
    try:
        with quiet(), _kept():
            import keras as module
    except ImportError as error:
        raise MissingExtraError("reading a Keras 3 file", "compress", str(error)) from error
    return module


@cache
def tfmot() -> Framework:
    """Import TensorFlow Model Optimization, which works on `tf_keras` models."""
    tf_keras()
    try:
        # It looks for a module of Keras 2 in Keras 3, in vain, which would take seconds to load.
        with quiet(), _kept(), no_keras3_yet():
            import tensorflow_model_optimization as module
    except ImportError as error:
        raise MissingExtraError("this stage", "compress", str(error)) from error
    return module


def has_keras3() -> bool:
    """Return whether something has imported Keras 3, so that there can be objects of it."""
    return sys.modules.get("keras") is not None


@contextmanager
def no_keras3_yet() -> Iterator[None]:
    """Refuse `import keras` meanwhile, unless something has imported it already."""
    absent = "keras" not in sys.modules
    if absent:
        sys.modules["keras"] = None  # type: ignore[assignment]  # as the import system has it
    try:
        yield
    finally:
        if absent:
            del sys.modules["keras"]


@contextmanager
def _kept() -> Iterator[None]:
    """Import what stays until the process ends, out of sight of Python's garbage collector.

    TensorFlow is a million objects, and each of the collector's full rounds, of which training and export cause
    dozens, would look through them.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was:
            gc.enable()


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, and ask TensorFlow for deterministic kernels."""
    tf_keras().utils.set_random_seed(seed)
    tensorflow().config.experimental.enable_op_determinism()


@contextmanager
def quiet() -> Iterator[None]:
    """Swallow warnings and native output to file descriptor 2; if the block raises, attach the tail as a note.

    TensorFlow's converter prints dozens of lines that no user can act on, past Python's logging.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except Exception as error:
            sink.seek(0)
            tail = sink.read().decode("utf-8", "replace").strip()[-2000:]
            if tail:
                error.add_note(f"native output: {tail}")
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
