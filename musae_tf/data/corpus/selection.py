"""Four voices out of a score, and the song they make."""

from dataclasses import dataclass

import numpy as np

from musae_tf.data.corpus.score import TICKS, WHOLE, Bar, Part, Score, lay_out, metre_ticks, sounding_notes
from musae_tf.errors import MusicError
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track

VOICES = ("soprano", "alto", "tenor", "bass")
# How scores of the collection name the four voices: English, Italian, Latin.
NAMES = {
    "soprano": ("soprano", "canto", "cantus", "superius"),
    "alto": ("alto", "altus"),
    "tenor": ("tenor", "tenore"),
    "bass": ("bass", "basso", "bassus"),
}
VELOCITY = 80


@dataclass(frozen=True)
class Treatment:
    """How the scores of one class become songs.

    Attributes:
        tempo: Quarter notes a minute where the score states none.
        programs: General MIDI programs of the four tracks.
        halve: Halve the note values, so that a 4/2 bar becomes a 4/4 bar of sixteen steps.
        pair: A metre whose bars are joined two by two (2/4 bars into 4/4 bars), or None.
        modes: Whether the keys in the files are the encoders' statement rather than an exporter's default.
    """

    tempo: float
    programs: tuple[int, int, int, int]
    halve: bool = False
    pair: tuple[int, int] | None = None
    modes: bool = True


def four_voices(parts: list[Part]) -> list[Part]:
    """Four of the sounding parts, top to bottom.

    Four parts are taken as they stand. Of more, the four that are named after the voices; if any of those names is
    missing, the top, the bottom and the two busiest parts (most notes) between them.

    Raises:
        MusicError: Fewer than four parts sound.
    """
    sounding = [part for part in parts if part.sounds]
    if len(sounding) < 4:
        raise MusicError(f"four sounding parts are needed, found {len(sounding)}")
    if len(sounding) == 4:
        return sounding
    named = [_named(sounding, voice) for voice in VOICES]
    if all(named):
        return named
    inner = sounding[1:-1]
    busiest = sorted(range(len(inner)), key=lambda i: -sum(len(bar) for bar in inner[i].bars))[:2]
    return [sounding[0], *(inner[i] for i in sorted(busiest)), sounding[-1]]


def _named(parts: list[Part], voice: str) -> Part | None:
    for part in parts:
        words = part.name.lower().split()
        if words and words[0] in NAMES[voice]:
            return part
    return None


def to_song(score: Score, treatment: Treatment, name: str) -> Song:
    """The four voices of a score as a song with the tracks soprano, alto, tenor and bass.

    Chords and divided parts stay as they are written; the grid keeps the highest note and counts the others.

    Raises:
        MusicError: Fewer than four parts sound, or the score is too long for a song.
    """
    parts = four_voices(score.parts)
    bars, starts = lay_out(score, treatment.pair)
    if starts[-1] >= 2**31:
        raise MusicError(f"{starts[-1] / WHOLE:,.0f} whole notes long, a song has at most {2**31 // WHOLE:,}")
    tracks = [
        Track(voice, program, False, note_array(part, starts))
        for voice, program, part in zip(VOICES, treatment.programs, parts, strict=True)
    ]
    # The same ticks at twice the resolution are note values halved.
    scale = 2 if treatment.halve else 1
    tempos = [Tempo(starts[bar] + onset, bpm / scale) for bar, onset, bpm in score.tempos]
    if not tempos or tempos[0].tick > 0:
        tempos.insert(0, Tempo(0, tempos[0].bpm if tempos else treatment.tempo))
    return Song(TICKS * scale, tracks, tempos, metre_changes(bars, scale), starts[-1], name)


def note_array(part: Part, starts: list[int]) -> np.ndarray:
    """The notes of a part as an array of `NOTE`, from the ticks where its written bars start (see `lay_out`)."""
    notes = sounding_notes(part, starts)
    array = np.zeros(len(notes), NOTE)
    if notes:
        array["start"], array["duration"], array["pitch"] = np.array(notes, dtype=np.int64).T
    array["velocity"] = VELOCITY
    return array


def metre_changes(bars: list[Bar], scale: int) -> list[Metre]:
    """Metre changes that put a downbeat on every bar: a bar that is not full gets a metre of its own."""
    metres: list[Metre] = []
    for start, length, metre in bars:
        beats, unit = metre if length == metre_ticks(metre) else _irregular(length)
        exact = beats * WHOLE == length * unit
        if not exact or not metres or metres[-1][1:] != (beats, unit * scale):
            metres.append(Metre(start, beats, unit * scale))
    return metres


def _irregular(length: int) -> tuple[int, int]:
    """The metre of a bar of so many ticks: quarters if they come out even, otherwise shorter notes, rounded up."""
    for unit in (4, 8, 16, 32):
        if length * unit % WHOLE == 0:
            return length * unit // WHOLE, unit
    return -(-length * 64 // WHOLE), 64
