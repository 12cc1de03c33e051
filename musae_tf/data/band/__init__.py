"""The source `band`: songs over real groove files, rendered with the program mma. Drums, bass, guitar, strings."""

from musae_tf.data.band.source import BandItem, BandSource

__all__ = ["BandItem", "BandSource"]
