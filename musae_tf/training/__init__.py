"""The two-player training under `tf.distribute`, its curves, checkpoints and run folders."""

from musae_tf.training.cluster import Place
from musae_tf.training.logs import SOUND_RATE, read_log
from musae_tf.training.loop import Evaluation, train
from musae_tf.training.run import Run

__all__ = ["SOUND_RATE", "Evaluation", "Place", "Run", "read_log", "train"]
