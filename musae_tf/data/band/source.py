"""The source `band`: which songs there are, and each of them planned, played and put together."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from musae_tf.data.band.mma import Mma, find_mma, render
from musae_tf.data.band.parts import arrange
from musae_tf.data.band.plan import Plan, make_plan, score
from musae_tf.data.band.table import MERGED, groove_files
from musae_tf.data.source import Piece, Rejection
from musae_tf.errors import DatasetError, MusicError
from musae_tf.music.song import Song

SONGS = 100
TRIES = 3

LICENCE = (
    "Rendered on this machine with mma (Musical MIDI Accompaniment by Bob van der Poel, GPL-2+) from the grooves of "
    "its library, which are under the same licence; musae-tf ships neither. Nobody states terms for the music that mma "
    "makes, but it replays patterns of that library: take the GPL-2+ to apply before you pass on a dataset. Chords, "
    "forms and the parts that a groove lacks are musae-tf's own."
)


class BandItem(NamedTuple):
    """One song: its name, its genre, the groove file it is played on, the seed of all songs, and what plays it."""

    path: str
    label: str
    groove_file: str
    seed: int
    player: str


class BandSource:
    """Songs made up over the groove files of mma's library, as many in each of fourteen genres.

    Songs of one groove file, and of files that are much alike, share a group hint: split by song, a model would be
    tested on the grooves it was trained on.
    """

    name = "band"
    licence = LICENCE
    layout = "band"

    def __init__(
        self,
        songs: int = SONGS,
        genres: int = 8,
        seed: int = 1,
        command: str | None = None,
        library: str | None = None,
    ) -> None:
        """Nothing is played yet.

        Args:
            songs: Songs in each of the fourteen genres.
            genres: 8 for neighbouring genres under one label, 14 for all.
            seed: Decides everything about the songs.
            command: The program mma, see `find_mma`.
            library: Its groove files.

        Raises:
            DatasetError: An impossible number.
        """
        if genres not in (len(set(MERGED.values())), len(MERGED)):
            raise DatasetError(f"the source band has 8 genres or 14, not {genres}")
        if songs < 1:
            raise DatasetError(f"songs in a genre are {songs}; allowed: 1 or more")
        self.songs, self.genres, self.seed = songs, genres, seed
        self.command, self.library = command, library
        self._mma: Mma | None = None
        self._rejected: list[Rejection] = []

    def items(self) -> list[BandItem]:
        """All songs, sorted by name. Raises DatasetError if mma or its library are not on this machine."""
        mma = self._find()
        self._rejected = []
        items = []
        for genre, files in groove_files().items():
            present = [file for file in files if (Path(mma.library) / f"{file.path}.mma").is_file()]
            for file in set(files) - set(present):
                reason = f"{file.path}: mma {mma.version} has no such file in {mma.library}"
                self._rejected.append(Rejection(file.path, reason, "groove file not there"))
            label = MERGED[genre] if self.genres < len(MERGED) else genre
            for number in range(self.songs if present else 0):
                file = present[number % len(present)]
                items.append(BandItem(f"{genre}/{number:04d}", label, file.path, self.seed, f"mma {mma.version}"))
        if not items:
            raise DatasetError(f"none of the groove files that are used is in {mma.library}")
        return sorted(items)

    def load(self, item: BandItem) -> Piece:
        """Plan and play one song; another one over the same grooves if it comes out badly.

        Raises:
            MusicError: None of the attempts gave a song; the reason of the last.
        """
        genre = item.path.partition("/")[0]
        file = next(file for file in groove_files()[genre] if file.path == item.groove_file)
        for attempt in range(TRIES):
            plan = make_plan(file, Random(f"band {item.seed} {item.path} {attempt}"))
            try:
                song = self._play(plan)
                break
            except MusicError as cause:
                if attempt == TRIES - 1:
                    raise MusicError(f"{item.path} over {file.path}, attempt {TRIES}: {cause}") from cause
        return Piece(
            song=song,
            id=item.path,
            source=item.path,
            labels=(item.label,),
            key=plan.key,
            title=plan.title,
            hints=(f"groove family {file.family}",),
        )

    def rejected(self) -> Sequence[Rejection]:
        """Groove files that the library of this mma does not have."""
        return sorted(self._rejected)

    def _play(self, plan: Plan) -> Song:
        mma = self._find()
        song = Song.read(render(mma, score(plan)))
        drums = Song.read(render(mma, score(plan, drums=True))) if any(bar.drums for bar in plan.bars) else None
        return arrange(song, drums, plan)

    def _find(self) -> Mma:
        if self._mma is None:
            self._mma = find_mma(self.command, self.library)
        return self._mma
