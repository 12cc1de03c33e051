"""The networks, the prior and the losses of MusAE, in Keras and TensorFlow Probability."""

from musae_tf.models.musae import MusAE
from musae_tf.models.prior import FittedPrior, GenrePrior, MixturePrior, StylePrior

__all__ = ["FittedPrior", "GenrePrior", "MixturePrior", "MusAE", "StylePrior"]
