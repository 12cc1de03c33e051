"""Sound small enough to sit in a page."""

import io

import numpy as np
import soundfile

from musae_tf.music import Layout, detokenize
from musae_tf.music.audio import render

_RATE = 22050
# 0 is the best and largest, 1 the smallest.
_COMPRESSION = 0.8


def mp3(tokens: np.ndarray, layout: Layout, tempo: float) -> bytes:
    """Tokens int [T, K] as sound: an MP3 file, mono, about 5 kB a second.

    Raises:
        MusicError: the synthesiser is not installed.
    """
    sound = render(detokenize(tokens, layout, tempo), _RATE).mean(axis=1)
    file = io.BytesIO()
    soundfile.write(
        file, sound, _RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=_COMPRESSION,
        bitrate_mode="VARIABLE",
    )  # fmt: skip
    return file.getvalue()
