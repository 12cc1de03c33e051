"""The source `band`: which songs there are, each planned, played by the program mma and put together.

mma (Musical MIDI Accompaniment, GPL) is run as a program of its own: a score in, a MIDI file out.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from musae_tf.data.band.arrange import arrange
from musae_tf.data.band.plan import MERGED, SongPlan, groove_files, make_plan, score
from musae_tf.data.source import Piece, Rejection
from musae_tf.errors import DatasetError, MusicError
from musae_tf.music.song import Song

INSTALL = "install it with: apt-get install --no-install-recommends mma (Debian, Ubuntu)"
LIBRARIES = ("/usr/share/mma/lib", "/usr/local/share/mma/lib")
SECONDS = 60
"""A song takes a tenth of a second; a program that takes this long hangs."""


class Mma(NamedTuple):
    """An installed mma: the command, the folder of its groove files, and its version."""

    command: str
    library: str
    version: str


def find_mma(command: str | None = None, library: str | None = None) -> Mma:
    """Find the program and its library of grooves.

    Args:
        command: Name or path of the program; None for `mma` on the PATH.
        library: Folder with groove files (`stdlib/*.mma` and so on); None for the package's usual places.

    Raises:
        DatasetError: One of them is not there; the sentence says what to install.
    """
    program = shutil.which(command or "mma")
    if program is None:
        what = f"there is no program {command}" if command else "the program mma, which plays the songs, is not here"
        raise DatasetError(f"{what}; {INSTALL}")
    program = os.path.abspath(program)
    try:
        done = _run([program, "-v"], library)
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise DatasetError(f"{program} cannot be run: {cause}; {INSTALL}") from cause
    version = re.search(r"^\s*(\d[\w.]*)\s*$", done.stdout, re.MULTILINE)
    if version is None:
        raise DatasetError(f"{program} does not say its version as mma does (mma -v); {INSTALL}")
    beside = Path(program).resolve().parent.parent / "share" / "mma" / "lib"
    places = [library] if library else [str(beside), *LIBRARIES]
    for place in places:
        if os.path.isdir(os.path.join(place, "stdlib")):
            return Mma(program, os.path.abspath(place), version[1])
    raise DatasetError(f"no groove files of mma in {' or '.join(dict.fromkeys(places))} (folder stdlib); {INSTALL}")


def render(mma: Mma, score: str) -> bytes:
    """Play a score (text of mma's language) to the bytes of a MIDI file.

    Raises:
        MusicError: mma refuses the score, and why, or takes too long.
        DatasetError: The program has gone.
    """
    with tempfile.TemporaryDirectory(prefix="musae-mma-") as folder:
        path = Path(folder)
        (path / "song.mma").write_text(score, encoding="ascii")
        (path / "settings").touch()
        # -i: nobody's own settings file; -w: no warnings.
        command = [mma.command, "-w", "-i", str(path / "settings"), "-f", str(path / "song.mid"), "song.mma"]
        try:
            done = _run(command, mma.library, path)
        except subprocess.TimeoutExpired as cause:
            raise MusicError(f"mma did not finish in {SECONDS} s") from cause
        except OSError as cause:
            raise DatasetError(f"{mma.command} cannot be run any more: {cause.strerror or cause}; {INSTALL}") from cause
        try:
            if done.returncode == 0:
                return (path / "song.mid").read_bytes()
        except FileNotFoundError:
            pass
        raise MusicError(f"mma made no MIDI file: {_complaint(done.stdout + done.stderr) or f'code {done.returncode}'}")


def _run(command: list[str], library: str | None, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    # A clean environment: Python's variables are meant for this process, and hashes must not vary.
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    if folder:
        environment |= {"HOME": str(folder), "TMPDIR": str(folder)}
    if library:
        environment["MMA_LIBPATH"] = library
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=SECONDS, cwd=folder, env=environment,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def _complaint(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.startswith("Warning")]
    errors = [number for number, line in enumerate(lines) if line.lower().startswith("error")]
    return " ".join(lines[errors[0] if errors else -1 :])[:200]


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

    def _play(self, plan: SongPlan) -> Song:
        mma = self._find()
        song = Song.read(render(mma, score(plan)))
        drums = Song.read(render(mma, score(plan, drums=True))) if any(bar.drums for bar in plan.bars) else None
        return arrange(song, drums, plan)

    def _find(self) -> Mma:
        if self._found is None:
            self._found = find_mma(self.mma, self.mma_library)
        return self._found
