"""The model under test: held-out and training phrases with their codes, and the only place that calls the model."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from musae_tf.data import Dataset
from musae_tf.evaluation.genre import GenreClassifier
from musae_tf.evaluation.held_out import ENCODED_PHRASES, SAMPLES, SEED, TEST_PHRASES, TRAIN_PHRASES, HeldOut
from musae_tf.evaluation.per_song import PerSongMetrics
from musae_tf.models import MusAE, inference
from musae_tf.music import Layout
from musae_tf.music.pieces import row_seeds
from musae_tf.training import Run

# Stream of random numbers.
_SAMPLES = 100


class Clip(NamedTuple):
    """Music to show: tokens int [T, K] at a tempo, with a title."""

    title: str
    tokens: np.ndarray
    tempo: float


@dataclass
class EvaluationContext:
    """What the families of metrics share.

    Attributes:
        run: the run.
        dataset: its dataset.
        model: its model.
        held_out: phrases of test songs.
        per_song: what the metrics found, song by song.
        clips: music to show, by section of the page.
    """

    run: Run
    dataset: Dataset
    model: MusAE
    held_out: HeldOut
    per_song: PerSongMetrics = field(default_factory=PerSongMetrics)
    clips: dict[str, list[list[Clip]]] = field(default_factory=dict)
    _samples: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, dataset: Dataset) -> "EvaluationContext":
        """Load the model and the phrases.

        Raises:
            RunError: no checkpoint.
            DatasetError: the test split has no phrase.
        """
        return cls(run, dataset, run.load_model(), HeldOut.read(dataset, run.config, "test", TEST_PHRASES, SEED))

    @property
    def layout(self) -> Layout:
        """What the tracks are."""
        return self.held_out.layout

    @property
    def genres(self) -> tuple[str, ...]:
        """Names of the genres."""
        return self.held_out.genres

    @cached_property
    def train(self) -> HeldOut:
        """Phrases that the model was trained on."""
        return HeldOut.read(self.dataset, self.run.config, "train", TRAIN_PHRASES, SEED)

    @cached_property
    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the held-out phrases' codes, float32 [N, D]."""
        return inference.encode(self.model, self.held_out.tokens)

    @property
    def codes(self) -> np.ndarray:
        """Posterior means of the held-out phrases, float32 [N, D]."""
        return self.posterior[0]

    @cached_property
    def rebuilt(self) -> np.ndarray:
        """Greedy decoding of `codes`, int32 [N, T, K]."""
        return self.decode(self.codes)

    @cached_property
    def encoded(self) -> HeldOut:
        """Training phrases that are encoded, fewer than `train`."""
        return HeldOut.read(self.dataset, self.run.config, "train", ENCODED_PHRASES, SEED)

    @cached_property
    def train_codes(self) -> np.ndarray:
        """Posterior means of the phrases of `encoded`, float32 [M, D]."""
        return inference.encode(self.model, self.encoded.tokens)[0]

    @cached_property
    def classifier(self) -> GenreClassifier | None:
        """The classifier trained on real phrases; None with one genre."""
        return GenreClassifier.train(self.train.tokens, self.train.genre, self.layout)

    @cached_property
    def song_names(self) -> np.ndarray:
        """The song of each held-out phrase, str [N]."""
        return np.array([self.dataset.songs[song]["id"] for song in self.held_out.songs])

    @cached_property
    def genre_names(self) -> np.ndarray:
        """The genre of each held-out phrase, str [N]."""
        return np.array(self.genres)[self.held_out.genre]

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Greedy tokens int32 [N, T, K] of codes [N, D]."""
        return inference.decode(self.model, codes)

    def draw(self, genre: np.ndarray, stream: int) -> np.ndarray:
        """One code of each genre int [N] to make music of, float32 [N, D]; the same again for the same stream."""
        return inference.sample_latent(self.model, genre, row_seeds(SEED, stream, len(genre)))

    def draw_prior(self, genre: np.ndarray, stream: int) -> np.ndarray:
        """`draw`, but from the prior itself, which has all of the noise of the codes (`prior.sample_noise_scale`)."""
        return inference.sample_prior(self.model, genre, row_seeds(SEED, stream, len(genre)))

    def draw_target(self, genre: np.ndarray, stream: int) -> np.ndarray:
        """`draw`, but from what training pulled the codes to: a prior may have been fitted to them afterwards."""
        return inference.sample_target(self.model, genre, row_seeds(SEED, stream, len(genre)))

    def transferred(self, codes: np.ndarray, source: np.ndarray, target: np.ndarray, strength: float) -> np.ndarray:
        """Greedy tokens int32 [N, T, K] of codes [N, D] moved from genre int [N] to genre int [N]."""
        origin, aim = (tf.constant(np.asarray(genre, np.int32)) for genre in (source, target))
        amount = tf.fill([len(codes)], tf.constant(strength, tf.float32))
        moved = self.model.transfer_latent(tf.constant(codes), origin, aim, amount)
        return inference.decode(self.model, moved.numpy(), trust=self.model.transfer_trust(amount).numpy())

    def interpolated(self, start: np.ndarray, end: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Greedy tokens int32 [N, P, T, K] on the model's way from codes [N, D] to codes [N, D], at positions [P]."""
        played = []
        for position in positions.astype(np.float32):
            place = tf.fill([len(start)], position)
            code = self.model.interpolate_latent(tf.constant(start), tf.constant(end), place)
            played.append(
                inference.decode(self.model, code.numpy(), trust=self.model.interpolation_trust(place).numpy())
            )
        return np.stack(played, axis=1)

    def samples(self, genre: int) -> np.ndarray:
        """`SAMPLES` phrases from the prior of a genre, int32 [SAMPLES, T, K]."""
        if genre not in self._samples:
            self._samples[genre] = self.decode(self.draw(np.full(SAMPLES, genre), _SAMPLES + genre))
        return self._samples[genre]

    def some(self, count: int, stream: int) -> np.ndarray:
        """Row numbers of so many held-out phrases of each genre (all of a genre with fewer), drawn at random."""
        rng = np.random.default_rng([SEED, stream])
        rows = [rng.permutation(self.held_out.of_genre(number))[:count] for number in range(len(self.genres))]
        return np.concatenate(rows)

    def record(
        self, metric: str, part: str, rows: np.ndarray, above: np.ndarray, below: np.ndarray | None = None
    ) -> None:
        """Record a metric of held-out phrases, by row number, song by song."""
        self.per_song.add(metric, part, self.song_names[rows], self.genre_names[rows], above, below)

    def show(self, section: str, *clips: Clip) -> None:
        """Put clips side by side into a section of the page."""
        self.clips.setdefault(section, []).append(list(clips))

    def clip(self, title: str, tokens: np.ndarray, genre: str) -> Clip:
        """A clip at the usual tempo of a genre."""
        return Clip(title, tokens, self.run.facts.get("tempos", {}).get(genre, 120.0))
