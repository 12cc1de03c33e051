"""The trained model that comes with the package: `musae sample --pretrained`."""

from musae_tf.pretrained.archive import has_pretrained, pretrained_run

__all__ = ["has_pretrained", "pretrained_run"]
