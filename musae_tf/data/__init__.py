"""Datasets: sources of songs, the on-disk dataset, its split, and the batches that training reads.

Importing this package loads no TensorFlow; `musae_tf.data.pipeline.tf_dataset` does when it is called.
"""

from musae_tf.data.band.songs import BandSource
from musae_tf.data.build import Summary, build
from musae_tf.data.corpus import CorpusSource
from musae_tf.data.dataset import Dataset, PhraseIndex
from musae_tf.data.folder import FolderSource
from musae_tf.data.info import describe
from musae_tf.data.jsb import JsbSource
from musae_tf.data.lakh import LmdSource, LpdSource
from musae_tf.data.pipeline import TrainingBatches, held_out_phrases, tf_dataset
from musae_tf.data.pop909 import Pop909Source
from musae_tf.data.reader import Filters
from musae_tf.data.source import Piece, Rejection, Source

__all__ = [
    "BandSource",
    "CorpusSource",
    "Dataset",
    "Filters",
    "FolderSource",
    "JsbSource",
    "LmdSource",
    "LpdSource",
    "PhraseIndex",
    "Piece",
    "Pop909Source",
    "Rejection",
    "Source",
    "Summary",
    "TrainingBatches",
    "build",
    "describe",
    "held_out_phrases",
    "tf_dataset",
]
