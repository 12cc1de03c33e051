"""The source `lmd`: the Lakh MIDI Dataset matched to the Million Song Dataset (lmd_matched), labels from anywhere."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from musae_tf.data.labels import TRACK, Facts, Labels
from musae_tf.data.source import Piece, Rejection
from musae_tf.data.walk import Found, walk
from musae_tf.music.song import Song

NO_TRACK = "without a track id"


class TrackItem(NamedTuple):
    """One file of a track: its path below the root, the track id, labels, the file of more labels, states on disk."""

    path: str
    track: str
    labels: tuple[str, ...]
    facts: str | None
    state: tuple[int, ...]


@dataclass
class LmdSource:
    """MIDI files in folders named by MSD track ids: `A/B/C/TRABC.../<md5>.mid`, as lmd_matched has them.

    A track may have several files, which are versions of it by different people. They, and all tracks of one artist
    where a label file names the artist, are kept in the same split. `labels` are files and folders, see
    `musae_tf.data.labels`; a track that none of them knows has no label.
    """

    midi: str | os.PathLike
    labels: Sequence[str | os.PathLike] = ()
    name: str = "lmd"
    licence: str = (
        "Lakh MIDI Dataset (Colin Raffel, 2016): CC BY 4.0 for the collection; the songs are those of their composers "
        "and of the people who sequenced them. Labels: those of their publishers"
    )
    layout: str = "band"

    def __post_init__(self) -> None:
        self._root = Path(self.midi)
        self._labels = Labels(list(map(Path, self.labels)))
        self._rejected: list[Rejection] = []

    def warm_up(self) -> None:
        """Import what reads labels."""
        self._labels.warm_up()

    def items(self) -> list[TrackItem]:
        """All files, sorted by path. Raises DatasetError if the folder cannot be read."""
        files, self._rejected = walk(self._root, (".mid", ".midi"))
        return track_items(files, self._labels, self._rejected)

    def load(self, item: TrackItem) -> Piece:
        """Read one file and the labels of its track. Raises MusicError if one of them cannot be read."""
        return track_piece(Song.read(f"{self._root}/{item.path}"), item, self._labels)

    def rejected(self) -> list[Rejection]:
        """Files and folders that the last `items` could not use, sorted by path."""
        return sorted(self._rejected)


def track_items(files: Sequence[Found], labels: Labels, rejected: list[Rejection]) -> list[TrackItem]:
    """Items of files by the track id that their folder or their own name is; `rejected` takes those without one."""
    items = []
    track = facts = None
    state: tuple[int, ...] = ()
    for path, size, changed in files:
        *folders, name = PurePosixPath(path).parts
        stem = name.partition(".")[0]
        found = next((part for part in (*reversed(folders), stem) if TRACK.fullmatch(part)), None)
        known = labels.known(*filter(None, (found, stem)))
        if found is None and not known:
            reason = f"{path}: neither its folder nor its name is a track id of the MSD, such as TRAAAGR128F425B14B"
            rejected.append(Rejection(path, reason, NO_TRACK))
            continue
        if found != track:
            track, facts = found, labels.file(found) if found else None
            state = () if facts is None else (facts.stat().st_size, facts.stat().st_mtime_ns)
        items.append(TrackItem(path, track or stem, known, facts and str(facts), (size, changed, *state)))
    return items


def track_piece(song: Song, item: TrackItem, labels: Labels) -> Piece:
    """A song with what its item and label files say of it. Raises UnfitError if a label file cannot be read."""
    facts = labels.facts(Path(item.facts)) if item.facts else Facts()
    hints = (f"track {item.track}", *([f"artist {facts.artist}"] if facts.artist else []))
    return Piece(
        song=song,
        id=item.path,
        source=item.path,
        labels=tuple(sorted({*item.labels, *facts.labels})),
        title=facts.title or item.track,
        hints=hints,
    )
