"""Adam as one operation a variable."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="musae_tf")
class FusedAdam(keras.optimizers.Adam):
    """The Adam of Keras, state and numbers, by TensorFlow's own kernel: one pass over memory where Keras makes ten."""

    def update_step(self, gradient, variable, learning_rate):
        """One variable's share of a move, called by Keras on the device that has the variable."""
        number = self._get_variable_index(variable)
        moments = (self._momentums[number].value, self._velocities[number].value)
        step = tf.cast(self.iterations + 1, variable.dtype)
        beta_1, beta_2 = (tf.constant(beta, variable.dtype) for beta in (self.beta_1, self.beta_2))
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
