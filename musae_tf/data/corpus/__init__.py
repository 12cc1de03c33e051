"""The source `corpus`: scores of the music21 package, read bar by bar so that the voices stay in step."""

from musae_tf.data.corpus.source import CorpusItem, CorpusSource

__all__ = ["CorpusItem", "CorpusSource"]
