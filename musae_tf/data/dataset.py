"""Open a dataset folder and find phrases in it: a few neighbouring bars, by their first bar."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from musae_tf.data.split import SPLITS, Split
from musae_tf.data.store import (
    ARRAYS,
    FORMAT,
    MANIFEST,
    REJECTED,
    SONGS,
    array_hash,
    array_shapes,
    content_hash,
    text_hash,
)
from musae_tf.errors import DatasetError, MusicError
from musae_tf.music.grid import sounding_bars
from musae_tf.music.layouts import Layout


@dataclass(frozen=True, eq=False)
class PhraseIndex:
    """Phrases of one length. Nothing is copied: tokens are cut from the dataset when they are asked for.

    Attributes:
        starts: int64 [N], first bar of each phrase in the arrays of the dataset.
        songs: int32 [N], the song it comes from.
        bars: Bars a phrase.
        layout: What the tracks are.
        genres: Names of the genres.
        song_labels: bool [songs of the dataset, G].
        bar_tokens: uint16 [bars of the dataset, S, C].
        bar_heads: uint16 [bars of the dataset, C], first symbols with holds resolved.
    """

    starts: np.ndarray
    songs: np.ndarray
    bars: int
    layout: Layout
    genres: tuple[str, ...]
    song_labels: np.ndarray
    bar_tokens: np.ndarray
    bar_heads: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def steps(self) -> int:
        """Steps a phrase."""
        return self.bars * self.bar_tokens.shape[1]

    @property
    def labels(self) -> np.ndarray:
        """The genres of every phrase, those of its song: bool [N, G]."""
        return self.song_labels[self.songs]

    def tokens(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Tokens of some phrases, uint16 [n, bars * S, C]. One that starts inside a note starts with its onset."""
        starts = self.starts[rows]
        tokens = self.bar_tokens[starts[:, None] + np.arange(self.bars)]
        tokens[:, 0, 0] = self.bar_heads[starts]
        return tokens.reshape(len(starts), self.steps, tokens.shape[-1])

    def take(self, rows: np.ndarray) -> "PhraseIndex":
        """The index of some of the phrases: row numbers, or a bool [N]."""
        return replace(self, starts=self.starts[rows], songs=self.songs[rows])

    def without_overlap(self) -> "PhraseIndex":
        """Phrases that have no bar in common, taken from the left."""
        rows, free = [], 0
        for row, start in enumerate(self.starts.tolist()):
            if start >= free:
                rows.append(row)
                free = start + self.bars
        return self.take(np.array(rows, np.int64))


def phrase_starts(runs: np.ndarray, bars: int, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """First bars and songs of all phrases of `bars` bars, one every `hop` bars of each run (int64 [runs, 3])."""
    counts = np.maximum((runs[:, 2] - bars) // hop + 1, 0)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(runs[:, 1], counts) + hop * within, np.repeat(runs[:, 0], counts).astype(np.int32)


_KEYS = {
    **dict.fromkeys(("name", "source", "licence", "hash"), str),
    **dict.fromkeys(("layout", "split", "counts", "losses", "shared", "rejected", "hashes"), dict),
    "genres": list,
}
_SONG_KEYS = {"id", "source", "title", "labels", "tempo", "key", "group", "split", "duplicate_of", "bars", "losses"}
_SCAN = 65536  # bars looked at in one go


class Dataset:
    """A dataset folder, opened with `Dataset.open`.

    Attributes:
        path: The folder.
        manifest: What manifest.json says.
        layout: Track layout.
        genres: Names, in the order of every genre number.
        songs: Rows of songs.jsonl as dictionaries.
        tokens: uint16 [bars, S, C], mapped from the disk.
        heads: uint16 [bars, C], first symbol of every bar with holds resolved.
        runs: int64 [runs, 3]: song, first bar, bars.
        hash: Content hash.
    """

    def __init__(
        self, path: Path, manifest: dict[str, Any], songs: list[dict[str, Any]], arrays: dict[str, np.ndarray]
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.layout = Layout.from_dict(manifest["layout"])
        self.genres: tuple[str, ...] = tuple(manifest["genres"])
        self.songs = songs
        self.tokens = arrays["tokens.npy"]
        self.heads = arrays["heads.npy"]
        self.runs = np.array(arrays["runs.npy"])
        self.hash: str = manifest["hash"]

    @classmethod
    def open(cls, path: str | os.PathLike, verify: bool = False) -> "Dataset":
        """Open a dataset folder.

        The manifest, the songs and the sizes of the arrays are always checked against each other; `verify` also reads
        everything and compares the hashes.

        Raises:
            DatasetError: No dataset, another format, or damaged: the file and what is wrong with it.
        """
        folder = Path(path)
        manifest = _read_manifest(folder)
        songs = _read_songs(folder / SONGS, manifest)
        counts = manifest["counts"]
        shapes = array_shapes(counts["bars"], counts["runs"], Layout.from_dict(manifest["layout"]))
        arrays = {name: _map_array(folder / name, dtype, shapes[name]) for name, dtype in ARRAYS.items()}
        _check_runs(folder, arrays["runs.npy"], songs, counts["bars"])
        if verify:
            found = {name: array_hash(array) for name, array in arrays.items()} | {SONGS: text_hash(folder / SONGS)}
            for name, digest in found.items():
                if digest != manifest["hashes"].get(name):
                    raise DatasetError(f"{folder / name} is damaged: its content is not what {MANIFEST} recorded")
        return cls(folder, manifest, songs, arrays)

    def phrases(
        self,
        split: Split,
        bars: int,
        hop: int = 1,
        sounding: Literal["all", "any"] = "all",
    ) -> PhraseIndex:
        """All phrases of one split, without those of duplicate songs.

        Args:
            split: "train", "validation" or "test".
            bars: Length of a phrase.
            hop: Bars from the start of one phrase to the next, within a stretch of neighbouring bars.
            sounding: Keep phrases in which all tracks sound somewhere, or any track does.

        Raises:
            DatasetError: An argument is none of these.
        """
        if split not in SPLITS or sounding not in ("all", "any"):
            raise DatasetError(f"phrases of {split!r}, {sounding!r}; allowed: {', '.join(SPLITS)}, and 'all' or 'any'")
        if bars < 1 or hop < 1:
            raise DatasetError(f"phrases of {bars} bars every {hop} bars; both must be 1 or more")
        wanted = np.array([song["split"] == split and song["duplicate_of"] is None for song in self.songs])
        starts, songs = phrase_starts(self.runs[wanted[self.runs[:, 0]]], bars, hop)
        sums = self._sounding_sums
        sounds = sums[starts + bars] > sums[starts]
        kept = sounds.all(axis=1) if sounding == "all" else sounds.any(axis=1)
        return PhraseIndex(
            starts[kept], songs[kept], bars, self.layout, self.genres, self.song_labels, self.tokens, self.heads
        )

    def lacks(self, bars: int, sounding: Literal["all", "any"] = "all") -> str:
        """Why no model can be trained, validated and tested on phrases of `bars` bars; empty if one can."""
        for split in SPLITS:
            songs = sum(song["split"] == split and song["duplicate_of"] is None for song in self.songs)
            if not songs:
                return (
                    f"{self.path} has no song in its {split} part: {len(self.songs):,} songs in "
                    f"{self.manifest['counts']['groups']:,} groups of related ones are too few"
                )
            if not len(self.phrases(split, bars, sounding=sounding)):
                tracks = ", ".join(f"{track} in {count:,}" for track, count in self.sounding_bars.items())
                return (
                    f"{self.path} has no phrase of {bars} bars in its {split} part ({songs:,} songs) in which "
                    f"{sounding} of the tracks sound. They sound in so many of all {len(self.tokens):,} bars: {tracks}"
                )
        return ""

    def rejections(self) -> list[dict[str, str]]:
        """Source, kind and reason of all that the dataset could not use.

        Raises:
            DatasetError: The list cannot be read.
        """
        return _read(self.path / REJECTED, _lines)

    @cached_property
    def song_labels(self) -> np.ndarray:
        """The genres of every song: bool [songs, G]."""
        return np.array([[genre in song["labels"] for genre in self.genres] for song in self.songs], bool)

    @property
    def sounding_bars(self) -> dict[str, int]:
        """In how many bars each track sounds, by its name; a held note sounds."""
        return dict(zip(self.layout.names, self._sounding_sums[-1].tolist(), strict=True))

    @cached_property
    def _sounding_sums(self) -> np.ndarray:
        # Per track, in how many bars before each one it sounds: differences answer for any stretch of bars.
        sums = np.zeros((len(self.tokens) + 1, len(self.layout.tracks)), np.int32)
        for first in range(0, len(self.tokens), _SCAN):
            sums[first + 1 : first + 1 + _SCAN] = sounding_bars(self.tokens[first : first + _SCAN], self.layout)
        return np.cumsum(sums, axis=0, out=sums)


def _read(path: Path, parse: Callable[[bytes], Any]) -> Any:
    try:
        return parse(path.read_bytes())
    except OSError as cause:
        raise DatasetError(f"cannot read {path}: {cause.strerror}") from cause
    except ValueError as cause:
        raise DatasetError(f"{path} is damaged: {cause}") from cause


def _lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.exists() and not folder.is_file():
        reason = f"it has no {MANIFEST}" if folder.is_dir() else "there is no such folder"
        raise DatasetError(f"{folder} is not a dataset: {reason}")
    manifest = _read(path, json.loads)
    if not isinstance(manifest, dict) or "format" not in manifest:
        raise DatasetError(f"{path} is not the manifest of a dataset: it has no key 'format'")
    if manifest["format"] != FORMAT:
        raise DatasetError(
            f"{folder} has dataset format {manifest['format']!r}, this version reads {FORMAT}; build it again"
        )
    for key, kind in _KEYS.items():
        if not isinstance(manifest.get(key), kind):
            raise DatasetError(f"{path} is damaged: key {key!r} is missing or is not a {kind.__name__}")
    for key in ("songs", "bars", "runs", "groups", "duplicates"):
        if not isinstance(manifest["counts"].get(key), int):
            raise DatasetError(f"{path} is damaged: key 'counts.{key}' is missing or is not a number")
    try:
        Layout.from_dict(manifest["layout"])
    except MusicError as cause:
        raise DatasetError(f"{path} is damaged: {cause}") from cause
    if content_hash(manifest) != manifest["hash"]:
        raise DatasetError(f"{path} is damaged: its hash does not fit its content")
    return manifest


def _read_songs(path: Path, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    songs = _read(path, _lines)
    for number, song in enumerate(songs, 1):
        if not isinstance(song, dict) or not song.keys() >= _SONG_KEYS or not isinstance(song["bars"], int):
            raise DatasetError(f"{path} is damaged: line {number} lacks a key")
    expected = manifest["counts"]["songs"]
    if len(songs) != expected:
        raise DatasetError(f"{path} is damaged: it has {len(songs)} songs, {MANIFEST} says {expected}")
    return songs


def _map_array(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError as cause:
        raise DatasetError(f"cannot read {path}: {cause.strerror or cause}") from cause
    except ValueError as cause:
        raise DatasetError(f"{path} is damaged: {cause}") from cause
    if array.dtype != dtype or array.shape != shape:
        raise DatasetError(
            f"{path} is damaged: it holds {array.dtype} {list(array.shape)}, {MANIFEST} says {dtype} {list(shape)}"
        )
    # A plain view: the subclass for mapped arrays is slow to index.
    return array.view(np.ndarray)


def _check_runs(folder: Path, runs: np.ndarray, songs: list[dict[str, Any]], bars: int) -> None:
    first_bars = np.cumsum([0, *(song["bars"] for song in songs)])
    song, first, count = runs.T
    fits = first_bars[-1] == bars and ((song >= 0) & (song < len(songs)) & (count > 0)).all()
    fits = fits and ((first >= first_bars[song]) & (first + count <= first_bars[song + 1])).all()
    if not fits:
        raise DatasetError(f"{folder / 'runs.npy'} is damaged: it does not fit the songs in {SONGS}")
