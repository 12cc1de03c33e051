"""Training under `tf.distribute`: the loop, its curves, checkpoints and run folders."""

from musae_tf.training.checkpoints import SOUND_RATE, read_log
from musae_tf.training.distribute import Place
from musae_tf.training.run import Run
from musae_tf.training.trainer import Evaluation, train

__all__ = ["SOUND_RATE", "Evaluation", "Place", "Run", "read_log", "train"]
