"""What updates the weights: Adam on summed gradients, a group of variables with its limits, and two schedules."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from musae_tf.config import RegularisationConfig, TrainingConfig


@keras.saving.register_keras_serializable(package="musae_tf")
class SummedAdam(keras.optimizers.Adam):
    """The Adam of Keras, state and numbers, on gradients that all replicas have summed up already.

    `Adam.apply` would sum them itself, but the norm that they are clipped by is that of the sum, so the sum must come
    first; and whether an update is made at all is only known then. TensorFlow's own kernel updates a variable: one pass
    over memory where Keras makes ten.
    """

    def update(self, gradients: Sequence[tf.Tensor], usable: tf.Tensor, learning_rate: tf.Tensor) -> None:
        """Update all variables that it was built for, if the gradients are usable. Call it in the context of a replica.

        Args:
            gradients: one a variable, the same on every replica.
            usable: bool scalar, the same on every replica. Without it weights and moments stay as they are, while
                `iterations` goes on.
            learning_rate: float32 scalar.
        """
        context = tf.distribute.get_replica_context()
        # The condition is inside, since replicas cannot meet inside one.
        context.merge_call(self._update_on_all, args=(list(gradients), usable, learning_rate))
        self.iterations.assign_add(1)

    def _update_on_all(
        self, strategy: tf.distribute.Strategy, gradients: list[tf.Tensor], usable: tf.Tensor, learning_rate: tf.Tensor
    ) -> None:
        slots = zip(self._trainable_variables, self._momentums, self._velocities, gradients, strict=True)
        for variable, momentum, velocity, gradient in slots:
            arguments = (momentum.value, velocity.value, gradient, usable, learning_rate)
            strategy.extended.update(variable.value, self._update_one, args=arguments, group=False)

    def _update_one(
        self,
        variable: tf.Variable,
        momentum: tf.Variable,
        velocity: tf.Variable,
        gradient: tf.Tensor,
        usable: tf.Tensor,
        learning_rate: tf.Tensor,
    ) -> None:
        step = tf.cast(self.iterations + 1, variable.dtype)
        beta_1, beta_2 = (tf.constant(beta, variable.dtype) for beta in (self.beta_1, self.beta_2))

        def update() -> None:
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=momentum.handle,
                v=velocity.handle,
                beta1_power=tf.pow(beta_1, step),
                beta2_power=tf.pow(beta_2, step),
                lr=tf.cast(learning_rate, variable.dtype),
                beta1=beta_1,
                beta2=beta_2,
                epsilon=tf.constant(self.epsilon, variable.dtype),
                grad=gradient,
            )

        tf.cond(usable, update, lambda: None)


class OptimizerGroup:
    """An optimizer with its variables and no others: explicit lists, since toggling `trainable` is unguarded in Keras.

    Build it inside the scope of the strategy it will run under. The optimizer's slots are made here: those created
    later are lost by a restore.

    Args:
        optimizer: not yet built.
        variables: what it updates.
        clip_norm: largest norm of the gradient; 0 for no limit.
        clip_value: largest value in it; 0 for no limit.
        skip_norm: norm of a gradient above which no update is made; 0 for no limit. None is ever made with a gradient
            that is not finite.
    """

    def __init__(
        self,
        optimizer: SummedAdam,
        variables: list[keras.Variable],
        clip_norm: float = 0.0,
        clip_value: float = 0.0,
        skip_norm: float = 0.0,
    ):
        self.optimizer = optimizer
        self.variables = variables
        self._clip_norm, self._clip_value, self._skip_norm = clip_norm, clip_value, skip_norm
        optimizer.build(variables)

    def gradients(self, tape: tf.GradientTape, loss: tf.Tensor) -> list[tf.Tensor]:
        """The gradient of this replica's share of the loss: one tensor a variable."""
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, [v.value for v in self.variables])]

    def update(self, shares: Sequence[tf.Tensor], rate: Any = 1.0) -> tuple[tf.Tensor, tf.Tensor]:
        """Make one update in the context of a replica.

        Args:
            shares: this replica's shares of the gradient.
            rate: share of the optimizer's learning rate to take.

        Returns:
            Norm of the gradient over all replicas before it was clipped, and whether the update was made: float32 and
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
        gradients = [factor * gradient for gradient in gradients]
        self.optimizer.update(gradients, usable, rate * tf.convert_to_tensor(self.optimizer.learning_rate))
        return norm, usable


def learning_rate_schedule(config: TrainingConfig) -> keras.optimizers.schedules.LearningRateSchedule:
    """Share of the full learning rates by the number of a step, from 1: warm-up, then a half cosine down.

    Called with the step and not set in an optimizer, which would count its own updates: the critic makes several a
    step, and the rates of both players have to fall together.
    """
    return keras.optimizers.schedules.CosineDecay(
        0.0 if config.warmup_steps else 1.0,
        max(1, config.steps - config.warmup_steps),
        config.final_learning_rate,
        warmup_target=1.0 if config.warmup_steps else None,
        warmup_steps=config.warmup_steps,
    )


def regularisation_weight(config: RegularisationConfig, step: tf.Tensor) -> tf.Tensor:
    """Weight of the adversarial or KL term at a step, an int64 scalar, from 0: float32 scalar."""
    steps, weights = (list(column) for column in zip(*config.weight_schedule, strict=True))
    at = tf.searchsorted(tf.constant(steps, tf.int64), [step], side="right")[0] - 1
    after = tf.minimum(at + 1, len(steps) - 1)
    before_weight, after_weight = (tf.gather(tf.constant(weights, tf.float32), number) for number in (at, after))
    if config.interpolation == "step":
        return before_weight
    first, last = (tf.cast(tf.gather(tf.constant(steps, tf.int64), number), tf.float32) for number in (at, after))
    share = tf.math.divide_no_nan(tf.cast(step, tf.float32) - first, last - first)
    return before_weight + share * (after_weight - before_weight)
