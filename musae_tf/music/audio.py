"""Sound of a song, from the General MIDI sound font that comes with pretty_midi."""

import io
import math
import os
import wave
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from musae_tf.errors import MusicError, require
from musae_tf.files import write_bytes
from musae_tf.music.song import Song

PEAK = 0.9
"""Loudest sample after normalisation."""

TAIL_SECONDS = 1.5
MAX_SECONDS = 3600.0
_SOUND_FONT = "TimGM6mb.sf2"
_MP3_RATE = 22050
_MP3_COMPRESSION = 0.8  # 0 is the largest file, 1 the smallest


def render(song: Song, sample_rate: int = 44100) -> np.ndarray:
    """The song as sound, with 1.5 seconds after its end for the last notes to die away.

    Args:
        song: At most an hour long.
        sample_rate: Samples a second, 8,000 to 192,000.

    Returns:
        float32 [samples, 2], left and right, scaled so that the loudest sample is `PEAK` (silence stays silence).

    Raises:
        MusicError: The song is too long, the sample rate impossible, or the synthesiser is not installed.
    """
    if not 8000 <= sample_rate <= 192000:
        raise MusicError(f"sample rate is {sample_rate}, must be 8000 to 192000")
    length = seconds(song)
    if length > MAX_SECONDS:
        raise MusicError(f"the song lasts {length:,.0f} seconds, sound is rendered up to {MAX_SECONDS:,.0f}")
    synthesiser = require("midirenderer", "rendering sound")
    data = synthesiser.render_wave_from(_sound_font(), _with_tail(song).to_bytes())
    with wave.open(io.BytesIO(data)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
    sound = samples.astype(np.float32)
    if rate != sample_rate:
        sound = _resample(sound, rate, sample_rate)
    return _normalise(sound)


def to_wav(song: Song, sample_rate: int = 44100) -> bytes:
    """The sound of a song as a 16 bit stereo WAV file.

    Raises:
        MusicError: As `render`.
    """
    samples = np.rint(render(song, sample_rate) * 32767).astype("<i2")
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.tobytes())
    return data.getvalue()


def to_mp3(song: Song) -> bytes:
    """The sound of a song as an MP3 file, mono, about 5 kB a second: small enough for a page.

    Raises:
        MusicError: As `render`, or soundfile is not installed.
    """
    soundfile = require("soundfile", "sound as MP3")
    file = io.BytesIO()
    soundfile.write(
        file, render(song, _MP3_RATE).mean(axis=1), _MP3_RATE, format="MP3", subtype="MPEG_LAYER_III",
        compression_level=_MP3_COMPRESSION, bitrate_mode="VARIABLE",
    )  # fmt: skip
    return file.getvalue()


def write_wav(song: Song, path: str | os.PathLike, sample_rate: int = 44100) -> None:
    """Write `to_wav` to a file in one atomic step.

    Raises:
        MusicError: As `render`, or the file cannot be written.
    """
    write_bytes(path, to_wav(song, sample_rate), MusicError)


def seconds(song: Song) -> float:
    """Length of a song in seconds, silence at its end included."""
    return float(song.seconds_at(song.end))


def _with_tail(song: Song) -> Song:
    """The song with its end moved back; the end is written as an event, up to which the synthesiser plays."""
    bpm = song.tempos[-1].bpm if song.tempos else 120.0
    tail = max(1, round(TAIL_SECONDS * bpm / 60.0 * song.ticks_per_quarter))
    return Song(song.ticks_per_quarter, song.tracks, song.tempos, song.metres, song.end + tail)


def _resample(sound: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    signal = require("scipy.signal", "rendering sound", "scipy")
    common = math.gcd(rate, wanted)
    return signal.resample_poly(sound, wanted // common, rate // common, axis=0)


def _normalise(sound: np.ndarray) -> np.ndarray:
    loudest = np.abs(sound).max(initial=0.0)
    return (sound * (PEAK / loudest) if loudest > 0 else sound).astype(np.float32)


@lru_cache(maxsize=1)
def _sound_font() -> bytes:
    # Found without importing pretty_midi: only its data file is wanted.
    found = find_spec("pretty_midi")
    if found is None or found.origin is None:
        raise MusicError("rendering sound needs pretty_midi: run `pip install pretty_midi`")
    path = Path(found.origin).parent / _SOUND_FONT
    try:
        return path.read_bytes()
    except OSError as cause:
        raise MusicError(f"cannot read the sound font {path}: {cause.strerror or cause}") from cause
