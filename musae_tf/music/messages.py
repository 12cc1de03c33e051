"""A song as the messages that an instrument on a MIDI port takes."""

from collections import defaultdict
from collections.abc import Iterator

from musae_tf.music.song import Song, Track

DRUM_CHANNEL = 9
"""Channel 10 of General MIDI, counted from 0."""

_MELODIC = [channel for channel in range(16) if channel != DRUM_CHANNEL]
_NOTE_OFF, _NOTE_ON, _PROGRAM = 0x80, 0x90, 0xC0


def channel_messages(song: Song) -> list[tuple[int, bytes]]:
    """The messages of a song in order, each with its tick. At one tick notes end first, then programs change.

    Every track has a channel of its own, drums channel 10; the sixteenth melodic track and those after it share the
    channels of the first ones. A note ends where one of its channel and pitch begins, and at the end of the piece.
    """
    found = [
        (0, 1, bytes((_PROGRAM | channel, track.program))) for track, channel in _channels(song) if not track.is_drum
    ]
    for channel, pitch, begin, end, velocity in _notes(song):
        found.append((begin, 2, bytes((_NOTE_ON | channel, pitch, velocity))))
        found.append((end, 0, bytes((_NOTE_OFF | channel, pitch, 0))))
    found.sort(key=lambda row: row[:2])
    return [(tick, message) for tick, _, message in found]


def _channels(song: Song) -> Iterator[tuple[Track, int]]:
    """Tracks with notes, and their channels, which do not depend on which tracks are silent."""
    melodic = 0
    for track in song.tracks:
        channel = DRUM_CHANNEL if track.is_drum else _MELODIC[melodic % len(_MELODIC)]
        melodic += not track.is_drum
        if len(track.notes):
            yield track, channel


def _notes(song: Song) -> Iterator[tuple[int, int, int, int, int]]:
    """Channel, pitch, begin, end and velocity of all notes, none of which lasts into another of its pitch."""
    places: dict[tuple[int, int], dict[int, tuple[int, int]]] = defaultdict(dict)
    for track, channel in _channels(song):
        for begin, duration, pitch, velocity in track.notes.tolist():
            own = places[channel, pitch]
            # A note of no length or no velocity is a note-off to MIDI and would vanish.
            end, loudness = own.get(begin, (0, 0))
            own[begin] = max(end, begin + max(duration, 1)), max(loudness, velocity, 1)
    for (channel, pitch), own in places.items():
        begins = sorted(own)
        for begin, following in zip(begins, [*begins[1:], song.end], strict=True):
            end, velocity = own[begin]
            yield channel, pitch, begin, max(begin + 1, min(end, following, song.end)), velocity
