"""A player of the game: an optimizer and the variables that it moves."""

from collections.abc import Sequence

import keras
import tensorflow as tf


class Player:
    """Moves its own variables and no others: explicit lists, since toggling `trainable` is unguarded in Keras.

    Build it inside the scope of the strategy it will run under. The optimizer's slots are made here: those created
    later are lost by a restore.

    Args:
        optimizer: a SummedAdam, not yet built.
        variables: what it moves.
        learning_rate: at its highest.
        clip_norm: largest norm of the gradient; 0 for no limit.
        clip_value: largest value in it; 0 for no limit.
        skip_norm: norm of a gradient above which the move is not made; 0 for no limit. It is never made with a gradient
            that is not finite.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        variables: list,
        learning_rate: float,
        clip_norm: float = 0.0,
        clip_value: float = 0.0,
        skip_norm: float = 0.0,
    ):
        self.optimizer = optimizer
        self.variables = variables
        self._learning_rate = learning_rate
        self._clip_norm, self._clip_value, self._skip_norm = clip_norm, clip_value, skip_norm
        optimizer.build(variables)

    def set_learning_rate(self, share: float) -> None:
        """Take a share of the full learning rate from now on."""
        self.optimizer.learning_rate = self._learning_rate * share

    def gradients(self, tape: tf.GradientTape, loss: tf.Tensor) -> list[tf.Tensor]:
        """The gradient of this replica's share of the loss: one tensor a variable."""
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, [v.value for v in self.variables])]

    def move(self, shares: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Make one move in the context of a replica, whose shares of the gradient these are.

        Returns:
            Norm of the gradient over all replicas before it was clipped, and whether the move was made: float32 and
            bool, scalars.
        """
        gradients, context = list(shares), tf.distribute.get_replica_context()
        if context.num_replicas_in_sync > 1:
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        norm = tf.linalg.global_norm(gradients)
        usable = tf.math.is_finite(norm)
        if self._skip_norm:
            usable &= norm <= self._skip_norm
        factor = tf.minimum(1.0, self._clip_norm / norm) if self._clip_norm else 1.0
        if self._clip_value:
            limit = self._clip_value / factor
            gradients = [tf.clip_by_value(gradient, -limit, limit) for gradient in gradients]
        # Not a number is the optimizer's sign to stand still.
        factor = tf.where(usable, factor, float("nan"))
        gradients = [factor * gradient for gradient in gradients]
        self.optimizer.apply(gradients, self.variables)
        return norm, usable
