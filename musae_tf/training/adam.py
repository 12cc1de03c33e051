"""Adam as the players use it: one operation a variable, on gradients that all replicas have summed up."""

import keras
import tensorflow as tf


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
