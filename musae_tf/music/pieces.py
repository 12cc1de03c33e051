"""Whole songs phrase by phrase: what is the same whether the model is in this process or behind a server.

A song is cut into phrases of the model's length, and what comes back from the model is joined. The last phrase, if it
is incomplete, is filled with rests and cut again to the length of the source. Bars that the grid cannot hold (in
another metre) are left out, as `tokenize` counts them.

Every phrase has seeds of its own, made from the seed of the song and the number of the phrase, so that the same seed
gives the same song.
"""

import difflib
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np

from musae_tf.errors import InvalidRequestError, MusicError, UnknownAttributeError, UnknownGenreError
from musae_tf.music.beat import has_another_beat, has_no_beat
from musae_tf.music.grid import DEFAULT_TEMPO, Grid, cut, detokenize, join
from musae_tf.music.in_place import in_place
from musae_tf.music.layouts import Layout
from musae_tf.music.roles import assign, left_out
from musae_tf.music.song import Song, Tempo
from musae_tf.time_grid import SIXTEENTHS

if TYPE_CHECKING:
    from music21.stream import Stream
    from pypianoroll import Multitrack
    from symusic.types import Score

Music: TypeAlias = Union[str, os.PathLike, bytes, Song, "Multitrack", "Score", "Stream", np.ndarray]
"""A file of music by its path, MIDI by its bytes, a Song, an object of pypianoroll, symusic, pretty_midi or music21,
tokens int [bars * S, C] or [bars, S, C].
"""

FARTHEST = 2.5
"""How far from its own codes the versions of a piece can be, in standard deviations of a code's axes."""

CORRELATION = 0.7
"""Of the codes of neighbouring phrases in a `walk`: near enough to belong together, far enough to move on."""

WARNINGS = {
    "values_above_127": "values above 127 are taken as 127",
    "unknown_events": "events that no MIDI file can have are left out",
    "notes_without_end": "notes without an end last to the next one of their pitch, or to the end of their track",
    "pedals_ignored": "presses of the pedal are ignored",
    "percussion_ignored": "strokes of percussion that name no drum are left out",
    "tunes_left_out": "other tunes of the file are left out (FILE#2 is the second one)",
    "without_new_pitch": "notes are left out: their track has no room for them on the grid, or they met another",
    "without_new_place": "notes are left out: their track has no room for them on the grid, or they met another",
    "files_of_beats": "file of beats beside it (.beats.txt) says where its quarters are, and not its tempo track",
}
"""What `Song.warnings` counts, in words."""

PATHS = ("linear", "spherical")
"""Ways from one code to another: a straight line, or the great arc of Shoemake (1985)."""

CODES, TOKENS, OTHER_CODES, VARIATIONS = 0, 1, 2, 3
"""Streams of seeds, so that a phrase's codes and its tokens are drawn independently."""


def as_song(music: Music, layout: Layout) -> Song:
    """Any kind of music as a Song; token arrays in the layout of the model.

    Raises:
        MusicError: it cannot be read, or is none of these kinds.
    """
    if isinstance(music, Song):
        return music
    if isinstance(music, (bytearray, memoryview)):
        return Song.read(bytes(music))
    if isinstance(music, (str, os.PathLike, bytes)):
        return Song.read(music)
    if isinstance(music, np.ndarray):
        return detokenize(music, layout)
    from musae_tf.music.exchange import from_object  # it loads the readers and writers of scores

    song = from_object(music)
    if song is not None:
        return song
    kinds = (
        "a path, the bytes of a MIDI file, a Song, an object of pypianoroll, symusic, pretty_midi or music21, "
        "or an array of tokens"
    )
    raise MusicError(f"music is of the type {type(music).__name__}, must be {kinds}")


def row_seeds(seed: int, stream: int, rows: int) -> np.ndarray:
    """One stateless seed a row, int32 [rows, 2], unrelated to its neighbours' and to those of other streams."""
    states = [np.random.SeedSequence(seed, spawn_key=(stream, row)).generate_state(2) for row in range(rows)]
    return np.array(states, np.uint32).reshape(rows, 2).view(np.int32)


def walk(draws: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Independent draws e_i and f_i of one Gaussian to a walk z_i in which neighbours are alike.

    z_0 = e_0 and z_i = r z_{i-1} + a e_i + b f_i with r = CORRELATION: an autoregressive process of order 1. Two draws
    a phrase allow r + a + b = 1, which keeps the mean, beside r^2 + a^2 + b^2 = 1, which keeps the covariance. So each
    z_i by itself has the distribution of the draws, and nobody needs to know its mean.

    Args:
        draws: float32 [n, D].
        others: float32 [n, D]; the first row has no part in it.

    Returns:
        float32 [n, D].
    """
    rest = 1 - CORRELATION
    spread = math.sqrt(rest * (1 + 3 * CORRELATION))
    codes = np.array(draws, np.float32)
    for phrase in range(1, len(codes)):
        step = (rest + spread) / 2 * draws[phrase] + (rest - spread) / 2 * others[phrase]
        codes[phrase] = CORRELATION * codes[phrase - 1] + step
    return codes


def nearby(codes: np.ndarray, amount: float, versions: int, seed: int) -> np.ndarray:
    """Codes near those of a piece.

    All phrases of a version move by one step, drawn of a Gaussian, so that like phrases stay alike.

    Args:
        codes: float32 [n, D].
        amount: 0 stays, 1 goes `FARTHEST`.
        versions: V, how many.
        seed: 0 or more.

    Returns:
        float32 [V, n, D].
    """
    steps = [
        np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(VARIATIONS, version))))
        for version in range(versions)
    ]
    moves = np.stack([draws.standard_normal(codes.shape[1]) for draws in steps])
    return (codes + amount * FARTHEST * moves[:, np.newaxis]).astype(np.float32)


def phrase_count(bars: int, phrase_bars: int) -> int:
    """How many phrases it takes to fill some bars."""
    return -(-bars // phrase_bars)


def phrases_of(grid: Grid, bars: int) -> np.ndarray:
    """All of a song as phrases of `bars` bars, int32 [n, T, K]; the last one is filled up with rests."""
    count = len(grid.tokens)
    rests = np.array([column.vocabulary.rest for column in grid.layout.columns], grid.tokens.dtype)
    missing = np.broadcast_to(rests, (-count % bars, *grid.tokens.shape[1:]))
    # One run: where bars were left out, what follows comes next.
    whole = replace(grid, tokens=np.concatenate([grid.tokens, missing]), runs=[(0, count + len(missing))])
    return cut(whole, bars, hop=bars).astype(np.int32)


def losses_in_words(song: Song, grid: Grid) -> str:
    """What of a song its grid could not hold, for the one who brought it; empty if it holds all."""
    losses, names = grid.losses, ", ".join(grid.layout.names)
    silent = left_out(song, assign(song, grid.layout))
    which = f": {', '.join(silent)}" if silent else ""
    tempos = _played_tempos(song)
    time, chords = grid.layout.time, any(spec.voices > 1 for spec in grid.layout.tracks)
    bar, step = f"in {time.numerator}/{time.denominator}", f"step of {time.name}"
    if time == SIXTEENTHS:
        bar, step = "16 sixteenths long", "sixteenth"
    held = "have no voice left on their track" if chords else "are lost, since a track plays one note at a time"
    parts = (
        ("bars_other_metre", f"of {losses['bars']} bars are not {bar}: the model cannot take them"),
        ("outside_layout", f"of {losses['notes']} notes belong to none of the tracks {names}{which}"),
        ("overlapped", f"notes {held}"),
        ("same_step", f"notes are lost, since they fall on one {step} with another"),
        ("off_grid", f"notes are moved to the nearest {step}"),
    )
    found = [f"{losses[key]} {words}" for key, words in parts if losses[key]]
    if len(tempos) > 1:
        found.append(f"tempos go from {min(tempos):g} to {max(tempos):g}, most notes are played at {grid.tempo:g}")
    found += [f"{song.warnings[name]} {words}" for name, words in WARNINGS.items() if song.warnings.get(name)]
    beat = has_no_beat(song) or has_another_beat(song)
    return "; ".join([*([f"the song {beat}"] if beat else []), *found])


def _played_tempos(song: Song) -> set[float]:
    """Tempos at which notes begin."""
    changes = np.array([tempo.tick for tempo in song.tempos])
    starts = [track.notes["start"] for track in song.tracks if len(track.notes)]
    if not len(changes) or not starts:
        return set()
    used = np.unique(np.searchsorted(changes, np.concatenate(starts), side="right"))
    return {song.tempos[number - 1].bpm for number in used.tolist() if number}


def new_song(
    phrases: np.ndarray,
    bars: int,
    layout: Layout,
    tempo: float | Sequence[Tempo] = DEFAULT_TEMPO,
    name: str = "",
    programs: Sequence[int] | None = None,
) -> Song:
    """Phrases [n, T, K] as a song of `bars` bars; what goes beyond them is cut off."""
    song = detokenize(join(phrases)[: bars * layout.bar_steps], layout, tempo, programs)
    song.name = name
    return song


OTHER_BARS = ("keep", "drop")
"""What to do with bars that the model cannot take: leave them as they are, or leave them out."""


def changed_song(phrases: np.ndarray, form: Grid, name: str, song: Song | None = None) -> Song:
    """Phrases [n, T, C] as a song with the tempos, programs and names of the one that they were made from.

    With that song, what they were made from is replaced in it and the rest stays, see `in_place`; without it, only the
    bars that the grid took are there.
    """
    if song is not None:
        tokens = join(phrases)[: len(form.tokens) * form.layout.bar_steps].reshape(form.tokens.shape)
        made = in_place(song, tokens, form)
        made.name = name
        return made
    made = new_song(phrases, len(form.tokens), form.layout, form.tempos, name, form.programs)
    for track, own in zip(made.tracks, form.names, strict=True):
        track.name = own
    return made


def line(start: Grid, end: Grid, points: int) -> list[tuple[float, Grid]]:
    """Positions 0..1 on the way from one song to another, with the form of the song there.

    All are as long as the longer song. Tempo goes from the one's to the other's by equal ratios; its changes and the
    programs are those of the nearer end.

    Raises:
        ValueError: fewer than 2 points.
    """
    if points < 2:
        raise ValueError(f"points is {points}, must be 2 or more")
    longest = max(start, end, key=lambda grid: len(grid.tokens))
    forms = []
    for position in np.linspace(0.0, 1.0, points, dtype=np.float32).tolist():
        nearer = start if position <= 0.5 else end
        tempo = start.tempo * (end.tempo / start.tempo) ** position
        tempos = tuple(Tempo(tick, bpm * tempo / nearer.tempo) for tick, bpm in nearer.tempos)
        forms.append(
            (position, replace(longest, tempo=tempo, tempos=tempos, programs=nearer.programs, names=nearer.names))
        )
    return forms


def sweep(points: int, strength: float) -> list[float]:
    """Amounts from `-strength` to `strength` in equal steps.

    Raises:
        ValueError: fewer than 2 points.
    """
    if points < 2:
        raise ValueError(f"points is {points}, must be 2 or more")
    return np.linspace(-strength, strength, points, dtype=np.float32).tolist()


def repeated(rows: np.ndarray, count: int) -> np.ndarray:
    """`count` rows: those of a shorter song again and again from its beginning."""
    return rows[np.arange(count) % len(rows)]


def likeliest(genre_scores: np.ndarray) -> int:
    """Number of a song's genre by the scores of its phrases, float [n, G].

    It has the greatest mean probability; a mean of logarithms would let one odd phrase decide.
    """
    return int(np.argmax(np.mean(genre_scores, axis=0)))


def genre_number(genres: Sequence[str], genre: str) -> int:
    """The number of a genre of a model.

    Raises:
        UnknownGenreError: no such genre; the message lists the known ones.
    """
    return _number("genre", genres, genre, UnknownGenreError)


def attribute_number(attributes: Sequence[str], attribute: str) -> int:
    """The place of an attribute among those of a model.

    Raises:
        UnknownAttributeError: no such attribute; the message lists the known ones.
    """
    return _number("attribute", attributes, attribute, UnknownAttributeError)


def _number(kind: str, names: Sequence[str], name: str, error: type[InvalidRequestError]) -> int:
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise error(f"there is no {kind} {name!r} in this model{hint}; it knows: {', '.join(names)}")
