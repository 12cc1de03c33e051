"""The error of the studio."""

from musae_tf.errors import MusaeError


class StudioError(MusaeError):
    """Something that the page was asked for is impossible, or the studio cannot start."""
