"""What a model can be asked to do with a part of a piece, in the manner of `musae_tf.verbs.functions`."""

# ruff: noqa: D417  (these become the docstrings of methods, which are not given the description)

from dataclasses import replace

import numpy as np

from musae_tf.errors import InvalidRequestError, WrongModelError
from musae_tf.music import Song, pieces
from musae_tf.music.hole import KEEP, Hole, cut_hole, filled
from musae_tf.music.known import KNOWN, PITCH
from musae_tf.music.melody import extended, melody_of
from musae_tf.music.pieces import Music
from musae_tf.music.placing import Placement
from musae_tf.music.selecting import Bars, Tracks, part, selected_bars, selected_tracks
from musae_tf.verbs import arguments
from musae_tf.verbs.description import Description
from musae_tf.verbs.functions import TEMPERATURE
from musae_tf.verbs.steps import SignatureCall, Steps, decoded, naming, read, sampling, songs_of_versions
from musae_tf.verbs.writing import HINT, written


def fill(
    model: Description,
    music: Music,
    bars: Bars | None = None,
    tracks: Tracks | None = None,
    keep: str = "nothing",
    genre: str | None = None,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    trust: float | None = None,
) -> Steps[Song]:
    """The music with a part of it written anew: `fill("mine.mid", bars="5-6", tracks="alto,tenor")`.

    All else is there as it was, to the tick. A note belongs to the bar in which it begins. What is written suits what
    is there before it, beside it and, within a phrase, after it; another seed gives another version.

    Args:
        music: the piece.
        bars: which bars, from 1, as the piece is notated: "5-6", "3,7-8", [5, 6]; None for all.
        tracks: which tracks, by the names of the model's layout or of the piece: "alto,tenor"; None for all.
        keep: "nothing" of what was there; its "rhythm": notes stay where they are and get other pitches; or its
            "pitches": each voice has them in their order, in a new rhythm. The song's `warnings` count as
            `without_new_pitch` and `without_new_place` those that the grid has no room for, or that became equal.
        genre: what is written is of this genre; None leaves that to what is there.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.
        trust: how far to follow the codes, see `decode`; None for what suits codes of parts best.

    Raises:
        InvalidRequestError: there is no such bar or track, or nothing is selected, or everything.
        UnknownGenreError: the model has no such genre; the message lists those it has.
        MusicError: the music has none of the layout's tracks or no bar of its metre.
        WrongModelError: the model was not trained to read music with hidden parts, or it was exported before pitches
            could be kept.
    """
    model.require("fill", HINT)
    arguments.choice("keep", keep, KEEP)
    if keep == "pitches" and model.levels <= PITCH:
        raise WrongModelError(
            f"the model {model.name!r} cannot keep pitches", hint="export it again with this version of musae-tf"
        )
    number = _genre(model, genre)
    if bars is None and tracks is None and keep == "nothing":
        raise InvalidRequestError("nothing is selected: name bars such as 5-6, tracks, or both")
    song, grid, _ = read(model, music)
    chosen = None if bars is None else selected_bars(song, bars)
    columns = None if tracks is None else selected_tracks(model.layout, tracks, grid.names)
    hole = cut_hole(song, model.layout, grid.roles, part(song, model.layout, chosen, columns), keep)
    if (hole.levels == KNOWN).all():
        what = "room is" if keep == "nothing" else "notes with a pitch begin"
        raise InvalidRequestError(f"nothing is to be written: no {what} in the bars and tracks that are selected")
    if keep == "nothing" and (hole.levels != KNOWN).all():
        raise InvalidRequestError("everything is selected: nothing would be left of the piece for the model to go by")
    return (yield from _filled(model, hole, number, temperature, seed, trust))


def harmonise(
    model: Description,
    melody: Music,
    genre: str | None = None,
    track: str | None = None,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    trust: float | None = None,
) -> Steps[Song]:
    """A melody with all other tracks of the model written to it.

    Args:
        melody: a piece with one track that has notes, one at a time.
        genre: what is written is of this genre; None leaves that to the melody.
        track: which track of the model's layout the melody plays; None for the one of its name or program, or else the
            first that plays melodies.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.
        trust: how far to follow the codes, see `decode`; None for what suits codes of parts best.

    Raises:
        InvalidRequestError: there is no such track, or the model has no other.
        UnknownGenreError: the model has no such genre; the message lists those it has.
        MusicError: it is no melody, or has no bar of the model's metre.
        WrongModelError: the model was not trained to read music with hidden parts.
    """
    model.require("fill", HINT)
    number, layout = _genre(model, genre), model.layout
    if len(layout.lines.tracks) == 1:
        raise InvalidRequestError(f"the model {model.name!r} plays one line: there is nothing to write to a melody")
    chosen = None if track is None else _one_track(model, track)
    source = pieces.as_song(melody, layout)
    with naming(melody):
        song, own = melody_of(source, layout, chosen)

        def others(placement: Placement) -> np.ndarray:
            steps = placement.bars * layout.bar_steps
            # A track of several voices goes on writing around the melody, which is its first one.
            return np.tile(np.arange(len(layout.columns)) != layout.first_columns[own], (steps, 1))

        hole = cut_hole(song, layout, np.array([own]), others)
    made = yield from _filled(model, hole, number, temperature, seed, trust)
    return replace(made, name=f"{song.name} harmonised")


def continue_(
    model: Description,
    music: Music,
    bars: int = 8,
    genre: str | None = None,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    trust: float | None = None,
) -> Steps[Song]:
    """The music, and after its last bar with notes some more of it.

    Args:
        music: the piece.
        bars: how many bars of the model's metre are added.
        genre: what is written is of this genre; None leaves that to the piece.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.
        trust: how far to follow the codes, see `decode`; None for what suits codes of parts best.

    Raises:
        UnknownGenreError: the model has no such genre; the message lists those it has.
        MusicError: the music has none of the layout's tracks, or its last bar is not in the model's metre.
        WrongModelError: the model was not trained to read music with hidden parts.
    """
    model.require("fill", HINT)
    arguments.whole("bars", bars, 1, arguments.MOST_BARS)
    number, layout = _genre(model, genre), model.layout
    source, grid, _ = read(model, music)
    with naming(music):
        song, end = extended(source, layout, bars)

        def added(placement: Placement) -> np.ndarray:
            tick, first, _ = placement.stretches[-1].tolist()
            length = round(layout.time.quarters * song.ticks_per_quarter)
            begin = (first + (end - tick) // length) * layout.bar_steps
            steps = np.arange(placement.bars * layout.bar_steps) >= begin
            return np.repeat(steps[:, np.newaxis], len(layout.columns), axis=1)

        hole = cut_hole(song, layout, grid.roles, added)
    return (yield from _filled(model, hole, number, temperature, seed, trust))


def vary(
    model: Description,
    music: Music,
    amount: float = 0.3,
    versions: int = 4,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    trust: float | None = None,
    other_bars: str = "keep",
) -> Steps[list[Song]]:
    """Versions of the music: codes near its own. A phrase that comes again comes again in the version.

    Args:
        music: the piece; tempo and programs are kept.
        amount: 0 is the reconstruction, 1 a piece that has little of it left.
        versions: how many.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.
        trust: how far to follow the codes, see `decode`; None for 1.
        other_bars: "keep" leaves bars that the model cannot take as they are, "drop" leaves them out.

    Raises:
        InvalidRequestError: an argument is impossible.
        MusicError: the music has none of the layout's tracks or no bar of its metre.
        WrongModelError: a trust is given, and the model cannot take one.
    """
    arguments.number("amount", amount, 0, 1)
    arguments.whole("versions", versions, 1, arguments.MOST_POINTS)
    arguments.choice("other_bars", other_bars, pieces.OTHER_BARS)
    song, grid, phrases = read(model, music)
    rows = len(phrases)
    drawing = sampling(model, temperature, seed, trust, rows, versions)
    (codes,) = yield SignatureCall("encode", {"tokens": phrases}, ("mean",))
    near = pieces.nearby(codes, amount, versions, seed)
    tokens = yield from decoded(near.reshape(versions * rows, -1), drawing)
    return songs_of_versions(tokens, versions, song, grid, other_bars)


def _filled(
    model: Description, hole: Hole, genre: int, temperature: float, seed: int, trust: float | None
) -> Steps[Song]:
    tokens = yield from written(model, hole, genre, temperature, seed, trust)
    return filled(hole, tokens)


def _genre(model: Description, genre: str | None) -> int:
    return -1 if genre is None else model.genre_number(genre)


def _one_track(model: Description, track: str) -> int:
    chosen = selected_tracks(model.layout, track)
    if len(chosen) > 1:
        raise InvalidRequestError(f"track is {track!r}, a melody plays one of {', '.join(model.layout.names)}")
    return chosen[0]
