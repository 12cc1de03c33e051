"""Tools for the latent space: vectors along which a code has more of an attribute.

What is exported here needs numpy only; `musae_tf.latent.of_run` fits attribute vectors to a trained run.
"""

from musae_tf.latent.attributes import AttributeVectors, fit_directions

__all__ = [
    "AttributeVectors",
    "fit_directions",
]
