"""Songs as files: what the commands share that make music, whether with a run or with a server."""

import math
import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, TypeGuard

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.files import atomic_path, check_place
from musae_tf.music import Layout, Metre, Song, Tempo, Track, tokenize
from musae_tf.music.audio import write_wav
from musae_tf.music.engraving import ENGRAVERS
from musae_tf.music.picture import pianoroll
from musae_tf.music.pieces import WARNINGS, losses_in_words, sweep
from musae_tf.music.reading import MIDI, file_of
from musae_tf.music.writing import WRITERS, as_file, endings

_LONGEST_STEM = 96  # bytes: with two of them and more a name still is one that disks take


class MadePiece(NamedTuple):
    """A song to write: `stem` names its files, `title` stands over its picture."""

    stem: str
    song: Song
    title: str


def check_out(out: str | None, pieces: int, *sources: str) -> None:
    """Whether `--out` can take some pieces, and the pieces that they are made of are there; before a model is loaded.

    Raises:
        MusicError: it is one file, and they are more than one, or its ending is of no format that is written; it is one
            of the sources; it cannot be written; or a source is no file.
    """
    for source in sources:
        file = file_of(source)
        if not Path(file).is_file():
            reason = "Is a directory" if Path(file).is_dir() else "No such file or directory"
            raise MusicError(f"cannot read {source}: {reason}")
        if out is not None and Path(out).exists() and Path(out).samefile(file):
            raise MusicError(f"--out {out} is the piece that is read: name another file or a folder")
    if out is not None and _has_other_ending(out):
        raise MusicError(f"--out {out}: the file of a piece ends in {endings()}; a new folder of this name is {out}/")
    if pieces > 1 and _is_file(out):
        raise MusicError(f"--out {out} is one file, but this makes {pieces} pieces: name a folder")
    if out is not None:
        check_place(out, not _is_file(out), MusicError)


def read_sources(arguments: Namespace, pieces: int, *sources: str) -> list[Song]:
    """The first `--bars` bars of the pieces that others are made of, see `check_out`.

    Raises:
        MusicError: `--out` cannot take them, or a source cannot be read.
    """
    check_out(arguments.out, pieces, *sources)
    return [_first_bars(Song.read(source), arguments.bars) for source in sources]


def say_losses(path: str, song: Song, layout: Layout) -> None:
    """Say what of a song the model cannot take.

    Raises:
        MusicError: it holds nothing that the model can take.
    """
    try:
        losses = losses_in_words(song, tokenize(song, layout))
    except MusicError as error:
        raise MusicError(f"{path}: {error}") from None
    if losses:
        print(f"{path}: {losses}")


def say_left_out(path: str, made: Song) -> None:
    """Say how many notes of a piece have no place in what was made of it, with its rhythm or its pitches kept."""
    for key in ("without_new_pitch", "without_new_place"):
        if key in made.warnings:
            print(f"{path}: {made.warnings[key]} {WARNINGS[key]}")


def plain(name: str) -> str:
    """A genre's name as part of a file name."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "genre"


def _stem(source: Song) -> str:
    """A song's name as part of a file name: the title of somebody's score may be long, and name other folders."""
    name = re.sub(r"[\x00-\x1f/\\]+", "_", source.name).encode("utf-8", "replace")[:_LONGEST_STEM]
    return name.decode("utf-8", "ignore").strip(". ") or "song"


def sampled(genre: str, seed: int, song: Song) -> MadePiece:
    """A new piece of a genre."""
    return MadePiece(f"{plain(genre)}-{seed}", song, f"{genre}, seed {seed}")


def reconstructed(source: Song, song: Song) -> MadePiece:
    """A piece encoded and decoded again."""
    return MadePiece(f"{_stem(source)}-reconstructed", song, f"{source.name}, reconstructed")


def interpolated(start: Song, end: Song, songs: Sequence[Song]) -> list[MadePiece]:
    """Pieces between one and another, numbered."""
    digits, last = len(str(len(songs))), len(songs) - 1
    return [
        MadePiece(
            f"{_stem(start)}-to-{_stem(end)}-{point + 1:0{digits}d}",
            song,
            f"{start.name} to {end.name}, {point / last:.0%} of the way",
        )
        for point, song in enumerate(songs)
    ]


def transferred(source: Song, origin: str, target: str, strength: float, song: Song) -> MadePiece:
    """A piece moved from one genre towards another."""
    return MadePiece(
        f"{_stem(source)}-to-{plain(target)}", song, f"{source.name}, {origin} to {target} by {strength:g}"
    )


def changed(source: Song, changes: Mapping[str, float], song: Song) -> MadePiece:
    """A piece with so many units more (or less, if negative) of some attributes."""
    words = [f"{'more' if math.copysign(1, units) > 0 else 'less'} {name}" for name, units in changes.items()]
    title = ", ".join(f"{word} by {abs(units):g}" for word, units in zip(words, changes.values(), strict=True))
    return MadePiece(f"{_stem(source)}-{plain('-'.join(words))}", song, f"{source.name}, {title}")


def swept(source: Song, attribute: str, strength: float, songs: Sequence[Song]) -> list[MadePiece]:
    """A piece with less to more of one attribute, numbered."""
    digits = len(str(len(songs)))
    return [
        MadePiece(
            f"{_stem(source)}-{plain(attribute)}-{number:0{digits}d}",
            song,
            f"{source.name}, {attribute} by {amount:+g}",
        )
        for number, (song, amount) in enumerate(zip(songs, sweep(len(songs), strength), strict=True), 1)
    ]


def edited(source: Song, what: str, seed: int, song: Song) -> MadePiece:
    """A piece of which a part was written."""
    return MadePiece(f"{_stem(source)}-{what}-{seed}", song, f"{source.name}, {what}, seed {seed}")


def varied(source: Song, amount: float, songs: Sequence[Song]) -> list[MadePiece]:
    """Versions of a piece, numbered."""
    digits = len(str(len(songs)))
    return [
        MadePiece(f"{_stem(source)}-version-{number:0{digits}d}", song, f"{source.name}, varied by {amount:g}")
        for number, song in enumerate(songs, 1)
    ]


def wanted(arguments: Namespace) -> dict[str, float]:
    """What `--more` and `--less` ask for; empty if `--sweep` asks for something.

    Raises:
        MusicError: nothing, the same twice, or both ways.
    """
    strength = arguments.strength
    asked = [(name, strength) for name in arguments.more] + [(name, -strength) for name in arguments.less]
    if arguments.sweep is not None and asked:
        raise MusicError("--sweep goes from less to more by itself: leave out --more and --less")
    if arguments.sweep is None and not asked:
        raise MusicError("say what the piece is to have more or less of: --more notes, --less bass:register, ...")
    changes = dict(asked)
    if len(changes) < len(asked):
        raise MusicError("an attribute is named twice: each can be asked for once")
    return changes


def write_pieces(
    pieces: Sequence[MadePiece],
    layout: Layout,
    out: str | None,
    folder: Path,
    picture: bool = True,
    wav: bool = False,
    engraved: str | None = None,
    ending: str = ".mid",
) -> list[dict[str, str]]:
    """Write all pieces and print the paths. A full disk leaves none of them.

    Args:
        pieces: what to write.
        layout: of the model.
        out: folder, or for a single piece a file in the format of its ending; None for `folder`.
        folder: where to write if the user does not say.
        picture: whether to draw them too.
        wav: whether to write sound too.
        engraved: ending of engraved scores, "svg" or "pdf"; None for none.
        ending: of the files in a folder.

    Returns:
        For each piece its `title` and its files: `midi` or, in another format, `score`, and `picture`, `sound` and
        `engraving` where they were made.

    Raises:
        MusicError: a file cannot be written, or a package for pictures, sound or scores is missing.
    """
    paths = [Path(out)] if _is_file(out) else [Path(out or folder) / f"{piece.stem}{ending}" for piece in pieces]
    written: list[dict[str, str]] = []
    with ExitStack() as stack:

        def new(kind: str, path: Path) -> Path:
            written[-1][kind] = str(path)
            return stack.enter_context(atomic_path(path, MusicError))

        for path, (_, song, title) in zip(paths, pieces, strict=True):
            written.append({"title": title})
            midi = path.suffix.lower() in MIDI
            new("midi" if midi else "score", path).write_bytes(as_file(song, path))
            if picture:
                new("picture", path.with_suffix(".png")).write_bytes(pianoroll(song, layout, title=title))
            if wav:
                _write_sound(song, new("sound", path.with_suffix(".wav")))
            if engraved:
                new("engraving", path.with_suffix(f".{engraved}")).write_bytes(ENGRAVERS[engraved](song))
    for files in written:
        for kind in ("midi", "score", "picture", "sound", "engraving"):
            if kind in files:
                print(files[kind])
    return written


def _is_file(out: str | None) -> TypeGuard[str]:
    return out is not None and Path(out).suffix.lower() in WRITERS


def _has_other_ending(out: str) -> bool:
    """Whether something new is named as a file is, with an ending of no format that is written."""
    ending = re.fullmatch(r"\.[A-Za-z]\w{1,7}", Path(out).suffix)
    return bool(ending) and not (_is_file(out) or out.endswith("/") or Path(out).is_dir())


def _first_bars(song: Song, count: int | None) -> Song:
    edges = song.bars()
    if count is None or len(edges) <= count:
        return song
    end = int(edges[count, 0])
    tracks = []
    for track in song.tracks:
        notes = track.notes[track.notes["start"] < end].copy()
        notes["duration"] = np.minimum(notes["duration"], end - notes["start"])
        tracks.append(Track(track.name, track.program, track.is_drum, notes))
    tempos = [Tempo(*tempo) for tempo in song.tempos if tempo.tick < end]
    metres = [Metre(*metre) for metre in song.metres if metre.tick < end]
    return Song(song.ticks_per_quarter, tracks, tempos, metres, end, song.name)


def _write_sound(song: Song, path: Path) -> None:
    try:
        write_wav(song, path)
    except MusicError as error:
        # The path is a temporary one: let whoever made it name the real one.
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise
