"""A player of the game: an optimizer and the variables that it moves."""

import keras
import tensorflow as tf


class Player:
    """Moves its own variables and no others: explicit lists, since toggling `trainable` is unguarded in Keras.

    Build it inside the scope of the strategy it will run under. The optimizer's slots are made here: those created
    later are lost by a restore.

    Args:
        optimizer: not yet built.
        variables: what it moves.
        learning_rate: at its highest.
        clip_norm: largest norm of the gradient; 0 for no limit.
        clip_value: largest value in it; 0 for no limit.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        variables: list,
        learning_rate: float,
        clip_norm: float = 0.0,
        clip_value: float = 0.0,
    ):
        self.optimizer = optimizer
        self.variables = variables
        self._learning_rate = learning_rate
        self._clip_norm, self._clip_value = clip_norm, clip_value
        optimizer.build(variables)

    def set_learning_rate(self, share: float) -> None:
        """Take a share of the full learning rate from now on."""
        self.optimizer.learning_rate = self._learning_rate * share

    def move(self, tape: tf.GradientTape, loss: tf.Tensor) -> tf.Tensor:
        """Make one move in the context of a replica, whose share of the loss this is.

        Returns:
            Norm of the gradient over all replicas, before it was clipped.
        """
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, [v.value for v in self.variables])]
        context = tf.distribute.get_replica_context()
        replicas = context.num_replicas_in_sync
        if replicas > 1:
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        norm = tf.linalg.global_norm(gradients)
        if self._clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm, use_norm=norm)
        if self._clip_value:
            gradients = [tf.clip_by_value(g, -self._clip_value, self._clip_value) for g in gradients]
        # The Keras optimizer sums over replicas once more; the clipping above needs the sum before that.
        self.optimizer.apply([g / replicas for g in gradients], self.variables)
        return norm
