"""How each genre sounds: chords and their progressions, rhythms of the parts, and what the strings do.

Progressions are written in Roman numerals over the major scale, four bars each, with `,` between two chords of a bar:
"I vi ii7,V7 I". Small numerals are minor chords; after them 7 is a minor seventh, b5 a half-diminished and o a
diminished chord. Rhythms are written in sixteenths, a bar long: `x` strikes, `-` goes on, `.` is silent.
"""

import re
from random import Random
from typing import NamedTuple

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
BLUES = (0, 3, 5, 6, 7, 10)
FIVE = (0, 2, 4, 7, 9)


class Style(NamedTuple):
    """Rhythms of each part.

    `strings` says how often the strings hold chords, play a melody, strike chords together or break them; the
    rhythms of the last three follow. `scales` are of melodies in major and minor keys.
    """

    bass: tuple[str, ...]
    comping: tuple[str, ...]
    strings: tuple[float, float, float, float]
    melodies: tuple[str, ...]
    stabs: tuple[str, ...] = ("x.....x.........", "........x..x....", "x...............")
    broken: tuple[str, ...] = ("x-x-x-x-x-x-x-x-", "x---x---x---x---")
    scales: tuple[tuple[int, ...], tuple[int, ...]] = (MAJOR, MINOR)


STYLES = {
    "ballad": Style(
        bass=("x-----x-x-------", "x-------x-------"), comping=("x---x---x---x---", "x-------x-------"),
        strings=(0.6, 0.3, 0.0, 0.1),
        melodies=("x-------x---x---", "x-----------x---", "x---------------", "x-------x-------"),
    ),
    "blues": Style(
        bass=("x---x---x---x---", "x-x-x-x-x-x-x-x-"),
        comping=("....x-......x-..", "x-....x-........", "x---x-x-x---x-x-"), strings=(0.1, 0.5, 0.4, 0.0),
        melodies=("..x-x-x-x-......", "x-x-x---........", "........x-x-x---", "x-x-x-x-x-......"),
        stabs=("......x-....x-..", "x-....x-........", "....x-......x-.."), scales=(BLUES, BLUES),
    ),
    "bossa_samba": Style(
        bass=("x-----x-x-----x-",), comping=("x-..x-....x-..x-", "..x-..x-..x-x-..", "x-....x-....x-.."),
        strings=(0.45, 0.45, 0.0, 0.1),
        melodies=("x-----x---x-----", "..x---x---x-----", "x-----x---------", "....x-..x-..x---"),
    ),
    "country_folk": Style(
        bass=("x-------x-------",), comping=("....x-......x-..", "....x-x-....x-x-"), strings=(0.15, 0.55, 0.0, 0.3),
        melodies=("x-x-x-x-x---x---", "x---x-x-x-x-x---", "x-x-x---x-x-x---"),
        broken=("x-x-x-x-x-x-x-x-", "x-xxx-xxx-xxx-xx"), scales=(FIVE, MINOR),
    ),
    "dance": Style(
        bass=("..x-..x-..x-..x-", "x-x-x-x-x-x-x-x-", "..xx..xx..xx..xx"),
        comping=("..x-..x-..x-..x-", "x--x--x-x--x--x-"), strings=(0.3, 0.2, 0.2, 0.3),
        melodies=("x--x--x-x--x--x-", "x-----x---x-----", "x--x--x---------"),
        stabs=("x--x--x---------", "..x-..x-..x-..x-", "x-----x-....x---"),
        broken=("xxxxxxxxxxxxxxxx", "x-x-x-x-x-x-x-x-", "x-xxx-xxx-xxx-xx"),
    ),
    "funk_soul": Style(
        bass=("x--x--x-..x-..x-", "x-..x-.x..x-x-..", "x-.x..x---.x..x-"),
        comping=("..x...x..x....x.", "x..x..x.....x...", "....x..x....x..x"), strings=(0.2, 0.2, 0.6, 0.0),
        melodies=("x..x..x.........", "..x-.x..x---....", "x-.x..x---......"),
        stabs=("......x.x.......", "x..x............", "..........x..x..", "x..x..x........."),
    ),
    "hardrock": Style(
        bass=("x-x-x-x-x-x-x-x-", "xxxxxxxxxxxxxxxx"), comping=("x-x-x-x-x-x-x-x-", "x-xxx-xxx-xxx-xx"),
        strings=(0.6, 0.25, 0.0, 0.15), melodies=("x---x---x---x---", "x-------x-x-x---", "x-------x-------"),
        scales=(FIVE, MINOR),
    ),
    "jazz": Style(
        bass=("x---x---x---x---",),
        comping=("x-....x-........", "......x-......x-", "....x-....x-....", "......x-..x-...."),
        strings=(0.15, 0.5, 0.35, 0.0),
        melodies=("x-x-x-x-x-x-x-x-", "..x-x-x-x---....", "x-x-x-..x-x-x---", "......x-x-x-x---"),
        stabs=("x-....x-........", "......x-......x-", "....x-........x-"),
    ),
    "latin": Style(
        bass=("x-----x-....x---", "......x-....x---"),
        comping=("x-x-.x-x.x-x.x-x", "x-..x-.x..x-x-..", "x-x-x-.x.x-x.x-x"), strings=(0.15, 0.3, 0.5, 0.05),
        melodies=("x--x--x---x-x---", "..x-..x-x---....", "x-----x---x-x---"),
        stabs=("x-....x-....x-..", "..x-..x-......xx", "x--x--x---x-x---"),
    ),
    "march_polka": Style(
        bass=("x-------x-------",), comping=("....x-......x-..",), strings=(0.05, 0.75, 0.1, 0.1),
        melodies=("x---x---x-x-x---", "x--xx---x--xx---", "x---x---x-------", "x-x-x-x-x---x---"),
    ),
    "oldtime": Style(
        bass=("x-------x-------",), comping=("....x-......x-..", "x---x---x---x---"), strings=(0.2, 0.6, 0.2, 0.0),
        melodies=("x--xx--xx-------", "x---x-x-x---x---", "x-------x---x---", "..x-x-x-x-------"),
        stabs=("....x-......x-..", "x-....x-x-......"),
    ),
    "pop": Style(
        bass=("x-----x-x-----x-", "x-x-x-x-x-x-x-x-", "x---------x-x---"),
        comping=("x-x-x-x-x-x-x-x-", "x---x---x---x---", "x--x--x-x--x--x-"), strings=(0.5, 0.25, 0.05, 0.2),
        melodies=("x-----x-x-------", "x-------x---x---", "..x-x-x-x-------"),
    ),
    "rock": Style(
        bass=("x-x-x-x-x-x-x-x-", "x-----x-x-------", "x--x----x--x----"),
        comping=("x-x-x-x-x-x-x-x-", "x-----x---x-----", "x--x..x...x.x..."), strings=(0.45, 0.35, 0.1, 0.1),
        melodies=("x-------x-------", "x---x---x-------", "x-----x-x-------"), scales=(FIVE, MINOR),
    ),
    "rocknroll": Style(
        bass=("x---x---x---x---",), comping=("x-x-x-x-x-x-x-x-", "....x-......x-..", "x-x-..x-x-x-..x-"),
        strings=(0.1, 0.45, 0.4, 0.05), melodies=("x-x-x-x-x---....", "x---x-x-x-x-....", "..x-x-x-..x-x-x-"),
        stabs=("x.....x.x.......", "..x...x...x...x.", "x-x-..x-........"), scales=(FIVE, BLUES),
    ),
}  # fmt: skip
"""By name of the fourteen genres."""


NOTES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")

# Name after the root, in mma's language, and semitones above the root.
TONES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "M7": (0, 4, 7, 11),
    "9": (0, 4, 7, 10, 14),
    "m9": (0, 3, 7, 10, 14),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "sus4": (0, 5, 7),
}
_SMALL = {"": "m", "6": "m6", "7": "m7", "9": "m9", "b5": "m7b5", "o": "dim7"}
_NUMERAL = re.compile(r"([b#]?)([IViv]+)(.*)")


class Chord(NamedTuple):
    """A chord: root 0 (C) to 11, and a quality of `TONES`."""

    root: int
    quality: str

    @property
    def name(self) -> str:
        """As mma spells it."""
        return NOTES[self.root] + self.quality

    @property
    def classes(self) -> tuple[int, ...]:
        """Pitch classes, the root first."""
        return tuple((self.root + tone) % 12 for tone in TONES[self.quality])


class Harmony(NamedTuple):
    """What a genre's songs are built of. `rounds` are whole twelve-bar forms; `minor` is the share of minor keys."""

    major: tuple[str, ...]
    minor_cells: tuple[str, ...]
    minor: float
    rounds: tuple[str, ...] = ()
    minor_rounds: tuple[str, ...] = ()
    round_share: float = 0.0


def chord(numeral: str, tonic: int) -> Chord:
    """The chord of a numeral in the key of `tonic` (0 to 11). Raises ValueError if there is none."""
    match = _NUMERAL.fullmatch(numeral)
    if match is None or match[2].upper() not in NUMERALS:
        raise ValueError(f"{numeral!r} is no chord")
    shift = {"": 0, "b": -1, "#": 1}[match[1]]
    quality = _SMALL.get(match[3]) if match[2].islower() else match[3]
    if quality not in TONES:
        raise ValueError(f"{numeral!r} has no chord quality that is known")
    return Chord((tonic + MAJOR[NUMERALS.index(match[2].upper())] + shift) % 12, quality)


def progression(cells: str, tonic: int) -> list[tuple[Chord, ...]]:
    """The chords of every bar."""
    return [tuple(chord(numeral, tonic) for numeral in bar.split(",")) for bar in cells.split()]


def section(harmony: Harmony, minor: bool, tonic: int, bars: int, dice: Random) -> list[tuple[Chord, ...]]:
    """`bars` bars of four-bar cells. The same cell twice in a row, or two that answer each other."""
    cells = harmony.minor_cells if minor else harmony.major
    first, second = dice.choice(cells), dice.choice(cells)
    order = [first, second if dice.random() < 0.6 else first]
    return [bar for number in range(bars // 4) for bar in progression(order[number % 2], tonic)]


_POP = Harmony(
    (
        "I V vi IV", "vi IV I V", "I vi IV V", "I IV vi V", "I iii IV V", "IV V iii vi", "I V IV IV", "I ii IV V",
        "I,V vi,iii IV V", "IV I V vi",
    ),
    ("i bVI bIII bVII", "i bVII bVI bVII", "i iv bVII bIII", "i bVI iv V", "i v bVI bVII", "bVI bVII i i"),
    0.3,
)  # fmt: skip
_TWELVE = (
    "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7",
    "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7,IV7 I7,V7",
    "I7 IV7 I7 I7 IV7 #ivo I7 VI7 ii7 V7 I7,VI7 ii7,V7",
    "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 V7 I7 I7",
)
_MINOR_TWELVE = (
    "i7 i7 i7 i7 iv7 iv7 i7 i7 bVI7 V7 i7 V7",
    "i7 iv7 i7 i7 iv7 iv7 i7 i7 V7 iv7 i7 V7",
)

HARMONY = {
    "rock": Harmony(
        ("I I IV V", "I bVII IV I", "I IV I V", "I V IV I", "I I bVII IV", "vi IV I V", "I IV V IV", "I vi IV V"),
        ("i bVII bVI bVII", "i i bVI bVII", "i bIII bVII iv", "i iv i bVII", "i bVI bVII i", "i bVII iv i"), 0.35,
    ),
    "hardrock": Harmony(
        ("I I bVII IV", "I bIII IV I", "I bVII bVI bVII", "I I IV bIII"),
        ("i i bVI bVII", "i bII i bII", "i bVI v bVII", "i i iv bVI", "i bIII bVII bVI", "i i i bVII"), 0.75,
    ),
    "rocknroll": Harmony(
        ("I vi IV V7", "I I IV IV", "I I7 IV V7", "IV I V7 I", "I vi ii7 V7"),
        ("i i iv iv", "i iv V7 i", "i bVI iv V7"), 0.1, _TWELVE[::3], _MINOR_TWELVE[1:], 0.45,
    ),
    "pop": _POP,
    "blues": Harmony(
        ("I7 IV7 I7 V7", "I7 I7 IV7 I7", "I7 VI7 ii7 V7", "IV7 IV7 I7 I7"),
        ("i7 iv7 i7 V7", "i7 i7 iv7 i7", "iv7 i7 bVI7 V7"), 0.25, _TWELVE, _MINOR_TWELVE, 0.75,
    ),
    "jazz": Harmony(
        (
            "ii7 V7 IM7 IM7", "IM7 vi7 ii7 V7", "iii7 VI7 ii7 V7", "IM7 I7 IVM7 iv6", "IM7,vi7 ii7,V7 iii7,VI7 ii7,V7",
            "IM7 #io ii7 V7", "ii7 V7 iii7 VI7", "I6 IV7 I6,VI7 ii7,V7",
        ),
        ("iib5 V7 i6 i6", "i6 iib5,V7 i6 V7", "iv7 bVII7 bIIIM7 bVIM7", "i7 iv7 iib5 V7", "i6 bVI7 iib5 V7"), 0.3,
        _TWELVE[1:3], _MINOR_TWELVE, 0.15,
    ),
    "latin": Harmony(
        ("I IV V7 IV", "I vi7 ii7 V7", "ii7 V7 IM7 VI7", "I I V7 V7", "I V7 V7 I"),
        ("i iv V7 i", "i bVII bVI V7", "iv i V7 i", "i i V7 V7", "i V7 V7 i"), 0.5,
    ),
    "bossa_samba": Harmony(
        ("IM7 IM7 II7 II7", "ii7 V7 IM7 VI7", "IM7 iii7,VI7 ii7 V7", "IM7 #io ii7 V7", "IM7 iv6 iii7,VI7 ii7,V7"),
        ("i6 iv7 iib5 V7", "i7 bVIM7 iib5 V7", "iv7 bVII7 bIIIM7 V7", "i9 i9 iv9 V7"), 0.35,
    ),
    "country_folk": Harmony(
        ("I I V7 I", "I IV I V7", "I I IV V7", "IV I V7 I", "I V7 vi IV", "I IV V7 I", "I,V7 I IV,V7 I"),
        ("i bVII i V7", "i iv i V7", "i bIII bVII i"), 0.12,
    ),
    "funk_soul": Harmony(
        ("I7 I7 IV7 IV7", "I9 I9 I9 IV9", "ii7 V7 ii7 V7", "IM7 iii7 ii7 V7", "I7 bVII7 IV7 I7", "IM7 IVM7 IM7 IVM7"),
        ("i7 IV7 i7 IV7", "i7 i7 iv7 V7", "i9 i9 i9 IV9", "i7 bVIM7 iv7 v7", "i7 v7 i7 v7"), 0.5,
    ),
    "dance": Harmony(
        ("I V vi IV", "vi IV I V", "I I IV IV", "I bVII IV I", "IV V vi vi"),
        ("i i bVI bVII", "i bVI bIII bVII", "i iv bVI V", "i i i i", "i bVII bVI bVII", "i7 i7 iv7 iv7"), 0.65,
    ),
    "ballad": Harmony(
        (
            "I V,vi IV V", "I iii7 IV iv6", "vi IV I V", "IM7 vi7 ii7 V7", "I vi ii7 Vsus4,V7", "I V vi iii",
            "IVM7 iii7 ii7 V7",
        ),
        ("i bVII bVI V7", "i iv7 bVII bIII", "i v bVI V7", "iv7 bVII bIIIM7 V7"), 0.25,
    ),
    "march_polka": Harmony(
        ("I I V7 V7", "V7 V7 I I", "I IV I V7", "IV I V7 I", "I I V7 I", "I VI7 ii,V7 I"),
        ("i i V7 V7", "V7 V7 i i", "i iv V7 i"), 0.12,
    ),
    "oldtime": Harmony(
        (
            "I VI7 II7 V7", "I I7 IV iv6", "I biiio ii7 V7", "I III7 VI7 II7,V7", "ii7 V7 I6 I6", "I6 VI7 ii7 V7",
            "II7 V7 I I",
        ),
        ("i V7 i V7", "iv i V7 i", "i bVI7 V7 i"), 0.15,
    ),
}  # fmt: skip
"""By name of the fourteen genres."""
