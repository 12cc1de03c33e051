"""Batches: training batches as a pure function of the step, a tf.data pipeline over them, and held-out batches."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from musae_tf.data.dataset import PhraseIndex
from musae_tf.errors import ConfigError, DatasetError
from musae_tf.music.grid import pitch_range
from musae_tf.music.vocabulary import MELODIC, REST

if TYPE_CHECKING:
    import tensorflow as tf

# What the random numbers of one counter are for.
_ORDER, _ROWS, _SHIFT, _LABEL, _SAMPLE = range(5)


def _random(seed: int, purpose: int, one: int, other: int, count: int) -> np.ndarray:
    """uint64 [count] that depend on the arguments and nothing else.

    Raw output of the counter-based generator Philox (Salmon et al., 2011): the stream is the same in every version of
    numpy, which those of its distributions are not.
    """
    counter = np.array([0, other, one, purpose], np.uint64)
    return np.random.Philox(key=np.array([seed, 0], np.uint64), counter=counter).random_raw(count)


class TrainingBatches:
    """Training batches, each a pure function of (seed, step): there is no state to save, and any step can be asked for.

    With `balance` the rows of all batches go round the genres in turn, so that every genre is seen equally often, and
    a phrase with several labels is seen as each of them. Without, phrases are seen equally often, and one with several
    labels draws one at each visit. Either way the phrases (of a genre) are visited in an order that is permuted anew
    each epoch: every phrase once before any comes again. Each visit is transposed by a number of semitones drawn
    evenly from those in `transpose` that keep all its pitches inside 0..127; drums are not transposed.
    """

    def __init__(
        self,
        index: PhraseIndex,
        batch_size: int,
        seed: int,
        transpose: tuple[int, int] = (-5, 6),
        balance: bool = True,
    ) -> None:
        """Prepare batches.

        Args:
            index: Training phrases.
            batch_size: Rows in a batch.
            seed: 0 or more.
            transpose: Lowest and highest number of semitones, both drawn too; (0, 0) for none.
            balance: Genres equally often, or phrases equally often.

        Raises:
            DatasetError: The index is empty.
            ConfigError: An impossible number.
        """
        if len(index) == 0:
            raise DatasetError(_empty(index, "training"))
        if batch_size < 1 or seed < 0:
            raise ConfigError(f"batch size is {batch_size}, seed is {seed}; allowed: 1 or more, 0 or more")
        low, high = transpose
        if not -127 <= low <= 0 <= high <= 127:
            raise ConfigError(f"transpose is {[low, high]}; allowed: [low, high] with -127 <= low <= 0 <= high <= 127")
        self.index = index
        self.batch_size = batch_size
        self.seed = seed
        self.transpose = (low, high)
        self.balance = balance
        self._pitched = np.array(
            [column.vocabulary == MELODIC and not column.spec.is_drum for column in index.layout.columns]
        )
        if balance:
            rows = [np.flatnonzero(has[index.songs]) for has in index.song_labels.T]
            self._genres = np.flatnonzero([len(one) for one in rows])
            self._pools = [rows[genre] for genre in self._genres]
        else:
            self._pools = [np.arange(len(index))]
        # A batch crosses from one epoch to the next now and then.
        self._order = lru_cache(maxsize=2 * len(self._pools))(self._permuted)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Batch size, steps, tracks."""
        return self.batch_size, self.index.steps, self.index.bar_tokens.shape[2]

    def batch(self, step: int, rows: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """The batch of one step, or some rows of it: the same that the whole batch has there.

        Args:
            step: Number of the batch, from 0.
            rows: Which rows.

        Returns:
            Tokens int32 [b, T, K] and genre int32 [b].
        """
        phrases, pools = self._phrases(step)
        shuffled = np.argsort(_random(self.seed, _ROWS, step, 0, self.batch_size), kind="stable")[rows]
        phrases, pools = phrases[shuffled], pools[shuffled]
        genre = self._genres[pools] if self.balance else self._drawn_genre(step, phrases, rows)
        tokens = self.index.tokens(phrases).astype(np.int32)
        return self._transposed(tokens, step, rows), self.told(phrases, genre.astype(np.int32))

    def told(self, phrases: np.ndarray, genre: np.ndarray) -> np.ndarray:
        """What training is told of the genre int32 [b] of some phrases (rows of the index, int64 [b]): the truth.

        A subclass may tell other things, to see what the genre is worth.
        """
        return genre

    def _phrases(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Phrases of one batch before its rows are shuffled, and the pool that each comes from."""
        slots = step * self.batch_size + np.arange(self.batch_size)
        visits, pools = np.divmod(slots, len(self._pools))
        phrases = np.empty(self.batch_size, np.int64)
        for pool in np.unique(pools):
            mine = np.flatnonzero(pools == pool)
            epochs, places = np.divmod(visits[mine], len(self._pools[pool]))
            for epoch in np.unique(epochs):
                here = epochs == epoch
                phrases[mine[here]] = self._order(int(pool), int(epoch))[places[here]]
        return phrases, pools

    def _permuted(self, pool: int, epoch: int) -> np.ndarray:
        phrases = self._pools[pool]
        return phrases[np.argsort(_random(self.seed, _ORDER, pool, epoch, len(phrases)), kind="stable")]

    def _drawn_genre(self, step: int, phrases: np.ndarray, rows: slice) -> np.ndarray:
        return draw_labels(self.index.take(phrases).labels, _random(self.seed, _LABEL, step, 0, self.batch_size)[rows])

    def _transposed(self, tokens: np.ndarray, step: int, rows: slice) -> np.ndarray:
        lowest, highest = pitch_range(tokens, self.index.layout)
        low = np.maximum(self.transpose[0], -lowest)
        high = np.minimum(self.transpose[1], 127 - highest)
        draws = _random(self.seed, _SHIFT, step, 0, self.batch_size)[rows]
        shift = (low + (draws % (high - low + 1).astype(np.uint64)).astype(np.int64)).astype(np.int32)
        return np.where(self._pitched & (tokens < REST), tokens + shift[:, None, None], tokens)


def draw_labels(labels: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """One genre a row: int64 [n] from bool [n, G] and random uint64 [n]."""
    choice = (draws % labels.sum(axis=1).astype(np.uint64)).astype(np.int64)
    return (np.cumsum(labels, axis=1) > choice[:, None]).argmax(axis=1)


def _empty(index: PhraseIndex, kind: str) -> str:
    return (
        f"no {kind} phrase: nowhere do the tracks of {index.layout.name} sound, as asked, in {index.bars} bars on end"
    )


def tf_dataset(
    batches: TrainingBatches, first_step: int, last_step: int, rows: slice = slice(None)
) -> "tf.data.Dataset":
    """Batches of the steps first_step .. last_step - 1 as a tf.data.Dataset, made ahead of their use.

    Args:
        batches: What to read.
        first_step: The first step; where a run goes on after a restart.
        last_step: One after the last step.
        rows: Rows of each batch, for one worker of several.

    Returns:
        Dataset of (tokens int32 [b, T, K], genre int32 [b]).
    """
    import tensorflow as tf

    size, steps, tracks = batches.shape
    size = len(range(*rows.indices(size)))

    def batch(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return batches.batch(int(step), rows)

    def load(step: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
        # Stateless, as a batch depends on its step only: so it may run ahead even under enable_op_determinism().
        tokens, genre = tf.numpy_function(batch, [step], (tf.int32, tf.int32), stateful=False)
        return tf.ensure_shape(tokens, (size, steps, tracks)), tf.ensure_shape(genre, (size,))

    return tf.data.Dataset.range(first_step, last_step).map(load).prefetch(8)


def held_out_phrases(index: PhraseIndex, limit: int | None = None, seed: int = 0) -> tuple[PhraseIndex, np.ndarray]:
    """Held-out phrases that do not overlap, and the genre of each.

    Args:
        index: Phrases of the validation or test split.
        limit: At most so many phrases, drawn with `seed`: from the genres in turn, as long as they have any, so that
            any first part of them is mixed. None for all, in the order of the dataset.
        seed: Also draws the genre of a phrase with several.

    Returns:
        The phrases, and int32 [n].

    Raises:
        DatasetError: The index is empty.
    """
    if len(index) == 0:
        raise DatasetError(_empty(index, "held-out"))
    index = index.without_overlap()
    genre = draw_labels(index.labels, _random(seed, _LABEL, 0, 0, len(index))).astype(np.int32)
    if limit is None or limit >= len(index):
        return index, genre
    order = np.argsort(_random(seed, _SAMPLE, 0, 0, len(index)), kind="stable")
    # The first phrase of every genre, then the second of every genre, and so on.
    turns = np.empty(len(index), np.int64)
    for one in range(len(index.genres)):
        mine = order[genre[order] == one]
        turns[mine] = np.arange(len(mine))
    rows = np.lexsort((genre, turns))[:limit]
    return index.take(rows), genre[rows]
