"""Files of music in any format that is read, by the suffix of their name: MIDI, MusicXML, ABC, Humdrum."""

import os
import re
from pathlib import Path

from musae_tf.errors import MusicError
from musae_tf.music.abc import voice_names
from musae_tf.music.beats import SUFFIX as BEATS
from musae_tf.music.beats import read_beats, retimed
from musae_tf.music.kern import read_kern
from musae_tf.music.midi import count_songs, from_abc, from_bytes
from musae_tf.music.musicxml import read_musicxml
from musae_tf.music.score import TICKS, WHOLE, lay_out, metre_changes, note_array
from musae_tf.music.song import Song, Tempo, Track

MIDI = (".mid", ".midi", ".kar", ".rmi")
SCORES = (".musicxml", ".mxl", ".xml", ".krn", ".abc")
SUFFIXES = MIDI + SCORES
"""Of all files of music, in lower case. A file with another one, or with none, is read as MIDI."""

_TUNE = re.compile(r"#(\d+)$")


def read_file(path: str | os.PathLike) -> Song:
    """Read a file; `book.abc#3` is the third tune of a book of ABC, or the third song of a MIDI file of type 2.

    Without a number the first one is read, and `Song.warnings` counts the others.

    Raises:
        MusicError: The file or the tune is missing, or it is damaged.
    """
    return read_tune(*_named(os.fspath(path)))


def read_tune(file: str | os.PathLike, tune: int | None = None) -> Song:
    """Read a file, or one tune of it; see `read_data`. MIDI is put on the beats of a file beside it, if there is one.

    `Song.warnings` counts the file of beats.

    Raises:
        MusicError: The file or the tune is missing, or it is damaged; so is the file of beats, or it is one of a file
            of several songs.
    """
    try:
        data = Path(file).read_bytes()
    except OSError as cause:
        raise MusicError(f"cannot read {file}: {cause.strerror or cause}") from cause
    name = os.fspath(file)
    song = read_data(data, name, tune)
    beats = beats_of(name)
    if not os.path.lexists(beats):
        return song
    if count_tunes(data, name) > 1:
        raise MusicError(f"{beats} has beats of one song, and {name} has {count_tunes(data, name)}")
    return retimed(song, read_beats(beats))


def beats_of(name: str) -> str:
    """Where the beats of a file of music would be: beside it, whatever the suffix of the name; empty for scores."""
    stem, suffix = os.path.splitext(name)
    return "" if suffix.lower() in SCORES else stem + BEATS


def file_of(path: str) -> str:
    """The file that `read_file` reads: without the number of a tune."""
    return _named(path)[0]


def read_data(data: bytes, name: str, tune: int | None = None) -> Song:
    """Read what a file holds.

    Args:
        data: Its bytes.
        name: Its name, whose suffix tells the format; it names the file in errors, and its stem the song.
        tune: Number of the tune from 1 where the file has several; None for the first, with the others counted.

    Raises:
        MusicError: It is damaged, no part of it sounds, or it has no such tune.
    """
    count = count_tunes(data, name)
    if tune is not None and not 1 <= tune <= count:
        raise MusicError(f"{name} has no tune {tune}: it has {count}")
    stem, suffix = os.path.splitext(os.path.basename(name))
    if suffix.lower() == ".abc":
        header, *tunes = _abc_tunes(data)
        text = header + tunes[(tune or 1) - 1] if tunes else header
        song = from_abc(text, name)
        _name_voices(song, voice_names(text))
    elif suffix.lower() in SCORES:
        song = _score(data, name)
    else:
        song = from_bytes(data, name, tune or 1)
    song.name = song.name or (f"{stem} {tune}" if tune and count > 1 else stem)
    if tune is None and count > 1:
        song.warnings = {**song.warnings, "tunes_left_out": count - 1}
    return song


def count_tunes(data: bytes, name: str) -> int:
    """How many tunes a file has: those of a book of ABC, the songs of a MIDI file of type 2, else 1."""
    suffix = os.path.splitext(name)[1].lower()
    if suffix == ".abc":
        return max(len(_abc_tunes(data)) - 1, 1)
    return 1 if suffix in SCORES else count_songs(data)


def _named(path: str) -> tuple[str, int | None]:
    """The file that a path means, and the number of the tune in it."""
    found = _TUNE.search(path)
    if not found or os.path.exists(path):
        return path, None
    return path[: found.start()], int(found[1][:9])


def _abc_tunes(data: bytes) -> list[str]:
    # ABC is older than UTF-8, and only titles have other letters.
    return re.split(r"^(?=X:)", data.decode("utf-8", "replace"), flags=re.MULTILINE)


def _name_voices(song: Song, names: list[str]) -> None:
    """Name the tracks of a tune as its voices; abc2midi gives the first one the title."""
    if len(names) == len(song.tracks):
        for track, name in zip(song.tracks, names, strict=True):
            track.name = name or track.name


def _score(data: bytes, name: str) -> Song:
    score = (read_kern if name.lower().endswith(".krn") else read_musicxml)(data, name)
    bars, starts = lay_out(score)
    if starts[-1] >= 2**31:
        raise MusicError(f"{name}: {starts[-1] / WHOLE:,.0f} whole notes long, a song has at most {2**31 // WHOLE:,}")
    if not bars or (score.unheard and not any(part.sounds for part in score.parts)):
        raise MusicError(f"{name}: no part of the score has a note with a pitch")
    tracks = [Track(part.name, part.program, part.is_drum, note_array(part, starts)) for part in score.parts]
    tempos = [Tempo(starts[bar] + onset, bpm) for bar, onset, bpm in score.tempos]
    unheard = {"percussion_ignored": score.unheard} if score.unheard else {}
    return Song(TICKS, tracks, tempos, metre_changes(bars, 1), starts[-1], score.title or "", unheard)
