"""Songs as files in any format that is written, by the ending of their name: MIDI, MusicXML, ABC."""

import os
from pathlib import Path

from musae_tf.errors import MusicError
from musae_tf.music import midi
from musae_tf.music.abc import to_abc
from musae_tf.music.musicxml_writer import to_musicxml, to_mxl
from musae_tf.music.song import Song

WRITERS = {
    ".mid": midi.to_bytes,
    ".midi": midi.to_bytes,
    ".musicxml": to_musicxml,
    ".xml": to_musicxml,
    ".mxl": to_mxl,
    ".abc": to_abc,
}
"""How each format is written, by its ending in lower case."""


def as_file(song: Song, path: str | os.PathLike) -> bytes:
    """The bytes of a song in the format of a file's name.

    Raises:
        MusicError: The name has another ending, or the format cannot hold the song.
    """
    writer = WRITERS.get(Path(path).suffix.lower())
    if writer is None:
        raise MusicError(f"cannot write {path}: the name of a song ends in {endings()}")
    return writer(song)


def endings() -> str:
    """The endings in words."""
    *others, last = WRITERS
    return f"{', '.join(others)} or {last}"
