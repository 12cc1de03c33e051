"""The curves of a run: log.jsonl for programs, TensorBoard for people."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from musae_tf.errors import RunError
from musae_tf.files import write_text

SOUND_RATE = 22050
"""Samples a second of what can be heard in TensorBoard."""


class Logs:
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
