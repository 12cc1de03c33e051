"""The training loop: steps, curves, checkpoints, alarms. Killed at any moment, it resumes to the same curve."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from musae_tf.config import Config
from musae_tf.data import Dataset, TrainingBatches
from musae_tf.data.pipeline import held_out_phrases
from musae_tf.errors import ConfigError, RunError
from musae_tf.models import FittedPrior, MusAE
from musae_tf.models.inference import encode
from musae_tf.models.optimizer import learning_rate_share, regularisation_weight
from musae_tf.models.train_step import Game
from musae_tf.progress import progress
from musae_tf.training.alarms import Alarms
from musae_tf.training.average import WeightAverage
from musae_tf.training.checkpoints import Checkpoints, Logs
from musae_tf.training.distribute import WORKER_ERRORS, Place, choose_strategy, distribute, gone
from musae_tf.training.run import Run

# Phrases whose codes a prior is fitted to, evenly over the genres.
_FITTED_PHRASES = 4096


@dataclass
class Evaluation:
    """What the loop wants to know of a model in between: numbers for the curves, music for the alarms, and for people
    pictures, uint8 [height, width, 3], and sounds, float32 [samples, 2] of `training.logs.SOUND_RATE`.
    """

    numbers: dict[str, float]
    rebuilt: np.ndarray
    original: np.ndarray
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    sounds: dict[str, np.ndarray] = field(default_factory=dict)


def train(
    run: Run, dataset: Dataset, evaluate: Callable[[MusAE], Evaluation], say: Callable[[str], None] = print
) -> int:
    """Train a run from its newest checkpoint, or from the start, to its last step.

    With several workers (TF_CONFIG) every one of them calls this with the same run, in a folder that all can read; only
    the chief evaluates, writes and speaks.

    Args:
        run: its configuration says everything.
        dataset: the one the run was made for.
        evaluate: called every `training.evaluate_every` steps.
        say: takes the sentences for the user.

    Returns:
        0 when the run is finished; else the number of the signal (SIGINT, SIGTERM) that stopped it, or another worker,
        after a checkpoint.

    Raises:
        RunError: another dataset, a checkpoint that does not fit, a full disk.
        TrainingError: the numbers blew up or the model is dead.
        WorkerError: another worker has gone; start all of them again.
    """
    if dataset.hash != run.facts["dataset"]["hash"]:
        raise RunError(
            f"{run.path} was started on dataset {run.facts['dataset']['hash'][:12]}; {dataset.path} is "
            f"{dataset.hash[:12]}: build the same dataset again or start a new run"
        )
    return _Trainer(run, dataset, evaluate, say).train()


class _Trainer:
    def __init__(self, run: Run, dataset: Dataset, evaluate: Callable[[MusAE], Evaluation], say: Callable[[str], None]):
        self._place = Place.from_environment()
        self._say = say if self._place.is_chief else _silent
        self._run, self._config, self._evaluate = run, run.config, evaluate
        training = self._config.training
        if training.deterministic:
            tf.config.experimental.enable_op_determinism()
        if self._place.workers > 1:
            self._say(f"waiting for {self._place.workers} workers: {', '.join(self._place.addresses)}")
        self._strategy, devices = choose_strategy(training.strategy, self._place)
        self._say(f"training in {training.precision} on {devices}")
        self._check_batch()
        with self._strategy.scope():
            self._model = run.build_model()
            self._game = Game(self._model, self._config)
        self._average = run.average_of(self._model)
        self._steps = Steps(self._strategy, self._game, self._config, self._average)
        self._dead = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoints = Checkpoints(
            run.checkpoints,
            training.keep_checkpoints,
            model=self._model,
            **{f"{name}_optimizer": player.optimizer for name, player in self._game.players.items()},
            **({"average": self._average.averages} if self._average else {}),
            **self._steps.state,
            dead=self._dead,
        )
        if self._checkpoints.restore():
            self._say(f"going on from step {self._steps.done}")
        music = self._config.music
        index = dataset.phrases("train", music.bars, sounding=self._config.data.sounding)
        self._batches = TrainingBatches(
            index, training.batch_size, self._config.seed, self._config.data.transpose, self._config.data.balance
        )
        fits = isinstance(self._model.prior, FittedPrior)
        self._to_fit = held_out_phrases(index, _FITTED_PHRASES, self._config.seed) if fits else None
        self._fitted = -1
        genres = f"{len(run.genres)} genres: {', '.join(run.genres)}"
        self._say(f"{len(index)} training phrases of {music.bars} bars in {genres}")
        self._alarms = Alarms(run.layout, int(self._dead))
        if self._place.is_chief:
            run.update(devices=devices)
            self._logs = Logs(run.path, self._steps.done)
        self._stopped_by = 0
        self._told = (False, False)
        self._started, self._seconds = time.monotonic(), run.facts.get("seconds", 0.0)

    def _check_batch(self) -> None:
        training, replicas = self._config.training, self._strategy.num_replicas_in_sync
        if training.batch_size % (replicas * training.accumulate):
            parts = f" in {training.accumulate} parts each" if training.accumulate > 1 else ""
            raise ConfigError(
                f"training.batch_size is {training.batch_size}; allowed: a multiple of "
                f"{replicas * training.accumulate}, for {replicas} replicas{parts}"
            )

    def train(self) -> int:
        handlers = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        self._started, first = time.monotonic(), self._steps.done
        title, chief = f"training {self._config.name}", self._place.is_chief
        bar = progress(total=self._config.training.steps, initial=first, title=title, unit="steps", hidden=not chief)
        say = self._say

        def say_above_the_bar(text: str) -> None:
            with bar.external_write_mode():
                say(text)

        self._say = say_above_the_bar if chief else say
        try:
            self._meet()
            return self._go(first, bar)
        except WORKER_ERRORS as cause:
            if self._place.workers == 1:
                raise
            raise gone(cause) from None
        finally:
            bar.close()
            if chief:
                self._logs.close()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _go(self, first: int, bar) -> int:
        training = self._config.training
        batches = iter(distribute(self._strategy, self._batches, first, training.steps))
        for step in range(first + 1, training.steps + 1):
            self._one_step(*next(batches))
            bar.update()
            if step % training.log_every == 0:
                self._log(step, bar)
            stop, over = self._verdict()
            if over:
                self._say(f"training.minutes ({training.minutes:g}) are over at step {step}")
                break
            if step % training.evaluate_every == 0 and step < training.steps:
                self._evaluate_now(step)
            stop = stop or self._verdict()[0]
            if stop or (step % training.checkpoint_every == 0 and step < training.steps):
                self._save(step)
            if stop:
                self._meet()
                return self._stopped_by or signal.SIGTERM
        last = self._steps.done
        if last > first:  # else the checkpoint is the last one, and its evaluation is in the log
            self._evaluate_now(last)
            self._save(last)
        if self._place.is_chief:
            self._run.update(state="finished", steps=last)
        self._meet()
        return 0

    def _interrupt(self, number: int, frame: object) -> None:
        self._stopped_by = number

    def _wishes(self) -> tuple[bool, bool]:
        """Whether this process has been told to stop, and whether its time is over."""
        minutes = self._config.training.minutes
        return bool(self._stopped_by), bool(minutes) and time.monotonic() - self._started > 60 * minutes

    def _verdict(self) -> tuple[bool, bool]:
        """The same for the whole job: what any worker wished before the last step, so that all leave after it."""
        return self._told if self._place.workers > 1 else self._wishes()

    def _meet(self) -> None:
        """Wait for all workers, and see that all are at the same step.

        Raises:
            RunError: they have read different checkpoints.
        """
        if self._place.workers == 1:
            return
        step, replicas = float(self._steps.done), self._strategy.num_replicas_in_sync
        if float(self._steps.total(tf.constant(step))) != step * replicas:
            raise RunError(f"{self._run.path} is another folder on another worker; all of them must share it")

    def _one_step(self, tokens, genre) -> None:
        told = self._steps.play(tokens, genre, self._wishes())
        if self._place.workers > 1:
            stop, over = told.numpy() > 0
            self._told = bool(stop), bool(over)

    def _log(self, step: int, bar) -> None:
        numbers = self._steps.line()
        self._alarms.check_numbers(step, numbers)
        self._alarms.check_skipped(step, self._steps.skipped_in_a_row)
        if not self._place.is_chief:
            return
        self._logs.write("train", step, numbers)
        critic = f"critic {numbers['wasserstein']:.2f} " if "wasserstein" in numbers else ""
        learnt = "reconstruction" in numbers
        loss = f"loss {numbers['reconstruction']:.3f} {critic}right {numbers['accuracy']:.3f} " if learnt else ""
        bar.set_postfix_str(f"{loss}{self._config.training.batch_size} phrases a step")

    @contextmanager
    def _finished_model(self, step: int) -> Iterator[None]:
        """Inside the block the model is what it would be if training ended here."""
        with self._average.in_place() if self._average else nullcontext():
            if self._to_fit is not None and self._fitted != step:
                index, genre = self._to_fit
                self._model.prior.fit(*encode(self._model, index.tokens()), genre)
                self._fitted = step
            yield

    def _evaluate_now(self, step: int) -> None:
        if not self._place.is_chief:
            return
        with self._finished_model(step):
            evaluation = self._evaluate(self._model)
        self._logs.write("evaluation", step, evaluation.numbers)
        for name, pixels in evaluation.pictures.items():
            self._logs.picture(name, step, pixels)
        for name, samples in evaluation.sounds.items():
            self._logs.sound(name, step, samples)
        spoken = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in evaluation.numbers.items())
        self._say(f"step {step}: {spoken}")
        self._alarms.check_music(step, evaluation.rebuilt, evaluation.original)

    def _save(self, step: int) -> None:
        if not self._place.is_chief:
            return
        with self._finished_model(step):
            pass  # what was fitted stays; averages are saved beside the weights
        self._dead.assign(self._alarms.dead)
        self._checkpoints.save(step)
        seconds = self._seconds + time.monotonic() - self._started
        self._run.update(state="training", steps=step, seconds=round(seconds, 1), skipped_steps=self._steps.skipped)


def _silent(text: str) -> None:
    """What a worker that is not the chief says."""


class Steps:
    """Plays steps, one after the other, with the rates and weights of their numbers.

    Args:
        strategy: what the game was built under.
        game: the players.
        config: the schedules.
        average: of the model's weights, or None.
    """

    def __init__(self, strategy: tf.distribute.Strategy, game: Game, config: Config, average: WeightAverage | None):
        self._strategy, self._game, self._config, self._average = strategy, game, config, average
        self._done = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Since the last line of the log: sums over the steps in which every move was made, their number, and the number
        # of all steps.
        self._sums = tf.Variable(tf.zeros(len(game.metrics) + 2), trainable=False)
        # Steps with a move that was skipped: all of them, and the last ones in a row.
        self._skipped = tf.Variable([0, 0], dtype=tf.int64, trainable=False)

    @property
    def state(self) -> dict[str, tf.Variable]:
        """What a checkpoint must hold, so that a resumed run writes the same log."""
        return {"step": self._done, "sums": self._sums, "skipped": self._skipped}

    @property
    def done(self) -> int:
        """How many steps have been played."""
        return int(self._done)

    @property
    def skipped(self) -> int:
        """In how many of them a move was skipped."""
        return int(self._skipped[0])

    @property
    def skipped_in_a_row(self) -> int:
        """In how many up to the last one."""
        return int(self._skipped[1])

    def play(self, tokens, genre, wishes: tuple[bool, ...]) -> tf.Tensor:
        """Play the next step.

        Args:
            tokens: int32 [b, T, K] of every replica of this worker.
            genre: int32 [b] of every replica.
            wishes: what this worker wants the others to know.

        Returns:
            How many replicas have each wish: float32 [len(wishes)].
        """
        step = self.done
        self._game.set_learning_rates(learning_rate_share(self._config.training, step))
        weight = tf.constant(regularisation_weight(self._config.regularisation, step), tf.float32)
        return self._play(tokens, genre, self._done.read_value(), weight, tf.constant(wishes, tf.float32))

    @tf.function(reduce_retracing=True)
    def _play(self, tokens, genre, step, weight, wishes):
        metrics = self._game.metrics

        def one(*arguments):
            numbers = self._game.step(*arguments)
            return tf.concat([tf.stack([numbers[name] for name in metrics]), wishes], axis=0)

        shares = self._strategy.run(one, args=(tokens, genre, step, weight))
        if self._average:
            self._average.update(step)
        numbers, wishes = tf.split(self._strategy.reduce("SUM", shares, axis=None), [len(metrics), wishes.shape[0]])
        skipped = numbers[-1] > 0.5
        # The numbers of a step that was skipped may be none, and no sum can hold them.
        counted = tf.where(skipped, tf.one_hot(len(metrics) - 1, len(metrics)), numbers)
        self._sums.assign_add(tf.concat([counted, [tf.cast(~skipped, tf.float32), 1.0]], axis=0))
        row = tf.where(skipped, self._skipped[1] + 1, 0)
        self._skipped.assign(tf.stack([self._skipped[0] + tf.cast(skipped, tf.int64), row]))
        self._done.assign_add(1)
        return wishes

    @tf.function
    def total(self, value: tf.Tensor) -> tf.Tensor:
        """The sum of a scalar over all replicas, each of which has that of its worker."""
        return self._strategy.reduce("SUM", self._strategy.run(tf.identity, args=(value,)), axis=None)

    def line(self) -> dict[str, float]:
        """The mean of each metric since the last line, and the rate and weight of the last step.

        Of the metrics only `skipped` is there if a move was skipped in every step.
        """
        *sums, made, steps = self._sums.numpy()
        self._sums.assign(tf.zeros_like(self._sums))
        *names, last = self._game.metrics
        numbers = {name: float(total / made) for name, total in zip(names, sums[:-1], strict=True) if made}
        numbers[last] = float(sums[-1] / steps)
        numbers["weight"] = regularisation_weight(self._config.regularisation, self.done - 1)
        rate = learning_rate_share(self._config.training, self.done - 1)
        return {**numbers, "learning_rate": self._config.training.learning_rate * rate}
