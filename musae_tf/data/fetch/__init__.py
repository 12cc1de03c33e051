"""Public archives of music: downloaded with care, checked, and unpacked safely."""

from musae_tf.data.fetch.archives import COLLECTIONS, Archive, Collection
from musae_tf.data.fetch.download import download
from musae_tf.data.fetch.fetch import describe_collection, fetch
from musae_tf.data.fetch.unpack import Limits, unpack

__all__ = ["COLLECTIONS", "Archive", "Collection", "Limits", "describe_collection", "download", "fetch", "unpack"]
