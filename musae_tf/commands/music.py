"""`musae sample`, `reconstruct`, `interpolate` and `transfer`: MIDI files in, MIDI files, pictures and sound out."""

import re
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from musae_tf.commands.quiet import load_tensorflow
from musae_tf.commands.runs import find_run, print_next
from musae_tf.errors import MusicError
from musae_tf.files import atomic_path
from musae_tf.music import Layout, Metre, Song, Tempo, Track, tokenize
from musae_tf.music.audio import write_wav
from musae_tf.music.picture import pianoroll

if TYPE_CHECKING:
    from musae_tf.training import Run


class Piece(NamedTuple):
    """A song to write: `stem` names its files, `title` stands over its picture."""

    stem: str
    song: Song
    title: str


def sample(arguments: Namespace) -> None:
    """`musae sample RUN`."""
    run = _open_run(arguments)
    from musae_tf import generation

    genres = [arguments.genre] if arguments.genre else run.genres
    for genre in genres:
        generation.genre_number(run.genres, genre)
    _check_out(arguments, len(genres))
    model = run.load_model()
    pieces = []
    for genre in genres:
        tempo = arguments.tempo or run.facts.get("tempos", {}).get(genre, 120.0)
        song = generation.sample(model, run.layout, genre, arguments.bars, arguments.temperature, arguments.seed, tempo)
        pieces.append(Piece(f"{_plain(genre)}-{arguments.seed}", song, f"{genre}, seed {arguments.seed}"))
    written = _write(pieces, run, arguments)
    first, *others = run.genres
    print_next(
        (f"transfer {run.path} {written[0]} --to {others[0] if others else first}", "move a piece to another genre"),
        (f"sample {run.path} --genre {first} --seed {arguments.seed + 1}", "another piece"),
    )


def reconstruct(arguments: Namespace) -> None:
    """`musae reconstruct RUN SONG.mid`."""
    run = _open_run(arguments)
    _check_out(arguments, 1)
    song = _read(arguments.song, run.layout, arguments.bars)
    from musae_tf import generation

    model = run.load_model()
    rebuilt = generation.reconstruct(model, run.layout, song, arguments.temperature, arguments.seed)
    _write([Piece(f"{song.name}-reconstructed", rebuilt, f"{song.name}, reconstructed")], run, arguments)


def interpolate(arguments: Namespace) -> None:
    """`musae interpolate RUN START.mid END.mid`."""
    run = _open_run(arguments)
    _check_out(arguments, arguments.points)
    start, end = (_read(path, run.layout, arguments.bars) for path in (arguments.start, arguments.end))
    from musae_tf import generation

    model = run.load_model()
    songs = generation.interpolate(
        model, run.layout, start, end, arguments.points, arguments.temperature, arguments.seed
    )
    digits, last = len(str(len(songs))), len(songs) - 1
    pieces = []
    for point, song in enumerate(songs):
        stem = f"{start.name}-to-{end.name}-{point + 1:0{digits}d}"
        pieces.append(Piece(stem, song, f"{start.name} to {end.name}, {point / last:.0%} of the way"))
    _write(pieces, run, arguments)


def transfer(arguments: Namespace) -> None:
    """`musae transfer RUN SONG.mid --to GENRE`."""
    run = _open_run(arguments)
    from musae_tf import generation

    for genre in filter(None, (arguments.to, arguments.source)):
        generation.genre_number(run.genres, genre)
    _check_out(arguments, 1)
    song = _read(arguments.song, run.layout, arguments.bars)
    model = run.load_model()
    source = arguments.source or generation.infer_genre(model, run.layout, song)
    if not arguments.source:
        print(f"{arguments.song}: taken for {source}; --source names another genre")
    moved = generation.transfer(
        model, run.layout, song, arguments.to, source, arguments.strength, arguments.temperature, arguments.seed
    )
    title = f"{song.name}, {source} to {arguments.to} by {arguments.strength:g}"
    _write([Piece(f"{song.name}-to-{_plain(arguments.to)}", moved, title)], run, arguments)


def _open_run(arguments: Namespace) -> "Run":
    path = find_run(arguments.run)
    load_tensorflow()
    from musae_tf.training import Run

    return Run.open(path)


def _check_out(arguments: Namespace, pieces: int) -> None:
    if pieces > 1 and _is_file(arguments.out):
        raise MusicError(f"--out {arguments.out} is one file, but this makes {pieces} pieces: name a folder")


def _is_file(out: str | None) -> bool:
    return out is not None and Path(out).suffix.lower() in (".mid", ".midi")


def _read(path: str, layout: Layout, bars: int | None) -> Song:
    """Read a MIDI file, cut it to its first bars, and say what of it the model cannot take."""
    song = _first_bars(Song.read(path), bars)
    try:
        losses = tokenize(song, layout).losses
    except MusicError as error:
        raise MusicError(f"{path}: {error}") from None
    parts = [
        f"{losses[key]} {words}"
        for key, words in (
            ("bars_other_metre", f"of {losses['bars']} bars are not 16 sixteenths long and are left out"),
            ("outside_layout", f"of {losses['notes']} notes belong to none of the tracks {', '.join(layout.names)}"),
            ("overlapped", "notes are lost, since a track plays one note at a time"),
            ("off_grid", "notes are moved to the nearest sixteenth"),
        )
        if losses[key]
    ]
    if parts:
        print(f"{path}: {'; '.join(parts)}")
    return song


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


def _plain(name: str) -> str:
    """A genre's name as part of a file name."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "genre"


def _write(pieces: list[Piece], run: "Run", arguments: Namespace) -> list[Path]:
    """Write all pieces with pictures and, if asked for, sound; print the paths. A full disk leaves none of them.

    Returns:
        The MIDI files.
    """
    if _is_file(arguments.out):
        paths = [Path(arguments.out)]
    else:
        folder = Path(arguments.out) if arguments.out else run.path / "samples"
        paths = [folder / f"{piece.stem}.mid" for piece in pieces]
    written = []
    with ExitStack() as stack:

        def new(path: Path) -> Path:
            written.append(path)
            return stack.enter_context(atomic_path(path, MusicError))

        for path, (_, song, title) in zip(paths, pieces, strict=True):
            new(path).write_bytes(song.to_bytes())
            new(path.with_suffix(".png")).write_bytes(pianoroll(song, run.layout, title=title))
            if arguments.wav:
                _write_sound(song, new(path.with_suffix(".wav")))
    for path in written:
        print(path)
    return paths


def _write_sound(song: Song, path: Path) -> None:
    try:
        write_wav(song, path)
    except MusicError as error:
        # The path is a temporary one: let whoever made it name the real one.
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise
