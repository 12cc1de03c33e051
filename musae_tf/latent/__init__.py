"""Tools for the latent space: properties of phrases, and vectors along which a code has more of an attribute.

What is exported here needs numpy only; `musae_tf.latent.of_run` fits attribute vectors to a trained run.
"""

from musae_tf.latent.attributes import AttributeVectors, fit_directions
from musae_tf.latent.properties import (
    ATTRIBUTES,
    PROPERTIES,
    attribute_names,
    attribute_values,
    phrase_properties,
)

__all__ = [
    "ATTRIBUTES",
    "PROPERTIES",
    "AttributeVectors",
    "attribute_names",
    "attribute_values",
    "fit_directions",
    "phrase_properties",
]
