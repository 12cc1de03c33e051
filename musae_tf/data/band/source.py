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
        seed: int = 1,
        fine: bool = False,
        mma: str | None = None,
        mma_library: str | None = None,
    ) -> None:
        """Nothing is played yet.

        Args:
            songs: Songs in each of the fourteen genres.
            seed: Decides everything about the songs.
            fine: Fourteen genres under labels of their own; otherwise neighbours share one of eight.
            mma: The program, see `find_mma`.
            mma_library: Its groove files.

        Raises:
            DatasetError: An impossible number.
        """
        if songs < 1:
            raise DatasetError(f"songs in a genre are {songs}; allowed: 1 or more")
        self.songs, self.seed, self.fine = songs, seed, fine
        self.mma, self.mma_library = mma, mma_library
        self._found: Mma | None = None
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
            label = genre if self.fine else MERGED[genre]
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
            DatasetError: mma is not there any more.
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
                    find_mma(self.mma, self.mma_library)  # is it the song, or has the program gone?
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
        if self._found is None:
            self._found = find_mma(self.mma, self.mma_library)
        return self._found
