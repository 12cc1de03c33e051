"""Songs of a dataset back to files that other programs read: MIDI, pictures, tables."""

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from musae_tf.data.dataset import Dataset
from musae_tf.data.store import NONE, printable
from musae_tf.errors import DatasetError
from musae_tf.files import write_text
from musae_tf.music.grid import detokenize
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track
from musae_tf.time_grid import TICKS_PER_QUARTER

TABLE = "songs.csv"
REJECTIONS = "rejected.csv"
COLUMNS = ("path", "labels", "group", "id", "title", "split", "duplicate_of", "key", "tempo", "bars")
PICTURE_BARS = 8


def song_of(dataset: Dataset, number: int) -> Song:
    """A song of a dataset as music.

    Where bars are missing between two stretches of neighbouring bars, because the grid or a filter had no use for them,
    a silent bar of one quarter stands for them. So a dataset built from such songs has the same tokens and stretches.
    """
    row = dataset.songs[number]
    parts: list[list[np.ndarray]] = [[] for _ in dataset.layout.tracks]
    metres: list[Metre] = []
    at = 0
    for _, first, bars in dataset.runs[dataset.runs[:, 0] == number].tolist():
        if metres:
            metres.append(Metre(at, 1, 4))
            at += TICKS_PER_QUARTER
        tokens = np.array(dataset.tokens[first : first + bars])
        tokens[0, 0] = dataset.heads[first]
        piece = detokenize(tokens, dataset.layout)
        metres += [metre._replace(tick=at) for metre in piece.metres]
        for notes, track in zip(parts, piece.tracks, strict=True):
            moved = track.notes.copy()
            moved["start"] += at
            notes.append(moved)
        at += piece.end
    tracks = [
        Track(spec.name, spec.program, spec.is_drum, np.concatenate([np.empty(0, NOTE), *notes]))
        for spec, notes in zip(dataset.layout.tracks, parts, strict=True)
    ]
    return Song(TICKS_PER_QUARTER, tracks, [Tempo(0, row["tempo"])], metres, at, row["title"])


def export_songs(dataset: Dataset, numbers: Iterable[int], out: str | os.PathLike, pictures: bool = False) -> Path:
    """Write songs as MIDI files, with a table of them that `musae data build folder --labels` reads.

    Args:
        dataset: The dataset.
        numbers: Which songs, by their place in it.
        out: Folder, made if needed.
        pictures: Whether to draw the first bars of every song as a pianoroll beside it.

    Returns:
        The table.

    Raises:
        DatasetError: A file cannot be written.
        MusicError: matplotlib is missing and pictures are wanted.
    """
    out = Path(out)
    rows = []
    for number in numbers:
        row = dataset.songs[number]
        song = song_of(dataset, number)
        path = f"{number:06d}-{_slug(row['id'])}.mid"
        try:
            song.write(out / path)
        except OSError as cause:
            raise DatasetError(f"cannot write {out / path}: {cause.strerror or cause}") from cause
        if pictures:
            from musae_tf.music.picture import write_png

            first = dataset.runs[dataset.runs[:, 0] == number][0, 1]
            tokens = np.array(dataset.tokens[first : first + min(row["bars"], PICTURE_BARS)])
            tokens[0, 0] = dataset.heads[first]
            write_png(tokens, out / path.replace(".mid", ".png"), dataset.layout, row["title"] or row["id"])
        rows.append({**row, "path": path})
    write_text(out / TABLE, song_table(rows), DatasetError)
    return out / TABLE


def song_table(rows: Sequence[dict[str, Any]]) -> str:
    """Songs as a CSV table; several labels are separated by `;`, and songs without one have none."""
    joined = ({**row, "labels": ";".join(label for label in row["labels"] if label != NONE)} for row in rows)
    return _csv(COLUMNS, ({"path": row["source"], **row} for row in joined))


def rejection_table(dataset: Dataset) -> str:
    """What the dataset could not use, as a CSV table of source, kind and reason."""
    return _csv(("source", "kind", "reason"), dataset.rejections())


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        # Names of files need not be valid Unicode, tables are.
        writer.writerow({column: printable(str(row[column])) for column in columns if row[column] is not None})
    return text.getvalue()


def _slug(name: str) -> str:
    stem = re.sub(r"\.(midi?|kar|npz|mxl|xml|musicxml|krn|abc)\b", "", name, flags=re.IGNORECASE)
    return re.sub(r"[^0-9A-Za-z]+", "-", stem).strip("-")[-60:] or "song"
