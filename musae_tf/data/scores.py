"""Written scores as songs: MusicXML, Humdrum and ABC, read with what the base install has.

All parts that sound become tracks, in the order of the page, with their names and, where the file gives them, their
programs. Repeats of MusicXML and Humdrum are not expanded, grace notes and unpitched percussion are left out.
"""

from pathlib import Path

from musae_tf.data.corpus.kern import read_kern
from musae_tf.data.corpus.musicxml import read_musicxml
from musae_tf.data.corpus.score import TICKS, WHOLE, lay_out
from musae_tf.data.corpus.selection import metre_changes, note_array
from musae_tf.errors import MusicError
from musae_tf.music.midi import from_abc
from musae_tf.music.song import Song, Tempo, Track

SCORES = (".musicxml", ".mxl", ".xml", ".krn", ".abc")
"""Suffixes of the files that `read_score` reads."""


def read_score(path: Path) -> Song:
    """Read a score by its suffix, one of `SCORES`.

    Raises:
        MusicError: It cannot be read, is damaged, or no part of it sounds.
    """
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise MusicError(f"cannot read {path}: {cause.strerror or cause}") from cause
    if path.suffix.lower() == ".abc":
        # ABC is older than UTF-8, and only titles have other letters.
        return from_abc(data.decode("utf-8", "replace"), str(path))
    score = (read_kern if path.suffix.lower() == ".krn" else read_musicxml)(data, str(path))
    bars, starts = lay_out(score)
    if starts[-1] >= 2**31:
        raise MusicError(f"{path}: {starts[-1] / WHOLE:,.0f} whole notes long, a song has at most {2**31 // WHOLE:,}")
    tracks = [Track(part.name, part.program, False, note_array(part, starts)) for part in score.parts if part.sounds]
    if not tracks:
        raise MusicError(f"{path}: no part of the score has a note with a pitch")
    tempos = [Tempo(starts[bar] + onset, bpm) for bar, onset, bpm in score.tempos]
    return Song(TICKS, tracks, tempos, metre_changes(bars, 1), starts[-1], score.title or path.stem)
