"""Trees as the Lakh datasets have them, with labels whose right answer is known."""

from pathlib import Path

import h5py
import numpy as np

from musae_tf.music import Song
from musae_tf.music.multitrack import to_multitrack
from tests.corpus import band_song

SONGS = np.dtype(
    [("artist_id", "S32"), ("artist_name", "S1024"), ("duration", "<f8"), ("release", "S1024"), ("title", "S1024")]
)

TRACKS = tuple(f"TR{letters}128F42{number:05X}" for number, letters in enumerate(("AAAAA", "AABBB", "BCDEF", "CCCCC")))


def folder_of(root: Path, track: str) -> Path:
    """Where a track lies: A/B/C of its third to fifth letters."""
    return root / track[2] / track[3] / track[4]


def write_midi(root: Path, track: str, name: str, song: Song) -> str:
    """One version of a track; returns its path below the root."""
    path = folder_of(root, track) / track / f"{name}.mid"
    song.write(path)
    return path.relative_to(root).as_posix()


def write_npz(root: Path, track: str, name: str, song: Song) -> Path:
    """One pianoroll of a track, written by pypianoroll at the resolution of the Lakh Pianoroll Dataset."""
    path = folder_of(root, track) / track / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    to_multitrack(song, resolution=24).save(str(path))
    return path


def write_song_file(
    root: Path, track: str, terms: list[str], artist: str = "", name: str = "", title: str = ""
) -> Path:
    """An MSD song file with what is read of one."""
    path = folder_of(root, track) / f"{track}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    row = np.zeros(1, SONGS)
    row["artist_id"], row["artist_name"], row["title"] = artist.encode(), name.encode(), title.encode()
    with h5py.File(path, "w") as file:
        file.create_dataset("metadata/songs", data=row, maxshape=(None,), compression=1)
        data = np.array([term.encode() for term in terms], "S256")
        file.create_dataset("metadata/artist_terms", data=data, maxshape=(None,), chunks=(16,), compression=1)
    return path


def write_lakh(root: Path, versions: int = 2, bars: int = 6) -> list[str]:
    """Every track of `TRACKS` in so many versions; their paths."""
    return [
        write_midi(root, track, f"{version:032x}", band_song(bars, 10 * number + version))
        for number, track in enumerate(TRACKS)
        for version in range(versions)
    ]
