"""Songs as MusicXML, plain (.musicxml, .xml) or compressed (.mxl), with the standard library.

Format: https://www.w3.org/2021/06/musicxml40/ (score-partwise). A track is a part, with its program, and its velocities
as percentages of forte. Drums are unpitched notes whose instruments name their MIDI pitch. The key is found from the
notes and spells them. `musae_tf.music.musicxml` reads all of it back.
"""

import io
import math
import re
import zipfile
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.beams import join_flags
from musae_tf.music.musicxml import FORTE
from musae_tf.music.notation import Event, Head, Voices, WrittenBar, scaled, written_bars, written_track
from musae_tf.music.score import TICKS, TIE_BACK, TIE_NEXT
from musae_tf.music.song import Song, Track
from musae_tf.music.spelling import Key, find_key, signature, spell
from musae_tf.music.vocabulary import KIT_BITS, KIT_PIECES

_VOICES = 4  # on one staff; more is not read by notation programs
_TEMPOS = (1, 1000)  # quarters a minute that scores are read with
_DOCTYPE = (
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">'
)
_CONTAINER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<container><rootfiles><rootfile full-path="score.musicxml"/>'
    "</rootfiles></container>\n"
)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0
_ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
ON_STAFF = (
    ("F", 4, ""), ("C", 5, ""), ("G", 5, "x"), ("G", 5, "circle-x"), ("A", 4, ""), ("D", 5, ""), ("E", 5, ""),
    ("A", 5, "x"), ("F", 5, "x"),
)  # fmt: skip
"""Where the pieces of a kit stand on a staff of five lines, as in Weinberg's guidelines (1998), and their heads."""

_OTHER_PERCUSSION = ("C", 5, "")


def to_musicxml(song: Song) -> bytes:
    """A song as a MusicXML document.

    Raises:
        MusicError: A metre or tempo is beyond what scores are read with, or the song has too many bars.
    """
    bars = written_bars(song)
    parts = [
        written_track(track, song.ticks_per_quarter, bars, _VOICES) for track in song.tracks or [Track("no tracks")]
    ]
    tempos = _tempos(song, bars)
    lengths = {event.duration for part in parts for bar in part for voice in bar for event in voice}
    common = math.gcd(TICKS, *lengths, *(bar.length for bar in bars), *(at for bar in tempos for at in bar))
    root = Element("score-partwise", version="4.0")
    if song.name:
        _add(_add(root, "work"), "work-title", song.name)
    _add(_add(_add(root, "identification"), "encoding"), "software", "musae-tf")
    heads = _add(root, "part-list")
    key = find_key(song)
    for number, (track, part) in enumerate(zip(song.tracks or [Track("no tracks")], parts, strict=True)):
        _head(heads, number, track)
        _Part(root, number, track, key, common).write(bars, part, [] if number else tempos)
    ElementTree.indent(root, " ")
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_DOCTYPE}\n{body}\n'.encode()


def to_mxl(song: Song) -> bytes:
    """A song as compressed MusicXML; the same bytes for the same song.

    Raises:
        MusicError: As `to_musicxml`.
    """
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("META-INF/container.xml", _CONTAINER), ("score.musicxml", to_musicxml(song))):
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return data.getvalue()


def _tempos(song: Song, bars: list[WrittenBar]) -> list[dict[int, float]]:
    """The tempo changes of every bar: ticks from its start, and quarters a minute."""
    found: list[dict[int, float]] = [{} for _ in bars]
    starts = np.array([bar.start for bar in bars])
    for tick, bpm in song.tempos:
        if not _TEMPOS[0] <= bpm <= _TEMPOS[1]:
            raise MusicError(
                f"tempo at tick {tick} is {bpm:g}: scores are written with {_TEMPOS[0]} to {_TEMPOS[1]:,} quarters a "
                "minute"
            )
        place = int(scaled(np.array(tick), song.ticks_per_quarter))
        bar = int(np.searchsorted(starts, place, "right")) - 1
        if bar < len(bars) - 1 or place < bars[-1].start + bars[-1].length:
            found[bar][place - bars[bar].start] = bpm
    return found


def _head(heads: Element, number: int, track: Track) -> None:
    """What the list of parts says of a track."""
    part = _add(heads, "score-part", id=f"P{number + 1}")
    _add(part, "part-name", track.name)
    pitches = np.unique(track.notes["pitch"]).tolist() if track.is_drum else []
    # Channel 10 is that of drums.
    channel = 10 if track.is_drum else [*range(1, 10), *range(11, 17)][number % 15]
    names = {
        f"P{number + 1}-I{pitch + 1}": KIT_PIECES[piece].name if (piece := _piece(pitch)) is not None else f"{pitch}"
        for pitch in pitches
    } or {f"P{number + 1}-I1": track.name}
    for name, words in names.items():
        _add(_add(part, "score-instrument", id=name), "instrument-name", words)
    for name, pitch in zip(names, pitches or [None], strict=True):
        instrument = _add(part, "midi-instrument", id=name)
        _add(instrument, "midi-channel", channel)
        _add(instrument, "midi-program", track.program + 1)
        if pitch is not None:
            _add(instrument, "midi-unpitched", pitch + 1)


def _piece(pitch: int) -> int | None:
    """Number of the piece of a kit that a pitch of percussion is."""
    bit = int(KIT_BITS[pitch])
    return bit.bit_length() - 1 if bit else None


def _on_staff(pitch: int) -> tuple[str, int, str]:
    piece = _piece(pitch)
    return _OTHER_PERCUSSION if piece is None else ON_STAFF[piece]


class _Part:
    """Writes one part; `common` ticks are one division."""

    def __init__(self, root: Element, number: int, track: Track, key: Key, common: int):
        self.element = _add(root, "part", id=f"P{number + 1}")
        self.track = track
        self.key = key
        self.common = common

    def write(self, bars: list[WrittenBar], part: list[Voices], tempos: list[dict[int, float]]) -> None:
        metre = None
        for number, (bar, voices) in enumerate(zip(bars, part, strict=True)):
            measure = _add(self.element, "measure", number=number + 1)
            if bar.metre != metre:
                metre = bar.metre
                self._attributes(measure, metre, number == 0)
            for place, bpm in tempos[number].items() if tempos else ():
                self._tempo(measure, place, bpm)
            shown = self._accidentals(voices)
            for voice, events in enumerate(voices):
                if voice:
                    self._move(measure, "backup", bar.length)
                flags = join_flags(bar, events)
                for event, following, beams in zip(events, [*events[1:], None], flags, strict=True):
                    self._event(measure, event, following, beams, voice, shown, event.duration == bar.length)
            if number == len(bars) - 1:
                _add(_add(measure, "barline", location="right"), "bar-style", "light-heavy")

    def _attributes(self, measure: Element, metre: tuple[int, int], first: bool) -> None:
        attributes = _add(measure, "attributes")
        if first:
            _add(attributes, "divisions", TICKS // self.common)
            key = _add(attributes, "key")
            _add(key, "fifths", 0 if self.track.is_drum else self.key.fifths)
            if not self.track.is_drum:
                _add(key, "mode", self.key.mode)
        time = _add(attributes, "time")
        _add(time, "beats", metre[0])
        _add(time, "beat-type", metre[1])
        if first:
            clef = _add(attributes, "clef")
            pitch = self.track.notes["pitch"]
            low = len(pitch) > 0 and pitch.mean() < 60
            sign, line = ("percussion", None) if self.track.is_drum else ("F", 4) if low else ("G", 2)
            _add(clef, "sign", sign)
            if line:
                _add(clef, "line", line)

    def _tempo(self, measure: Element, place: int, bpm: float) -> None:
        if place:
            self._move(measure, "forward", place)
        direction = _add(measure, "direction", placement="above")
        mark = _add(_add(direction, "direction-type"), "metronome")
        _add(mark, "beat-unit", "quarter")
        _add(mark, "per-minute", f"{round(bpm, 2):g}")
        _add(direction, "sound", tempo=f"{bpm!r}")
        if place:
            self._move(measure, "backup", place)

    def _move(self, measure: Element, tag: str, ticks: int) -> None:
        _add(_add(measure, tag), "duration", ticks // self.common)

    def _accidentals(self, voices: Voices) -> dict[tuple[int, int, int], int]:
        """Signs before notes of a bar, by voice, onset and pitch; others follow from the key or earlier notes."""
        if self.track.is_drum:
            return {}
        shown = {}
        signs = signature(self.key)
        state: dict[tuple[str, int], int] = {}
        every = [(event.onset, voice, event) for voice, events in enumerate(voices) for event in events]
        for onset, voice, event in sorted(every, key=lambda one: one[:2]):
            for head in event.heads:
                step, alter, octave = spell(head.pitch, self.key)
                if alter != state.get((step, octave), signs[step]) and not head.tie & TIE_BACK:
                    shown[voice, onset, head.pitch] = alter
                    state[step, octave] = alter
        return shown

    def _event(
        self,
        measure: Element,
        event: Event,
        following: Event | None,
        beams: list[str],
        voice: int,
        shown: dict[tuple[int, int, int], int],
        whole: bool,
    ) -> None:
        for place, head in enumerate(event.heads or (None,)):
            note = _add(measure, "note")
            if head is None:
                _add(note, "rest", **({"measure": "yes"} if whole else {}))
            else:
                note.set("dynamics", f"{round(head.velocity * 100 / FORTE, 2):g}")
                if place:
                    _add(note, "chord")
                self._pitch(note, head.pitch)
            _add(note, "duration", event.duration // self.common)
            ties = _ties(head)
            for kind in ties:
                _add(note, "tie", type=kind)
            if head is not None and self.track.is_drum:
                _add(note, "instrument", id=f"{self.element.get('id')}-I{head.pitch + 1}")
            _add(note, "voice", voice + 1)
            if event.kind is not None:
                _add(note, "type", event.kind)
                for _ in range(event.dots):
                    _add(note, "dot")
            if head is not None and (voice, event.onset, head.pitch) in shown:
                _add(note, "accidental", _ACCIDENTALS[shown[voice, event.onset, head.pitch]])
            if event.tuplet != (1, 1):
                ratio = _add(note, "time-modification")
                _add(ratio, "actual-notes", event.tuplet[0])
                _add(ratio, "normal-notes", event.tuplet[1])
            if head is not None and self.track.is_drum and _on_staff(head.pitch)[2]:
                _add(note, "notehead", _on_staff(head.pitch)[2])
            if not place:
                for level, kind in enumerate(beams, 1):
                    _add(note, "beam", kind, number=level)
            self._notations(note, event, following, ties, place)

    def _notations(self, note: Element, event: Event, following: Event | None, ties: list[str], place: int) -> None:
        tuplet = []
        if event.tuplet != (1, 1) and not place:
            tuplet += ["start"] * (event.onset == event.window)
            tuplet += ["stop"] * (following is None or following.window != event.window)
        if not ties and not tuplet:
            return
        notations = _add(note, "notations")
        for kind in ties:
            _add(notations, "tied", type=kind)
        for kind in tuplet:
            _add(notations, "tuplet", type=kind)

    def _pitch(self, note: Element, pitch: int) -> None:
        if self.track.is_drum:
            element = _add(note, "unpitched")
            step, octave, _ = _on_staff(pitch)
            _add(element, "display-step", step)
            _add(element, "display-octave", octave)
            return
        element = _add(note, "pitch")
        spelled = spell(pitch, self.key)
        _add(element, "step", spelled.step)
        if spelled.alter:
            _add(element, "alter", spelled.alter)
        _add(element, "octave", spelled.octave)


def _ties(head: Head | None) -> list[str]:
    tie = 0 if head is None else head.tie
    return ["stop"] * bool(tie & TIE_BACK) + ["start"] * bool(tie & TIE_NEXT)


def _add(parent: Element, tag: str, text: object = None, **attributes: object) -> Element:
    element = SubElement(parent, tag, {name: str(value) for name, value in attributes.items()})
    if text is not None:
        element.text = _FORBIDDEN.sub("", str(text))
    return element
