"""What a run leaves on disk while it trains: checkpoints, and curves in log.jsonl and TensorBoard."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from musae_tf.errors import RunError
from musae_tf.files import write_text


class Checkpoints:
    """Saves and restores the state of a run.

    Args:
        folder: where checkpoints are.
        keep: how many.
        state: what they hold, by name.
    """

    def __init__(self, folder: Path, keep: int, **state: tf.Variable):
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


SOUND_RATE = 22050
"""Samples a second of what can be heard in TensorBoard."""


class Curves:
    """Writes each number to log.jsonl and to TensorBoard.

    Args:
        path: the run folder.
        step: the step training goes on from. Later lines, of a run that was killed after its checkpoint, are cut,
            so that the file reads like that of a run that was never interrupted.
    """

    def __init__(self, path: Path, step: int):
        self._file = path / "log.jsonl"
        lines = [line for line in read_log(path) if line["step"] <= step]
        write_text(self._file, "".join(json.dumps(line) + "\n" for line in lines), RunError)
        self._board = tf.summary.create_file_writer(str(path / "tensorboard"), filename_suffix=f".{step}")

    def write(self, kind: str, step: int, numbers: Mapping[str, float]) -> None:
        """Add one line: `kind` is train or evaluation."""
        line = {"step": step, "kind": kind, **{key: float(f"{value:.7g}") for key, value in numbers.items()}}
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as cause:
            raise RunError(f"cannot write {self._file}: {cause.strerror}") from None
        with self._board.as_default(step=step):
            for key, value in numbers.items():
                tf.summary.scalar(f"{kind}/{key}", value)

    def picture(self, name: str, step: int, pixels: np.ndarray) -> None:
        """Show a picture, uint8 [height, width, 3], in TensorBoard."""
        with self._board.as_default(step=step):
            tf.summary.image(name, pixels[np.newaxis])

    def sound(self, name: str, step: int, samples: np.ndarray) -> None:
        """Let a sound, float32 [samples, 2], be heard in TensorBoard."""
        with self._board.as_default(step=step):
            tf.summary.audio(name, samples[np.newaxis], SOUND_RATE)

    def close(self) -> None:
        """Flush and close the TensorBoard file."""
        self._board.close()


def read_log(path: Path) -> list[dict]:
    """All whole lines of a run's log.jsonl; a last line cut short by a kill is left out."""
    try:
        text = (path / "log.jsonl").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines
