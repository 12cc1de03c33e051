"""What readers by other hands find in a score."""

from collections import Counter
from fractions import Fraction

import pytest

from musae_tf.music import Song


def heard_by_music21(data: bytes, kind: str) -> list[Counter]:
    """Onset, duration and pitch of all notes part by part, ties joined; drums have no pitch."""
    music21 = pytest.importorskip("music21")
    parts = []
    for part in music21.converter.parseData(data.decode(), format=kind).parts:
        pieces = []
        for note in part.flatten().notes:
            for head in note.notes if isinstance(note, music21.chord.ChordBase) else [note]:
                pitch = head.pitch.midi if isinstance(head, music21.note.Note) else None
                tie = head.tie.type if head.tie else ""
                pieces.append((Fraction(note.offset), Fraction(note.quarterLength), pitch, tie))
        parts.append(_joined(pieces))
    return parts


def _joined(pieces: list[tuple]) -> Counter:
    found, tied = Counter(), {}
    for onset, length, pitch, tie in sorted(pieces, key=lambda piece: (piece[0], piece[2] or 0)):
        if tie in ("stop", "continue"):
            start, end = tied.pop(pitch)
            assert end == onset, f"a tie over a gap at {onset}"
            onset, length = start, onset + length - start
        if tie in ("start", "continue"):
            tied[pitch] = onset, onset + length
        else:
            found[onset, length, pitch] += 1
    assert not tied
    return found


def sounding(song: Song) -> list[Counter]:
    """The same of a song."""
    quarter = song.ticks_per_quarter
    return [
        Counter(
            (Fraction(start, quarter), Fraction(duration, quarter), None if track.is_drum else pitch)
            for start, duration, pitch, _ in track.notes.tolist()
        )
        for track in song.tracks
    ]
