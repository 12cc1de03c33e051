"""The form of a run's training songs, fitted once and kept in RUN/form.npz."""

from pathlib import Path

import numpy as np

from musae_tf.data import Dataset
from musae_tf.latent.fit_form import fit_form
from musae_tf.latent.form import Form
from musae_tf.latent.of_run import is_newest, kept_or_fitted
from musae_tf.models import MusAE
from musae_tf.models.inference import encode
from musae_tf.music.repeats import hop_of
from musae_tf.training import Run

FILE = "form.npz"
# At most so many windows of training songs, evenly over the genres, and so many of one song.
_WINDOWS, _WINDOWS_OF_SONG = 20_000, 512
_STREAM = 21


def has_form(run: Run) -> bool:
    """Whether pieces of a run's model can have a form: it must know how to write what follows a known bar."""
    return run.config.model.hidden_parts


def form_path(run: Run) -> Path:
    """Where a run's form is."""
    return run.path / FILE


def is_current(run: Run) -> bool:
    """Whether the run has a form that is not older than its newest checkpoint."""
    return is_newest(run, form_path(run))


def load_form(run: Run, model: MusAE, dataset: Dataset | None) -> Form:
    """That of RUN/form.npz, or fitted and written there.

    Args:
        run: the run.
        model: its model.
        dataset: the run's; None if it is not there any more.

    Raises:
        RunError: damaged, or not there and no dataset to make it from.
    """
    return kept_or_fitted(run, form_path(run), Form, form_of_songs, model, dataset)


def form_of_songs(run: Run, model: MusAE, dataset: Dataset) -> Form:
    """The form of the training songs. Deterministic; takes about a minute."""
    songs, genre = windows_of_songs(run, dataset)
    codes = encode(model, np.concatenate(songs))[0]
    parts = np.split(codes, np.cumsum([len(song) for song in songs])[:-1])
    return fit_form(parts, genre, len(run.genres), run.config.seed)


def windows_of_songs(run: Run, dataset: Dataset) -> tuple[list[np.ndarray], np.ndarray]:
    """Neighbouring windows of training songs and the genre of each song.

    Songs of the genres in turn, in an order by the run's seed; one with several genres counts as the one whose turn it
    is. What bars of another metre part are songs of their own.

    Returns:
        Tokens int32 [n, T, C] of each song, and int64 [songs].
    """
    bars = run.config.music.bars
    hop = hop_of(bars)
    index = dataset.phrases("train", bars, sounding="any")
    ends = np.flatnonzero((np.diff(index.starts) != 1) | (np.diff(index.songs) != 0)) + 1
    # Windows one bar apart; of a run of them every hop-th.
    runs = [rows[::hop][:_WINDOWS_OF_SONG] for rows in np.split(np.arange(len(index)), ends)]
    order = np.random.default_rng([run.config.seed, _STREAM]).permutation(len(runs))
    labels = index.labels
    left = [[row for row in order.tolist() if labels[runs[row][0], number]] for number in range(len(run.genres))]
    songs, genre, used = [], [], set()
    room = [_WINDOWS // len(run.genres)] * len(run.genres)
    while any(left):
        for number, waiting in enumerate(left):
            while waiting and (waiting[0] in used or room[number] <= 0):
                waiting.pop(0)
            if waiting:
                row = waiting.pop(0)
                used.add(row)
                room[number] -= len(runs[row])
                songs.append(index.tokens(runs[row]).astype(np.int32))
                genre.append(number)
    return songs, np.array(genre)
