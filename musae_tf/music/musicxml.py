"""MusicXML (.xml, .musicxml, compressed .mxl) to `Score`, with the standard library.

Format: https://www.w3.org/2021/06/musicxml40/ (score-partwise). Read: parts, bars, notes, chords, rests, ties,
voices (backup and forward), metres, tempos, the key, transposing instruments, programs, velocities and percussion
whose instruments name their MIDI pitch. Grace and cue notes are left out; repeats are not expanded.
"""

import io
import re
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from fractions import Fraction
from xml.etree.ElementTree import Element

from musae_tf.errors import MusicError
from musae_tf.music.score import TICKS, TIE_BACK, TIE_NEXT, VELOCITY, Score, ScorePart, Written

# The largest score of the collection unpacks to 11 MB; far more is a damaged or hostile file.
LARGEST = 32 * 2**20
MOST_BARS = 10**6  # of all parts together, filled up to the longest one

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# Note types in parts of a quarter note.
TYPES = {
    "maxima": Fraction(32),
    "long": Fraction(16),
    "breve": Fraction(8),
    "whole": Fraction(4),
    "half": Fraction(2),
    "quarter": Fraction(1),
    "eighth": Fraction(1, 2),
    "16th": Fraction(1, 4),
    "32nd": Fraction(1, 8),
    "64th": Fraction(1, 16),
    "128th": Fraction(1, 32),
    "256th": Fraction(1, 64),
}
MAJOR = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
MINOR = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")
FORTE = 90  # velocity of which the `dynamics` of a note are a percentage
# What divisions and durations look like. Fraction alone would also take 1e999999999 and never come back.
NUMBER = re.compile(r"\s*\d{1,9}(\.\d{1,9})?\s*")


def read_musicxml(data: bytes, name: str) -> Score:
    """Read a MusicXML document, compressed or not; `name` is for messages.

    Raises:
        MusicError: not MusicXML, damaged, too large, with entity declarations, or with impossible values.
    """
    if data[:4] == b"PK\x03\x04":
        data = _unzip(data, name)
    if len(data) > LARGEST:
        raise MusicError(f"{name}: {len(data)} bytes; a score has at most {LARGEST}")
    # Entities can be made to expand without bound, and no score needs them. UTF-16 hides the letters behind NULs.
    if b"<!ENTITY" in data.replace(b"\0", b""):
        raise MusicError(f"{name}: declares XML entities; a MusicXML score has none")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as cause:
        raise MusicError(f"{name}: not well-formed XML: {cause}") from cause
    if root.tag != "score-partwise":
        raise MusicError(f"{name}: the root is <{root.tag[:40]}>; only <score-partwise> is read")
    try:
        return _Reader(root).score()
    except (ValueError, ZeroDivisionError, OverflowError) as cause:
        raise MusicError(f"{name}: impossible value in the score: {cause}") from cause


def _unzip(data: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = _root_file(archive)
            if member is None:
                raise MusicError(f"{name}: no score inside the archive")
            with archive.open(member) as file:
                # The size in the directory of a zip can lie: read no further than allowed.
                text = file.read(LARGEST + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError) as cause:
        raise MusicError(f"{name}: damaged .mxl archive: {cause}") from cause
    if len(text) > LARGEST:
        raise MusicError(f"{name}: unpacks to more than {LARGEST} bytes")
    return text


def _root_file(archive: zipfile.ZipFile) -> str | None:
    """The score's name in an .mxl archive: what the container says, otherwise the first score in it."""
    names = archive.namelist()
    if "META-INF/container.xml" in names:
        with archive.open("META-INF/container.xml") as file:
            container = file.read(2**16)
        if b"<!ENTITY" not in container.replace(b"\0", b""):
            try:
                for element in ElementTree.fromstring(container).iter():
                    if element.tag.rpartition("}")[2] == "rootfile" and element.get("full-path") in names:
                        return element.get("full-path")
            except (ElementTree.ParseError, ValueError, LookupError):
                pass  # a broken container does not make the score unreadable
    return next((n for n in names if n.endswith((".xml", ".musicxml")) and not n.startswith("META-INF/")), None)


class _Reader:
    """Walks the parts of one document; the metre, tempo and key are the score's, whichever part states them."""

    def __init__(self, root: Element):
        self.root = root
        self.heads = {part.get("id"): part for part in root.findall("part-list/score-part")}
        self.unheard = 0
        self.metre_at: dict[int, tuple[int, int]] = {}
        self.tempo_at: dict[tuple[int, int], float] = {}
        self.key: str | None = None
        self.lengths: dict[tuple, int] = {}

    def score(self) -> Score:
        parts = [self._part(part) for part in self.root.findall("part")]
        bars = max((len(part.bars) for part in parts), default=0)
        if len(parts) * bars > MOST_BARS:
            raise ValueError(f"{len(parts)} parts of {bars} bars; a score has at most {MOST_BARS:,} bars in all parts")
        metres = []
        metre = (4, 4)
        for bar in range(bars):
            metre = self.metre_at.get(bar, metre)
            metres.append(metre)
        for part in parts:
            part.filled.extend([0] * (bars - len(part.bars)))
            part.bars.extend([] for _ in range(bars - len(part.bars)))
        tempos = [(bar, tick, bpm) for (bar, tick), bpm in sorted(self.tempo_at.items())]
        title = self.root.findtext("movement-title") or self.root.findtext("work/work-title")
        return Score(parts, metres, tempos, self.key, title=title, unheard=self.unheard)

    def _part(self, element: Element) -> ScorePart:
        head = self.heads.get(element.get("id"), element)
        program = int(head.findtext("midi-instrument/midi-program") or 1) - 1
        part = ScorePart((head.findtext("part-name") or "").strip(), program=min(max(program, 0), 127))
        channels = {channel.text for channel in head.findall("midi-instrument/midi-channel")}
        drums = {
            instrument.get("id"): int(instrument.findtext("midi-unpitched") or 0) - 1
            for instrument in head.findall("midi-instrument")
        }
        self.divisions = Fraction(1)
        self.transposition = 0
        bars = []
        for bar, measure in enumerate(element.findall("measure")):
            notes, strokes, filled = self._bar(bar, measure, drums)
            part.bars.append(notes)
            bars.append(strokes)
            part.filled.append(filled)
        if any(bars) and part.sounds:  # a track is either
            self.unheard += sum(map(len, bars))
        elif any(bars) or (channels == {"10"} and not part.sounds):
            part.bars, part.is_drum = bars, True
        return part

    def _bar(self, bar: int, measure: Element, drums: dict) -> tuple[list[Written], list[Written], int]:
        """The notes of a bar, its strokes of percussion, and how far it is filled."""
        notes: list[Written] = []
        strokes: list[Written] = []
        cursor = filled = chord_onset = 0
        for element in measure:
            tag = element.tag
            if tag == "note":
                fields = {child.tag: child for child in element}
                if "grace" in fields:
                    continue
                duration = self._duration(element, fields)
                if "chord" in fields:
                    onset = chord_onset
                else:
                    onset = chord_onset = cursor
                    cursor += duration
                    filled = max(filled, cursor)
                if "rest" in fields or "cue" in fields or duration == 0:
                    continue
                ties = {tie.get("type") for tie in element.findall("tie")} if "tie" in fields else ()
                flags = (TIE_NEXT if "start" in ties else 0) | (TIE_BACK if "stop" in ties else 0)
                if "pitch" in fields:
                    pitch = self._pitch(fields["pitch"])
                    notes.append(Written(onset, duration, pitch, flags, _velocity(element)))
                elif "unpitched" in fields:
                    drum = _drum(fields.get("instrument"), drums)
                    if drum is None:
                        self.unheard += 1
                    else:
                        strokes.append(Written(onset, duration, drum, flags, _velocity(element)))
            elif tag == "backup":
                cursor = max(0, cursor - self._ticks(element.findtext("duration")))
            elif tag == "forward":
                cursor += self._ticks(element.findtext("duration"))
                filled = max(filled, cursor)
            elif tag == "attributes":
                self._attributes(bar, element)
            elif tag in ("direction", "sound"):
                bpm = _tempo(element)
                if bpm is not None:
                    self.tempo_at.setdefault((bar, cursor), bpm)
        return sorted(notes), sorted(strokes), filled

    def _attributes(self, bar: int, element: Element) -> None:
        for child in element:
            if child.tag == "divisions":
                self.divisions = _number(child.text)
            elif child.tag == "time" and child.find("beats") is not None:
                beats = sum(int(n) for n in (child.findtext("beats") or "").split("+"))
                unit = int(child.findtext("beat-type") or "")
                if not (0 < beats <= 255 and unit in (1, 2, 4, 8, 16, 32, 64)):
                    raise ValueError(f"metre {beats}/{unit}")
                self.metre_at.setdefault(bar, (beats, unit))
            elif child.tag == "key" and self.key is None:
                self.key = _key(child)
            elif child.tag == "transpose":
                octaves = int(child.findtext("octave-change") or 0)
                self.transposition = int(child.findtext("chromatic") or 0) + 12 * octaves

    def _ticks(self, text: str | None) -> int:
        return round(_number(text) * TICKS / self.divisions)

    def _duration(self, element: Element, fields: dict[str, Element]) -> int:
        """Ticks of a note or rest: what its `duration` says, or its type where the two differ only by rounding.

        Exporters with too few divisions a quarter cut the durations of short notes down to whole divisions,
        and a bar of them drifts: six eighths of 8/17 of a quarter are not three quarters.
        """
        if "duration" not in fields:
            raise ValueError("a note without a duration")
        kind = fields["type"].text if "type" in fields else None
        dots = len(element.findall("dot")) if "dot" in fields else 0
        tuplet = fields.get("time-modification")
        ratio = (tuplet.findtext("actual-notes"), tuplet.findtext("normal-notes")) if tuplet is not None else None
        key = (self.divisions, fields["duration"].text, kind, dots, ratio)
        ticks = self.lengths.get(key)
        if ticks is None:
            quarters = _number(fields["duration"].text) / self.divisions
            if kind in TYPES:
                typed = TYPES[kind] * (2 - Fraction(1, 2**dots))
                if ratio is not None:
                    typed *= Fraction(int(ratio[1] or ""), int(ratio[0] or ""))
                if abs(typed - quarters) * self.divisions < 1:
                    quarters = typed
            ticks = self.lengths[key] = round(quarters * TICKS)
        return ticks

    def _pitch(self, pitch: Element) -> int:
        step = alter = octave = None
        for child in pitch:
            if child.tag == "step":
                step = STEPS.get((child.text or "").strip())
            elif child.tag == "alter":
                alter = child.text
            elif child.tag == "octave":
                octave = child.text
        if step is None or octave is None:
            raise ValueError("a pitch without step or octave")
        midi = 12 * (int(octave) + 1) + step + (round(float(alter)) if alter else 0) + self.transposition
        if not 0 <= midi <= 127:
            raise ValueError(f"MIDI pitch {midi}")
        return midi


def _velocity(note: Element) -> int:
    percent = note.get("dynamics")
    return VELOCITY if percent is None else round(min(max(float(percent) * FORTE / 100, 0), 127))


def _drum(instrument: Element | None, drums: dict[str | None, int]) -> int | None:
    """MIDI pitch of a stroke, None if no instrument of the part names one."""
    if instrument is not None:
        pitch = drums.get(instrument.get("id"), -1)
    else:
        pitch = next(iter(drums.values())) if len(drums) == 1 else -1
    return pitch if 0 <= pitch <= 127 else None


def _number(text: str | None) -> Fraction:
    if not NUMBER.fullmatch(text or ""):
        raise ValueError(f"{(text or '')[:40]!r} is not a number of divisions")
    return Fraction((text or "").strip())


def _tempo(element: Element) -> float | None:
    """Quarter notes a minute that a direction or sound element sets, if any."""
    sound = element if element.tag == "sound" else element.find("sound")
    if sound is not None and sound.get("tempo"):
        bpm = float(sound.get("tempo") or "")
    else:
        mark = element.find("direction-type/metronome")
        unit = TYPES.get(mark.findtext("beat-unit") or "") if mark is not None else None
        if mark is None or unit is None:
            return None
        try:
            bpm = float(mark.findtext("per-minute") or "")
        except ValueError:  # "ca. 80" and the like state no number
            return None
        bpm *= float(unit * (2 - Fraction(1, 2 ** len(mark.findall("beat-unit-dot")))))
    return bpm if 1 <= bpm <= 1000 else None


def _key(element: Element) -> str | None:
    names = {"major": MAJOR, "minor": MINOR}.get(element.findtext("mode") or "")
    fifths = int(element.findtext("fifths") or 0)
    if names is None or not -7 <= fifths <= 7:
        return None
    return f"{names[fifths + 7]} {element.findtext('mode')}"
