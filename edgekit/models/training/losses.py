"""What training minimises for each kind of output, in probabilities and in logits alike.

Losses are computed from canonical outputs: log-probabilities where classes compete, logits where each value is a
probability of its own, and plain values otherwise. Log-probabilities are logits up to a constant, which a softmax
ignores.
"""

from __future__ import annotations

from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import Tensor
from edgekit.tasks.task import FOLLOWED, SOFTMAX, VALUES, Head

TINY = 1e-30


def canonical(outputs: Tensor, head: Head) -> Tensor:
    """Return log-probabilities, logits or values, of the outputs' shape."""
    tf = tensorflow()
    if head.kind in VALUES | FOLLOWED:
        return outputs
    if head.kind in SOFTMAX:
        return tf.nn.log_softmax(outputs) if head.logits else log_probabilities(outputs)
    return outputs if head.logits else log_probabilities(outputs) - log_probabilities(1 - outputs)


def log_probabilities(probabilities: Tensor) -> Tensor:
    """Return log p, finite where p underflowed."""
    tf = tensorflow()
    return tf.math.log(tf.maximum(probabilities, TINY))


def hard(y: Tensor, outputs: Tensor, head: Head) -> Tensor:
    """Return the loss towards labels, a tensor of shape (n,).

    Cross-entropy, averaged over positions or labels; for values the squared error, or what the model was compiled with.

    Args:
        y: labels, of the outputs' shape, or without its last axis where classes compete.
        outputs: of the model, float32 (n, ...).
        head: what they are.
    """
    tf = tensorflow()
    found = canonical(outputs, head)
    if head.kind in SOFTMAX:
        y = tf.reshape(tf.cast(y, tf.int32), tf.shape(found)[:-1])  # Keras gives a batch of classes a second axis
        picked = tf.gather(found, y, batch_dims=len(found.shape) - 1)
        return _mean(-picked)
    y = tf.reshape(tf.cast(y, tf.float32), tf.shape(found))
    if head.kind in VALUES | FOLLOWED:
        return _mean(tf_keras().losses.get(head.loss or "mean_squared_error")(y, found))
    return _mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=found))


def soft(teacher: Tensor, outputs: Tensor, head: Head, temperature: float) -> Tensor:
    """Return the loss towards a teacher's canonical outputs, a tensor of shape (n,).

    T^2 * KL(teacher || student), both softened by the temperature T (Hinton et al. 2015, arXiv 1503.02531), averaged
    over positions or labels; the squared error for values.
    """
    tf = tensorflow()
    student = canonical(outputs, head)
    if head.kind in VALUES | FOLLOWED:
        return _mean(tf.square(student - teacher))
    if head.kind in SOFTMAX:
        soft_teacher, soft_student = (tf.nn.log_softmax(v / temperature) for v in (teacher, student))
        return temperature**2 * _mean(tf.reduce_sum(tf.exp(soft_teacher) * (soft_teacher - soft_student), axis=-1))
    p = tf.sigmoid(teacher / temperature)
    cross = tf.nn.sigmoid_cross_entropy_with_logits(labels=p, logits=student / temperature)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=p, logits=teacher / temperature)
    return temperature**2 * _mean(cross - entropy)


def right(y: Tensor, outputs: Tensor, head: Head) -> Tensor:
    """Return the share of right decisions of each sample, a tensor of shape (n,)."""
    tf = tensorflow()
    if head.kind in SOFTMAX:
        found = tf.argmax(outputs, axis=-1)
        y = tf.reshape(tf.cast(y, tf.int64), tf.shape(found))
        return _mean(tf.cast(tf.equal(y, found), tf.float32))
    found = tf.cast(outputs > (0.0 if head.logits else 0.5), tf.float32)
    y = tf.reshape(tf.cast(y, tf.float32), tf.shape(found))
    return _mean(tf.cast(tf.equal(y, found), tf.float32))


def _mean(values: Tensor) -> Tensor:
    """Average over everything but the samples."""
    tf = tensorflow()
    return tf.reduce_mean(tf.reshape(values, (tf.shape(values)[0], -1)), axis=1)
