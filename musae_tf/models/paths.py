"""Ways from one code to another."""

import tensorflow as tf

# Sine of an angle below which arc and line are the same in float32, and from one code to its opposite there is no arc.
_PARALLEL = 1e-3


def line(start: tf.Tensor, end: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """Points on the straight line between codes [B, D] at positions float32 [B], 0 the start and 1 the end."""
    return start + position[:, tf.newaxis] * (end - start)


def arc(start: tf.Tensor, end: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """The same on the great arc.

    Great arcs (Shoemake 1985) keep the usual distance of a Gaussian's draws from the origin: sin((1 - a) w) / sin(w)
    start + sin(a w) / sin(w) end with w the angle between them. Codes that point the same way or opposite ways lie on a
    line.
    """
    ahead = position[:, tf.newaxis]
    lengths = tf.norm(start, axis=-1, keepdims=True) * tf.norm(end, axis=-1, keepdims=True)
    product = tf.reduce_sum(start * end, axis=-1, keepdims=True)
    angle = tf.acos(tf.clip_by_value(tf.math.divide_no_nan(product, lengths), -1.0, 1.0))
    straight = tf.sin(angle) < _PARALLEL
    safe = tf.where(straight, 1.0, angle)
    forth, back = (tf.sin(share * safe) / tf.sin(safe) for share in (ahead, 1.0 - ahead))
    return tf.where(straight, 1.0 - ahead, back) * start + tf.where(straight, ahead, forth) * end


def inside(position: tf.Tensor) -> tf.Tensor:
    """0 at both ends of a way and beyond, 1 in its middle: float32 [B] to the same."""
    within = tf.clip_by_value(position, 0.0, 1.0)
    return 4.0 * within * (1.0 - within)
