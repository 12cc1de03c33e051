"""`musae sample`, `reconstruct`, `interpolate` and `transfer`: MIDI files in, MIDI files, pictures and sound out."""

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from musae_tf.commands.pieces import (
    Piece,
    check_out,
    interpolated,
    read_song,
    reconstructed,
    sampled,
    transferred,
    write_pieces,
)
from musae_tf.commands.runs import open_run, print_next, samples_folder

if TYPE_CHECKING:
    from musae_tf.training import Run


def sample(arguments: Namespace) -> None:
    """`musae sample RUN`."""
    run = open_run(arguments)
    from musae_tf import generation

    genres = [arguments.genre] if arguments.genre else run.genres
    for genre in genres:
        generation.genre_number(run.genres, genre)
    check_out(arguments.out, len(genres))
    model = run.load_model()
    pieces = []
    for genre in genres:
        tempo = arguments.tempo or run.facts.get("tempos", {}).get(genre, 120.0)
        song = generation.sample(model, run.layout, genre, arguments.bars, arguments.temperature, arguments.seed, tempo)
        pieces.append(sampled(genre, arguments.seed, song))
    _write(pieces, run, arguments)
    written = arguments.report["pieces"][0]["midi"]
    first, *others = run.genres
    model = "--pretrained" if arguments.pretrained else run.path
    print_next(
        (f"transfer {model} {written} --to {others[0] if others else first}", "move a piece to another genre"),
        (f"sample {model} --genre {first} --seed {arguments.seed + 1}", "another piece"),
    )


def reconstruct(arguments: Namespace) -> None:
    """`musae reconstruct RUN SONG.mid`."""
    run = open_run(arguments)
    check_out(arguments.out, 1)
    song = read_song(arguments.song, run.layout, arguments.bars)
    from musae_tf import generation

    model = run.load_model()
    rebuilt = generation.reconstruct(model, run.layout, song, arguments.temperature, arguments.seed)
    _write([reconstructed(song, rebuilt)], run, arguments)


def interpolate(arguments: Namespace) -> None:
    """`musae interpolate RUN START.mid END.mid`."""
    run = open_run(arguments)
    check_out(arguments.out, arguments.points)
    start, end = (read_song(path, run.layout, arguments.bars) for path in (arguments.start, arguments.end))
    from musae_tf import generation

    model = run.load_model()
    songs = generation.interpolate(
        model, run.layout, start, end, arguments.points, arguments.temperature, arguments.seed, arguments.path
    )
    _write(interpolated(start, end, songs), run, arguments)


def transfer(arguments: Namespace) -> None:
    """`musae transfer RUN SONG.mid --to GENRE`."""
    run = open_run(arguments)
    from musae_tf import generation

    for genre in filter(None, (arguments.to, arguments.source)):
        generation.genre_number(run.genres, genre)
    check_out(arguments.out, 1)
    song = read_song(arguments.song, run.layout, arguments.bars)
    model = run.load_model()
    source = arguments.source or generation.infer_genre(model, run.layout, song)
    if not arguments.source:
        print(f"{arguments.song}: taken for {source}; --source names another genre")
    moved = generation.transfer(
        model, run.layout, song, arguments.to, source, arguments.strength, arguments.temperature, arguments.seed
    )
    piece = transferred(song, source, arguments.to, arguments.strength, moved)
    _write([piece], run, arguments, source=source, to=arguments.to)


def _write(pieces: Sequence[Piece], run: "Run", arguments: Namespace, **facts: str) -> None:
    folder = samples_folder(run, arguments)
    written = write_pieces(pieces, run.layout, arguments.out, folder, wav=arguments.wav)
    arguments.report = {"run": str(run.path), **facts, "pieces": written}
