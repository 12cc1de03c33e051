"""What a song is to be: key, tempo, form, grooves and chords, drawn at random from what its genre allows."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from musae_tf.data.band.harmony import HARMONY, NOTES, Chord, Harmony, chord, progression, section
from musae_tf.data.band.table import GrooveFile

TEMPO = {
    "ballad": (60, 92),
    "blues": (72, 140),
    "bossa_samba": (104, 152),
    "country_folk": (80, 144),
    "dance": (116, 140),
    "funk_soul": (84, 120),
    "hardrock": (110, 168),
    "jazz": (96, 200),
    "latin": (92, 148),
    "march_polka": (104, 136),
    "oldtime": (112, 184),
    "pop": (84, 128),
    "rock": (88, 144),
    "rocknroll": (124, 180),
}
"""Slowest and fastest, in quarters a minute."""

FORMS = ("AA", "AB", "AAB", "ABA", "ABB", "AABA", "ABAB", "AABB", "ABAC")
INTRO = 0.4
END = 0.4
FILL = 0.6
OTHER_DRUMS = 0.45
SECTION = 8
TWELVE = 12


class Bar(NamedTuple):
    """One bar: its groove, the pattern its drums are taken from (None: the groove's own), and one or two chords."""

    groove: str
    drums: str | None
    chords: tuple[Chord, ...]


class Plan(NamedTuple):
    """A song before it is played.

    `main` is the range of bars between introduction and ending. `seed` decides what mma and the arrangement draw.
    """

    title: str
    genre: str
    key: str
    tonic: int
    minor: bool
    tempo: int
    bars: tuple[Bar, ...]
    main: range
    seed: int


def make_plan(file: GrooveFile, dice: Random) -> Plan:
    """Draw a song over the grooves of one file."""
    harmony = HARMONY[file.genre]
    tonic, minor = dice.randrange(12), dice.random() < harmony.minor
    tempo = dice.randint(*TEMPO[file.genre])
    main = _main(file, harmony, tonic, minor, dice)
    before, after = [], []
    home = chord("i" if minor else "I", tonic)
    if file.intro and dice.random() < INTRO:
        groove = dice.choice(file.intro)
        before = [Bar(groove.name, None, bar.chords) for bar in main[-groove.bars :]]
    if file.end and dice.random() < END:
        groove = dice.choice(file.end)
        chords = [home] if groove.bars == 1 else [*[chord("V7", tonic)] * (groove.bars - 1), home]
        after = [Bar(groove.name, None, (one,)) for one in chords]
    groove = main[0].groove.partition(":")[2].lower()
    key = f"{NOTES[tonic]} {'minor' if minor else 'major'}"
    return Plan(
        title=f"{file.path}: {groove}",
        genre=file.genre,
        key=key,
        tonic=tonic,
        minor=minor,
        tempo=tempo,
        bars=(*before, *main, *after),
        main=range(len(before), len(before) + len(main)),
        seed=dice.randrange(2**31),
    )


def score(plan: Plan, drums: bool = False) -> str:
    """The plan in mma's language; with `drums`, of the drum patterns that come from elsewhere."""
    lines = [f"Tempo {plan.tempo}", f"RndSeed {plan.seed + drums}"]
    playing = None
    for number, bar in enumerate(plan.bars, 1):
        groove = (bar.drums if drums else None) or bar.groove
        if groove != playing:
            lines.append(f"Groove {groove}")
            playing = groove
        lines.append(f"{number} {' / '.join(one.name for one in bar.chords)}")
    return "\n".join(lines) + "\n"


def _main(file: GrooveFile, harmony: Harmony, tonic: int, minor: bool, dice: Random) -> list[Bar]:
    rounds = harmony.minor_rounds if minor else harmony.rounds
    if dice.random() < harmony.round_share:
        cells = dice.choice(rounds)
        sections = [progression(cells, tonic)] * dice.choice((1, 2, 2, 3))
        letters: Sequence[str] = "ABA"[: len(sections)]
    else:
        letters = dice.choice(FORMS)
        chords = {letter: section(harmony, minor, tonic, SECTION, dice) for letter in sorted(set(letters))}
        sections = [chords[letter] for letter in letters]
    grooves = {letter: dice.choice(file.main) for letter in "ABC"}
    drums: dict[str, str | None] = dict.fromkeys("ABC")
    if file.drums and dice.random() < OTHER_DRUMS:
        drums = {letter: dice.choice(file.drums) for letter in "ABC"}
    bars = []
    for letter, chords_of in zip(letters, sections, strict=True):
        played = [Bar(grooves[letter], drums[letter], bar) for bar in chords_of]
        if file.fill and dice.random() < FILL:
            fill = dice.choice(file.fill)
            played[-fill.bars :] = [Bar(fill.name, None, bar.chords) for bar in played[-fill.bars :]]
        bars += played
    return bars
