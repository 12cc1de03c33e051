"""The state of a training run on disk."""

import shutil
from pathlib import Path

import tensorflow as tf

from musae_tf.errors import RunError


class Checkpoints:
    """Saves and restores the state of a run.

    Args:
        folder: where checkpoints are.
        keep: how many.
        state: what they hold, by name.
    """

    def __init__(self, folder: Path, keep: int, **state):
        self._folder = folder
        self._checkpoint = tf.train.Checkpoint(**state)
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(folder), max_to_keep=keep)

    def restore(self) -> bool:
        """Take the newest checkpoint, if there is one.

        Raises:
            RunError: it is that of another configuration.
        """
        newest = self._manager.latest_checkpoint
        if newest is None:
            return False
        try:
            self._checkpoint.restore(newest).assert_consumed()
        except (AssertionError, ValueError, tf.errors.OpError) as cause:
            reason = str(cause).splitlines()[0]
            raise RunError(f"checkpoint {newest} does not fit this run: {reason}") from None
        return True

    def save(self, step: int) -> None:
        """Write a checkpoint.

        Raises:
            RunError: the disk is full, or no writing is allowed.
        """
        try:
            self._manager.save(checkpoint_number=step)
        except (OSError, tf.errors.OpError) as cause:
            for unfinished in self._folder.glob("*_temp"):
                shutil.rmtree(unfinished, ignore_errors=True)
            # TensorFlow adds the path and the place in the graph.
            reason = getattr(cause, "strerror", None) or str(cause).splitlines()[0].partition(" [Op:")[0]
            reason = "No space left on device" if "No space left" in reason else reason
            raise RunError(f"cannot write a checkpoint in {self._folder}: {reason}") from None
