"""A player's optimizer: Adam, the variables that it moves, and the curves of learning rate and weight."""

import bisect
import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from musae_tf.config import RegularisationConfig, TrainingConfig


@keras.saving.register_keras_serializable(package="musae_tf")
class SummedAdam(keras.optimizers.Adam):
    """The Adam of Keras, state and numbers, but for three things.

    TensorFlow's own kernel moves a variable: one pass over memory where Keras makes ten. Gradients are taken as they
    are, the same on every replica: Keras would sum them over the replicas itself, but the norm that they are clipped by
    is that of the sum, so the sum must come first. And a gradient whose first number is not finite leaves its variable
    and its moments as they are; only weight decay goes on.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return list(grads_and_vars)

    def update_step(self, gradient, variable, learning_rate):
        """One variable's share of a move, called by Keras on the device that has the variable."""
        number = self._get_variable_index(variable)
        moments = (self._momentums[number].value, self._velocities[number].value)
        step = tf.cast(self.iterations + 1, variable.dtype)
        beta_1, beta_2 = (tf.constant(beta, variable.dtype) for beta in (self.beta_1, self.beta_2))

        def move() -> None:
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=moments[0].handle,
                v=moments[1].handle,
                beta1_power=tf.pow(beta_1, step),
                beta2_power=tf.pow(beta_2, step),
                lr=tf.cast(learning_rate, variable.dtype),
                beta1=beta_1,
                beta2=beta_2,
                epsilon=tf.constant(self.epsilon, variable.dtype),
                grad=gradient,
            )

        tf.cond(tf.math.is_finite(tf.reshape(gradient, [-1])[0]), move, lambda: None)


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


def learning_rate_share(config: TrainingConfig, step: int) -> float:
    """Share of the full learning rate at a step: linear warm-up, then a half cosine down to `final_learning_rate`."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return config.final_learning_rate + (1 - config.final_learning_rate) * cosine


def regularisation_weight(config: RegularisationConfig, step: int) -> float:
    """Weight of the adversarial term at a step."""
    steps = [point for point, _ in config.points]
    weights = [weight for _, weight in config.points]
    at = bisect.bisect_right(steps, step) - 1
    if config.between == "step" or at == len(steps) - 1:
        return weights[at]
    share = (step - steps[at]) / (steps[at + 1] - steps[at])
    return weights[at] + share * (weights[at + 1] - weights[at])
