"""The source `corpus`: four schools of four-voice music out of the music21 package."""

import gc
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from musae_tf.data.source import Piece, Rejection
from musae_tf.errors import DatasetError, MusicError
from musae_tf.music.kern import count_spines, read_kern
from musae_tf.music.musicxml import LARGEST, read_musicxml
from musae_tf.music.roles import chosen_parts
from musae_tf.music.score import TICKS, WHOLE, Score, ScorePart, lay_out, metre_changes, note_array
from musae_tf.music.song import Song, Tempo, Track

VOICES = ("soprano", "alto", "tenor", "bass")
# How scores of the collection name the four voices: English, Italian, Latin.
NAMES = {
    "soprano": ("soprano", "canto", "cantus", "superius"),
    "alto": ("alto", "altus"),
    "tenor": ("tenor", "tenore"),
    "bass": ("bass", "basso", "bassus"),
}


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


def four_voices(parts: list[ScorePart]) -> list[ScorePart]:
    """Four of the sounding parts, top to bottom.

    Four parts are taken as they stand. Of more, the four that are named after the voices; if any of those names is
    missing, of those that play the top, the bottom and the two with the most notes between them (`chosen_parts`).

    Raises:
        MusicError: Fewer than four parts sound.
    """
    sounding = [part for part in parts if part.sounds]
    if len(sounding) < 4:
        raise MusicError(f"four sounding parts are needed, found {len(sounding)}")
    if len(sounding) == 4:
        return sounding
    named = [part for part in (_named(sounding, voice) for voice in VOICES) if part is not None]
    if len(named) == 4:
        return named
    written = [[note for bar in part.bars for note in bar] for part in sounding]
    lengths = [sum(note.duration for note in notes) for notes in written]
    return [sounding[part] for part in chosen_parts(lengths, [len(notes) for notes in written], 4)]


def _named(parts: list[ScorePart], voice: str) -> ScorePart | None:
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


CHOIR = (52, 52, 52, 52)
STRINGS = (40, 40, 41, 42)

# File names of the collection in the words of catalogues: opus18no1/movement2 is op. 18 no. 1, movement 2.
TITLE_WORDS = (
    (r"\bopus(\d+)", r"op. \1"),
    (r"(\d)no(\d)", r"\1 no. \2"),
    (r"\bk(\d)", r"K. \1"),
    (r"\bbwv(\d)", r"BWV \1"),
    (r"\bmovement(\d)", r"movement \1"),
    (r"\bmadrigal\.(\d)", r"madrigal \1"),
)


class School(NamedTuple):
    """One class: where its scores are below music21's `corpus`, and how they become songs.

    `only_four` leaves out scores of more or fewer voices, where there are enough of four to need no choosing.
    """

    patterns: tuple[str, ...]
    treatment: Treatment
    only_four: bool = False


# The quartets and chorales that are there as .krn too are the same movements, so only the others are taken.
SCHOOLS = {
    "bach": School(("bach/*.mxl", "bach/*.xml"), Treatment(tempo=92.0, programs=CHOIR)),
    "quartet": School(
        tuple(f"{folder}/**/*.mxl" for folder in ("beethoven", "haydn", "mozart", "schumann_robert")),
        Treatment(tempo=112.0, programs=STRINGS, pair=(2, 4), modes=False),
    ),
    "palestrina": School(("palestrina/*.krn",), Treatment(tempo=84.0, programs=CHOIR, halve=True), only_four=True),
    "monteverdi": School(("monteverdi/*.mxl",), Treatment(tempo=100.0, programs=CHOIR, modes=False)),
}

LICENCE = (
    "Scores from the music21 package on this machine; musae-tf ships none of them. Their encoders keep their own "
    "rights: music21's corpus/license.txt says that some may not be used commercially or are otherwise restricted, "
    "every Palestrina file reserves the rights to derived electronic formats (John Miller, 2000), and most Bach files "
    "carry a copyright notice (Margaret Greentree, 2003 and 2004). Read those notices before passing on a dataset, or "
    "a model trained on it."
)


class CorpusItem(NamedTuple):
    """One score: its class, its path below the corpus folder with `/`, and its size in bytes."""

    label: str
    path: str
    size: int


class CorpusSource:
    """Bach chorales, string quartets, Palestrina's masses and Monteverdi's madrigals from an installed music21.

    music21 is never imported: only the folder of its scores is read. Each piece has four tracks (layout `voices`),
    one label (bach, quartet, palestrina or monteverdi) and, for Palestrina, the mass as a group hint.

    `folder` overrides where the scores are (a `corpus` folder of music21).
    """

    name = "corpus"
    licence = LICENCE
    layout = "voices"

    def __init__(self, folder: str | Path | None = None):
        self.folder = Path(folder) if folder is not None else None
        self._rejected: list[Rejection] = []

    def items(self) -> list[CorpusItem]:
        """All scores of the four classes that have the voices their class takes, sorted by class and path.

        Raises:
            DatasetError: music21 is not installed, or its scores are not there or cannot be read.
        """
        folder = self._folder()
        items = []
        self._rejected = []
        try:
            for label, school in SCHOOLS.items():
                for path in {path for pattern in school.patterns for path in folder.glob(pattern)}:
                    item = CorpusItem(label, path.relative_to(folder).as_posix(), path.stat().st_size)
                    voices = _voices(path) if school.only_four else 4
                    if voices == 4:
                        items.append(item)
                    else:
                        reason = f"{item.path}: {voices} voices; of {label} only scores of four are taken"
                        self._rejected.append(Rejection(item.path, reason, "not in four voices"))
        except OSError as cause:
            raise DatasetError(f"cannot read {cause.filename or folder}: {cause.strerror or cause}") from cause
        if not items:
            raise DatasetError(f"no scores in {folder}; install music21 anew: pip install --force-reinstall music21")
        return sorted(items)

    def load(self, item: CorpusItem) -> Piece:
        """Read one score.

        Raises:
            MusicError: The score cannot be read or has fewer than four sounding parts.
        """
        path = self._folder() / item.path
        treatment = SCHOOLS[item.label].treatment
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as cause:
            raise MusicError(f"cannot read {path}: {cause.strerror or cause}") from cause
        # Documents are trees of up to a million objects without cycles: collecting garbage meanwhile adds half to the
        # time of parsing.
        collecting = gc.isenabled()
        gc.disable()
        try:
            score = (read_kern if path.suffix == ".krn" else read_musicxml)(data, item.path)
            title = _title(item.path, score.heading, score.title)
            song = to_song(score, treatment, title)
        except MusicError as cause:
            message = str(cause)
            raise MusicError(message if item.path in message else f"{item.path}: {message}") from cause
        finally:
            if collecting:
                gc.enable()
        hints = (f"palestrina mass {score.heading}",) if item.label == "palestrina" and score.heading else ()
        return Piece(
            song=song,
            id=item.path,
            source=item.path,
            labels=(item.label,),
            key=score.key if treatment.modes else None,
            title=title,
            hints=hints,
            settled=True,
        )

    def rejected(self) -> Sequence[Rejection]:
        """The scores that the last `items` left out for their number of voices, sorted by path."""
        return sorted(self._rejected)

    def _folder(self) -> Path:
        if self.folder is None:
            # find_spec, not import: importing music21 takes seconds and loads what a build has no use for.
            spec = find_spec("music21")
            if spec is None or spec.origin is None:
                raise DatasetError(
                    "the source corpus reads the scores of the music21 package, which is not installed; "
                    "install it: pip install 'musae-tf[corpus]'"
                )
            self.folder = Path(spec.origin).parent / "corpus"
        return self.folder


def _voices(path: Path) -> int:
    with path.open("rb") as file:
        return count_spines(file.read(4096))


def _title(path: str, heading: str | None, movement: str | None) -> str:
    """A title from the path, since titles in the files are missing, file names or noise; Palestrina's are good."""
    if heading:
        return f"Palestrina: {heading}, {movement or PurePosixPath(path).stem}"
    composer, *rest = PurePosixPath(path).with_suffix("").parts
    words = ", ".join(rest)
    for pattern, replacement in TITLE_WORDS:
        words = re.sub(pattern, replacement, words)
    return f"{composer.partition('_')[0].capitalize()}: {words}"
