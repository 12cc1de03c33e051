"""Ways from one code to another."""

import tensorflow as tf

# Sine of an angle below which arc and line are the same in float32, and from one code to its opposite there is no arc.
_PARALLEL = 1e-3


def between(start: tf.Tensor, end: tf.Tensor, position: tf.Tensor, lift: float | tf.Tensor) -> tf.Tensor:
    """Points between codes, float32 [B, D], from the straight line to the great arc.

    Great arcs (Shoemake 1985) keep the usual distance of a Gaussian's draws from the origin: sin((1 - a) w) / sin(w)
    start + sin(a w) / sin(w) end with w the angle between them. Codes that point the same way or opposite ways lie on a
    line.

    Args:
        start: float32 [B, D].
        end: float32 [B, D].
        position: float32 [B], 0 the start and 1 the end.
        lift: 0 for the line, 1 for the arc, and between; of all rows, or float32 [B, 1].
    """
    ahead = position[:, tf.newaxis]
    line = start + ahead * (end - start)
    if isinstance(lift, float) and lift == 0:
        return line
    lengths = tf.norm(start, axis=-1, keepdims=True) * tf.norm(end, axis=-1, keepdims=True)
    product = tf.reduce_sum(start * end, axis=-1, keepdims=True)
    angle = tf.acos(tf.clip_by_value(tf.math.divide_no_nan(product, lengths), -1.0, 1.0))
    straight = tf.sin(angle) < _PARALLEL
    safe = tf.where(straight, 1.0, angle)
    forth, back = (tf.sin(share * safe) / tf.sin(safe) for share in (ahead, 1.0 - ahead))
    arc = tf.where(straight, 1.0 - ahead, back) * start + tf.where(straight, ahead, forth) * end
    return arc if isinstance(lift, float) and lift == 1 else line + lift * (arc - line)
