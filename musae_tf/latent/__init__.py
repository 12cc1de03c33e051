"""Tools for the latent space: properties, attribute vectors, genre directions, lines, arcs and sweeps.

What is exported here needs numpy only; `musae_tf.latent.of_run` fits attribute vectors to a trained run.
"""

from musae_tf.latent.attributes import Attributes, fit_directions, genre_means
from musae_tf.latent.geometry import arc, line, sweep
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
    "Attributes",
    "arc",
    "attribute_names",
    "attribute_values",
    "fit_directions",
    "genre_means",
    "line",
    "phrase_properties",
    "sweep",
]
