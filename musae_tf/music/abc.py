"""Songs as ABC notation, and the names that ABC gives to its voices.

Format: https://abcnotation.com/wiki/abc:standard:v2.1, with the %%MIDI lines of abc2midi. A track is a voice, with
chords and ties. ABC has less than a song: notes begin and end on 64ths, or in their beat on a tuplet; tempos are whole
numbers of quarters a minute, and one that changes inside a note of the first voice changes after it; a voice has one
velocity, the median of its track's; tracks without notes, and the silence after the last note, are left out.
"""

import re
from fractions import Fraction
from itertools import pairwise

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.notation import FINEST, Event, Head, WrittenBar, beats, scaled, tuplet, written_bars, written_track
from musae_tf.music.score import TICKS, TIE_BACK, TIE_NEXT
from musae_tf.music.song import Song, Track
from musae_tf.music.spelling import Key, Spelled, find_key, signature, spell

_UNIT = TICKS // 4  # L:1/16
_BARS_A_LINE = 4
_TONICS = ("Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#")
_FLAT_MOST = -6  # fifths of the first of them
_ACCIDENTALS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_VOICE = re.compile(r"^[ \t]*(?:\[V:|V:)[ \t]*([^\s\]%]+)([^\]%\n]*)", re.MULTILINE)
_NAME = re.compile(r"""\b(?:name|nm)\s*=\s*(?:"([^"]*)"|(\S+))""")


def to_abc(song: Song) -> bytes:
    """A song as one tune in ABC notation.

    Raises:
        MusicError: The song has too many bars, or a bar or metre that no score is written in.
    """
    bars = written_bars(song)
    for number, bar in enumerate(bars, 1):
        if bar.length % FINEST:
            raise MusicError(f"bar {number} is {bar.length / TICKS:g} quarters long: ABC is written in whole 128ths")
    key = find_key(song)
    tempos = {int(scaled(np.array(tick), song.ticks_per_quarter)): max(round(bpm), 1) for tick, bpm in song.tempos}
    head = [
        "X:1",
        f"T:{_plain(song.name)}",
        f"M:{bars[0].metre[0]}/{bars[0].metre[1]}",
        "L:1/16",
        f"Q:1/4={tempos.pop(0, 120)}",
        f"K:{_TONICS[key.fifths - _FLAT_MOST + 3 * (key.mode == 'minor')]}{'m' * (key.mode == 'minor')}",
        "%%MIDI chordattack 0",
    ]
    lines = []
    sounding = [track for track in song.tracks if len(track.notes)]
    for number, track in enumerate(sounding or song.tracks[:1] or [Track()]):
        lines += _voice_head(number, track)
        track = _on_signs(track, song.ticks_per_quarter, bars)
        part = [voices[0] for voices in written_track(track, TICKS, bars, 1)]
        lines += _voice(bars, part, key, dict(sorted(tempos.items())) if number == 0 else {})
    return "\n".join([*head, *lines, ""]).encode()


def voice_names(text: str) -> list[str]:
    """The names of the voices of a tune, in the order in which they begin; empty where a voice has none."""
    names: dict[str, str] = {}
    for voice, properties in _VOICE.findall(text):
        found = _NAME.search(properties)
        names[voice] = names.get(voice) or ((found[1] or found[2] or "") if found else "")
    return list(names.values())


def _on_signs(track: Track, ticks_per_quarter: int, bars: list[WrittenBar]) -> Track:
    """A track in ticks of a score, with notes moved to the nearest 64th in beats where they fit no tuplet."""
    notes = track.notes.copy()
    begin = notes["start"].astype(np.int64)
    start = scaled(begin, ticks_per_quarter)
    end = np.maximum(scaled(begin + notes["duration"], ticks_per_quarter), start + 1)
    points = np.unique([*start, *end])
    places = dict(zip(points.tolist(), points.tolist(), strict=True))
    for bar in bars:
        for first, last in pairwise(bar.start + edge for edge in beats(bar)):
            inside = points[np.searchsorted(points, first) : np.searchsorted(points, last)].tolist()
            if inside and tuplet(first, last, inside) is None:
                for point in inside:
                    places[point] = min(first + round((point - first) / (2 * FINEST)) * 2 * FINEST, last)
    notes["start"] = [places[tick] for tick in start.tolist()]
    until = np.array([places[tick] for tick in end.tolist()], np.int64)
    notes["duration"] = np.maximum(until - notes["start"], 2 * FINEST * (until == notes["start"]))
    return Track(track.name, track.program, track.is_drum, notes)


def _voice_head(number: int, track: Track) -> list[str]:
    pitch = track.notes["pitch"]
    clef = "perc" if track.is_drum else "bass" if len(pitch) and pitch.mean() < 60 else "treble"
    velocity = int(np.median(track.notes["velocity"])) if len(pitch) else 80
    return [
        f'V:{number + 1} name="{_plain(track.name)}" clef={clef}',
        *(["%%MIDI channel 10"] if track.is_drum else []),
        f"%%MIDI program {track.program}",
        # Of the first beat of a bar, the other beats and what is between them.
        f"%%MIDI beat {velocity} {velocity} {velocity} 1",
    ]


def _voice(bars: list[WrittenBar], part: list[list[Event]], key: Key, tempos: dict[int, int]) -> list[str]:
    """The bars of a voice, some a line."""
    written = []
    metre = bars[0].metre
    heads: list[Head] = []
    for bar, events in zip(bars, part, strict=True):
        tokens = []
        if bar.metre != metre:
            metre = bar.metre
            tokens.append(f"[M:{metre[0]}/{metre[1]}]")
        changed: dict[str, set[int]] = {}
        for place, event in enumerate(events):
            for tick in [tick for tick in tempos if tick <= bar.start + event.onset]:
                tokens.append(f"[Q:1/4={tempos.pop(tick)}]")
            if event.tuplet != (1, 1) and event.onset == event.window:
                count = sum(other.tuplet != (1, 1) and other.window == event.window for other in events[place:])
                tokens.append(f"({event.tuplet[0]}:{event.tuplet[1]}:{count}")
            # abc2midi takes the first note of a chord for the one that is tied over a bar line: the oldest comes first.
            ages = [head.pitch for head in heads]
            heads = sorted(event.heads, key=lambda head: ages.index(head.pitch) if head.tie & TIE_BACK else 128)
            tokens.append(_sign(event, heads, key, changed))
        written.append(" ".join(tokens))
    lines = [written[first : first + _BARS_A_LINE] for first in range(0, len(written), _BARS_A_LINE)]
    return [f"{' | '.join(line)} |{']' * (line is lines[-1])}" for line in lines]


def _sign(event: Event, heads: list[Head], key: Key, changed: dict[str, set[int]]) -> str:
    """A note, chord or rest with its length, the notes of the chord in this order."""
    length = Fraction(event.duration * event.tuplet[0], event.tuplet[1] * _UNIT)
    times = "" if length == 1 else str(length)
    notes = [
        _note(spell(head.pitch, key), key, changed) + "-" * (head.tie & TIE_NEXT and len(heads) > 1) for head in heads
    ]
    if not notes:
        return f"z{times}"
    if len(notes) > 1:
        return f"[{''.join(notes)}]{times}"
    return f"{notes[0]}{times}{'-' * bool(heads[0].tie & TIE_NEXT)}"


def _note(pitch: Spelled, key: Key, changed: dict[str, set[int]]) -> str:
    """A pitch without its length.

    Programs do not agree whether an accidental holds for its octave or for all: after the first one on a letter in a
    bar, every note of this letter has its own.
    """
    usual = signature(key)[pitch.step]
    others = changed.setdefault(pitch.step, {usual})
    others.add(pitch.alter)
    accidental = _ACCIDENTALS[pitch.alter] if len(others) > 1 else ""
    letter = pitch.step if pitch.octave <= 4 else pitch.step.lower()
    return f"{accidental}{letter}{chr(39) * (pitch.octave - 5)}{',' * (4 - pitch.octave)}"


def _plain(text: str) -> str:
    """A text without what means something in a field."""
    return " ".join(re.sub(r'["%\\\[\]]', " ", text).split())
