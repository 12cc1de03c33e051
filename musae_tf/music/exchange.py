"""Songs to the objects of other libraries and back: symusic, pretty_midi, music21, and pypianoroll.

A library is imported when one of its objects is asked for. pypianoroll's way stands in `musae_tf.music.multitrack`.
"""

import io
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import symusic

from musae_tf.errors import MusicError, require
from musae_tf.music import midi
from musae_tf.music.multitrack import from_multitrack
from musae_tf.music.musicxml_writer import ON_STAFF, to_musicxml
from musae_tf.music.reading import read_data
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track
from musae_tf.music.vocabulary import KIT_PIECES

_KIT = {
    (step, str(octave), notehead): piece.pitch
    for (step, octave, notehead), piece in zip(ON_STAFF, KIT_PIECES, strict=True)
}
_MICROSECONDS = 60_000_000  # in a minute


def to_symusic(song: Song) -> symusic.types.Score:
    """A song as `symusic.Score` in ticks; silence at its end is a marker, as in a MIDI file.

    Raises:
        MusicError: MIDI has no such metre or tempo, or the song is too long.
    """
    return midi.to_score(song)


def from_symusic(score: symusic.types.Score) -> Song:
    """A `symusic.Score` in ticks, quarters or seconds as a song.

    Raises:
        MusicError: It has an impossible metre, tempo or resolution.
    """
    return midi.from_score(score.to("tick"), "the symusic score")


def to_pretty_midi(song: Song) -> Any:
    """A song as `pretty_midi.PrettyMIDI`; silence at its end is a text event.

    Raises:
        MusicError: pretty_midi is missing, MIDI has no such metre or tempo, or the song is too long.
    """
    pretty_midi = require("pretty_midi", "the exchange with pretty_midi")
    # Only what its constructor reads from a file can change the tempo.
    frame = Song(song.ticks_per_quarter, [Track()], song.tempos, song.metres, song.end)
    try:
        pretty = pretty_midi.PrettyMIDI(io.BytesIO(frame.to_bytes()))
        pretty.lyrics.clear()  # what says that a track of ours is silent
        for track in song.tracks:
            instrument = pretty_midi.Instrument(track.program, track.is_drum, track.name)
            for start, duration, pitch, velocity in track.notes.tolist():
                end = start + max(duration, 1)
                times = pretty.tick_to_time(start), pretty.tick_to_time(end)
                instrument.notes.append(pretty_midi.Note(velocity, pitch, *times))
            pretty.instruments.append(instrument)
        if song.end:
            pretty.text_events.append(pretty_midi.Text(midi.END_MARKER, pretty.tick_to_time(song.end)))
    except (ValueError, IndexError) as cause:
        raise MusicError(f"the song ends at tick {song.end}, which pretty_midi does not take: {cause}") from cause
    return pretty


def from_pretty_midi(pretty: Any) -> Song:
    """A `pretty_midi.PrettyMIDI` as a song, in its resolution; pedals and bends are left out.

    Raises:
        MusicError: It has an impossible metre, tempo or resolution.
    """

    def tick(seconds: float) -> int:
        return int(pretty.time_to_tick(seconds))

    tracks = []
    for instrument in pretty.instruments:
        notes = np.zeros(len(instrument.notes), NOTE)
        for place, note in enumerate(instrument.notes):
            start = tick(note.start)
            notes[place] = (start, max(tick(note.end) - start, 0), note.pitch, note.velocity)
        tracks.append(Track(instrument.name, instrument.program, instrument.is_drum, notes))
    tempos = [
        Tempo(tick(seconds), midi.neat_bpm(round(_MICROSECONDS / bpm)))
        for seconds, bpm in zip(*pretty.get_tempo_changes(), strict=True)
    ]
    metres = [Metre(tick(one.time), one.numerator, one.denominator) for one in pretty.time_signature_changes]
    return Song(pretty.resolution, tracks, tempos, metres, tick(pretty.get_end_time()))


def to_music21(song: Song) -> Any:
    """A song as `music21.stream.Score`, as music21 reads its MusicXML.

    Raises:
        MusicError: music21 is missing, or no score has such a metre or tempo.
    """
    converter = require("music21.converter", "the exchange with music21", "music21")
    return converter.parseData(to_musicxml(song).decode(), format="musicxml")


def from_music21(stream: Any) -> Song:
    """A `music21` stream (a score, a part, a measure or plain notes) as a song, as music21 writes it in MusicXML.

    music21 has one instrument a part, so strokes of drums are told apart by their places on the staff; the velocities
    of those that are struck together are not written by it.

    Raises:
        MusicError: music21 cannot write it, or it has no note.
    """
    exporter = require("music21.musicxml.m21ToXml", "the exchange with music21", "music21")
    exceptions = require("music21.exceptions21", "the exchange with music21", "music21")
    try:
        data = exporter.GeneralObjectExporter(stream).parse()
    except exceptions.Music21Exception as cause:
        raise MusicError(f"music21 cannot write the stream as a score: {cause}") from cause
    song = read_data(_with_kits(data), "stream.musicxml")
    song.name = (stream.metadata.bestTitle if stream.metadata else "") or ""
    return song


def _with_kits(data: bytes) -> bytes:
    """A document whose drums have the instruments that their places on the staff mean."""
    root = ElementTree.fromstring(data)
    heads = {head.get("id"): head for head in root.iter("score-part")}
    for part in root.iter("part"):
        for note in part.iter("note"):
            place = (
                note.findtext("unpitched/display-step"),
                note.findtext("unpitched/display-octave"),
                note.findtext("notehead") or "",
            )
            if place not in _KIT:
                continue
            for instrument in note.findall("instrument"):
                note.remove(instrument)
            pitch = _KIT[place]
            name = f"{part.get('id')}-{pitch}"
            ElementTree.SubElement(note, "instrument", id=name)
            head = heads[part.get("id")]
            if head.find(f"midi-instrument[@id='{name}']") is None:
                instrument = ElementTree.SubElement(head, "midi-instrument", id=name)
                ElementTree.SubElement(instrument, "midi-unpitched").text = str(pitch + 1)
    return ElementTree.tostring(root)


def from_object(music: object) -> Song | None:
    """An object of one of these libraries as a song; None if it is of no such kind.

    Raises:
        MusicError: It is of such a kind and cannot be a song.
    """
    library = type(music).__module__.partition(".")[0]
    if library == "symusic" and hasattr(music, "tracks"):
        return from_symusic(music)
    if hasattr(music, "instruments") and hasattr(music, "time_to_tick"):
        return from_pretty_midi(music)
    if library == "music21" and hasattr(music, "flatten"):
        return from_music21(music)
    if hasattr(music, "tracks") and hasattr(music, "resolution"):
        return from_multitrack(music)
    return None
