"""Humdrum **kern to `Score`.

Format: https://www.humdrum.org/rep/kern/. Read: spines, bars, notes, chords, rests, ties, metres and the key.
Grace notes are left out; spines that split or join are refused (no score of the collection has any).
"""

import re
from fractions import Fraction

from musae_tf.errors import MusicError
from musae_tf.music.score import TICKS, TIE_BACK, TIE_NEXT, Score, ScorePart, Written

STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
MODES = {
    "ion": "ionian",
    "dor": "dorian",
    "phr": "phrygian",
    "lyd": "lydian",
    "mix": "mixolydian",
    "aeo": "aeolian",
    "loc": "locrian",
}
NOTE = re.compile(r"(\d+)(?:%(\d+))?(\.*)")
PITCH = re.compile(r"([a-gA-G])\1*")
METRE = re.compile(r"\*M(\d+)/(\d+)$")
KEY = re.compile(r"\*([a-gA-G])([-#]?):(\w*)$")


def read_kern(data: bytes, name: str) -> Score:
    """Read a **kern document; `name` is for messages. Parts come out top first (kern writes the lowest first).

    Raises:
        MusicError: no **kern spine, a line of another width, a split spine, or a token that cannot be read.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    reader = _Reader(name)
    for number, line in enumerate(text.splitlines(), 1):
        if line:
            reader.line(number, line)
    return reader.score()


def count_spines(head: bytes) -> int:
    """How many **kern spines a document has, from its first kilobytes; 0 if they do not say."""
    for line in head.splitlines():
        if line.startswith(b"**"):
            return line.split(b"\t").count(b"**kern")
    return 0


class _Reader:
    def __init__(self, name: str):
        self.name = name
        self.spines: list[int] = []  # columns that hold **kern
        self.width = 0
        self.parts: list[ScorePart] = []
        self.bar: list[list[Written]] = []
        self.filled: list[int] = []
        self.metre = (4, 4)
        self.bar_metre: tuple[int, int] | None = None
        self.metres: list[tuple[int, int]] = []
        self.tempo_at: dict[tuple[int, int], float] = {}
        self.key: str | None = None
        self.records: dict[str, str] = {}
        self.tokens: dict[str, tuple[int, tuple[tuple[int, int], ...]]] = {}

    def line(self, number: int, line: str) -> None:
        if line.startswith("!!"):
            if line.startswith("!!!") and ":" in line:
                key, _, value = line[3:].partition(":")
                self.records.setdefault(key, value.strip())
            return
        if line.startswith("!"):
            self._names(line.split("\t"))
            return
        fields = line.split("\t")
        if not self.parts:
            self._begin(number, fields)
            return
        if len(fields) != self.width:
            raise MusicError(f"{self.name}, line {number}: {len(fields)} columns where there were {self.width}")
        if line.startswith("*"):
            self._interpretation(number, [fields[spine] for spine in self.spines])
        elif line.startswith("="):
            self._close()
        else:
            self._data(number, fields)

    def _begin(self, number: int, fields: list[str]) -> None:
        self.spines = [column for column, field in enumerate(fields) if field == "**kern"]
        if not self.spines:
            raise MusicError(f"{self.name}, line {number}: no **kern spine before the first data")
        self.width = len(fields)
        self.parts = [ScorePart("") for _ in self.spines]
        self._open()

    def _open(self) -> None:
        self.bar = [[] for _ in self.parts]
        self.filled = [0] * len(self.parts)
        self.bar_metre = None

    def _close(self) -> None:
        if self.bar_metre and any(self.filled):
            self.metres.append(self.bar_metre)
            for part, notes, filled in zip(self.parts, self.bar, self.filled, strict=True):
                part.bars.append(notes)
                part.filled.append(filled)
        self._open()

    def _names(self, fields: list[str]) -> None:
        if len(fields) == self.width:
            for part, spine in zip(self.parts, self.spines, strict=True):
                part.name = part.name or fields[spine].lstrip("!").strip()

    def _interpretation(self, number: int, fields: list[str]) -> None:
        for field in fields:
            if field in ("*^", "*v", "*x", "*+"):
                raise MusicError(f"{self.name}, line {number}: spines that split or join ({field}) are not read")
            if match := METRE.match(field):
                beats, unit = int(match[1]), int(match[2])
                if not (0 < beats <= 255 and unit in (1, 2, 4, 8, 16, 32, 64)):
                    raise MusicError(f"{self.name}, line {number}: impossible metre {field}")
                self.metre = (beats, unit)
            elif field.startswith("*MM"):
                self._tempo(field)
            elif self.key is None and (match := KEY.match(field)):
                tonic = match[1].upper() + match[2].replace("-", "b")
                mode = MODES.get(match[3]) if match[3] else ("major" if match[1].isupper() else "minor")
                self.key = f"{tonic} {mode}" if mode else None

    def _tempo(self, field: str) -> None:
        try:
            bpm = float(field[3:])
        except ValueError:  # *MM[Andante]
            return
        # Every spine states the tempo: the first one counts.
        if 1 <= bpm <= 1000:
            self.tempo_at.setdefault((len(self.metres), max(self.filled)), bpm)

    def _data(self, number: int, fields: list[str]) -> None:
        # A change of metre may stand before the bar line or after it: the bar's is the one at its first notes.
        self.bar_metre = self.bar_metre or self.metre
        for voice, spine in enumerate(self.spines):
            token = fields[spine]
            if token == ".":
                continue
            parsed = self.tokens.get(token)
            if parsed is None:
                try:
                    parsed = self.tokens[token] = _token(token)
                except ValueError as cause:
                    raise MusicError(f"{self.name}, line {number}: cannot read {token[:40]!r}: {cause}") from cause
            duration, pitches = parsed
            onset = self.filled[voice]
            self.filled[voice] = onset + duration
            for pitch, tie in pitches:
                self.bar[voice].append(Written(onset, duration, pitch, tie))

    def score(self) -> Score:
        if not self.parts:
            raise MusicError(f"{self.name}: no **kern spine")
        self._close()
        return Score(
            self.parts[::-1],
            self.metres,
            [(bar, tick, bpm) for (bar, tick), bpm in self.tempo_at.items()],
            self.key,
            heading=self.records.get("OPR"),
            title=self.records.get("OTL"),
        )


def _token(token: str) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Ticks that a data token lasts, and (pitch, tie) for each of its notes."""
    notes = [part for part in token.split(" ") if "q" not in part and "Q" not in part]
    if not notes:
        return 0, ()  # grace notes only
    ticks = min(_ticks(note) for note in notes)
    return ticks, tuple((_pitch(note), _tie(note)) for note in notes if "r" not in note)


def _ticks(note: str) -> int:
    match = NOTE.search(note)
    if match is None:
        raise ValueError("no duration")
    recip, divisor, dots = match[1], match[2], len(match[3])
    if len(match[0]) > 12:
        raise ValueError("a duration of more than 12 characters")
    if match[2] and not int(match[2]):
        raise ValueError("a duration of nothing")
    # Zeros count in twos: 0 is a breve, 00 a long, 000 a maxima.
    whole = Fraction(int(divisor or 1), int(recip)) if int(recip) else Fraction(2 ** len(recip))
    return round(whole * (2 - Fraction(1, 2**dots)) * 4 * TICKS)


def _pitch(note: str) -> int:
    match = PITCH.search(note)
    if match is None:
        raise ValueError("neither a pitch nor a rest")
    letters = match[0]
    octave = 3 + len(letters) if letters[0].islower() else 4 - len(letters)
    midi = 12 * (octave + 1) + STEPS[letters[0].lower()] + note.count("#") - note.count("-")
    if not 0 <= midi <= 127:
        raise ValueError(f"MIDI pitch {midi}")
    return midi


def _tie(note: str) -> int:
    if "_" in note:
        return TIE_NEXT | TIE_BACK
    return (TIE_NEXT if "[" in note else 0) | (TIE_BACK if "]" in note else 0)
