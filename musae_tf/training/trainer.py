"""The training loop: steps, curves, checkpoints, alarms. Killed at any moment, it resumes to the same curve.

What a step does is in `musae_tf.models.train_step`.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from musae_tf.data import Dataset, TrainingBatches
from musae_tf.data.pipeline import held_out_phrases
from musae_tf.errors import ConfigError, RunError
from musae_tf.models import FittedPrior, MusAE
from musae_tf.models.inference import encode
from musae_tf.models.train_step import TrainStep
from musae_tf.training.alarms import Alarms
from musae_tf.training.checkpoints import Checkpoints, Curves, read_log
from musae_tf.training.display import Display
from musae_tf.training.distribute import WORKER_ERRORS, Place, choose_strategy, distribute, gone
from musae_tf.training.run import Run
from musae_tf.training.schedule import Schedule
from musae_tf.training.start import take_weights

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


Evaluate = Callable[[MusAE], Evaluation]
Log = Callable[[str], None]


def train(
    run: Run, dataset: Dataset, evaluate: Evaluate, log: Log = print, batches: type[TrainingBatches] = TrainingBatches
) -> int:
    """Train a run from its newest checkpoint, or from the start, to its last step.

    With several workers (TF_CONFIG) every one of them calls this with the same run, in a folder that all can read; only
    the chief evaluates, writes and logs.

    Args:
        run: its configuration says everything.
        dataset: the one the run was made for.
        evaluate: called every `training.evaluate_every` steps.
        log: takes the sentences for the user.
        batches: what makes the batches of training.

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
    return Trainer(run, dataset, evaluate, log, batches).train()


class DistributedSteps:
    """Runs train steps on all replicas of a job, one after the other, and sums up their numbers.

    Args:
        strategy: what the train step was built under.
        train_step: of one replica.
    """

    def __init__(self, strategy: tf.distribute.Strategy, train_step: TrainStep):
        self._strategy, self._train_step = strategy, train_step
        self._done = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Since the last line of the log: sums over the steps in which every update was made, their number, and the
        # number of all steps.
        self._sums = tf.Variable(tf.zeros(len(train_step.metrics) + 2), trainable=False)
        # Steps with an update that was skipped: all of them, and the last ones in a row.
        self._skipped = tf.Variable([0, 0], dtype=tf.int64, trainable=False)
        self._last_place = 0

    @property
    def state(self) -> dict[str, tf.Variable]:
        """What a checkpoint must hold, so that a resumed run writes the same log."""
        return {"step": self._done, "sums": self._sums, "skipped": self._skipped}

    @property
    def done(self) -> int:
        """How many steps have been made."""
        return int(self._done)

    @property
    def skipped(self) -> int:
        """In how many of them an update was skipped."""
        return int(self._skipped[0])

    @property
    def skipped_in_a_row(self) -> int:
        """In how many up to the last one."""
        return int(self._skipped[1])

    def run(self, tokens: tf.Tensor, genre: tf.Tensor, place: int, told: tuple[float, ...]) -> tf.Tensor:
        """Make the next step.

        Args:
            tokens: int32 [b, T, K] of every replica of this worker.
            genre: int32 [b] of every replica.
            place: in the schedules, the same on all workers.
            told: what this worker wants the others to know.

        Returns:
            The sums over all replicas of what they were told: float32 [len(told)].
        """
        self._last_place = place
        step, at = self._done.read_value(), tf.constant(place, tf.int64)
        return self._run(tokens, genre, step, at, tf.constant(told, tf.float32))

    @tf.function(reduce_retracing=True, autograph=False)
    def _run(
        self, tokens: tf.Tensor, genre: tf.Tensor, step: tf.Tensor, place: tf.Tensor, told: tf.Tensor
    ) -> tf.Tensor:
        metrics = self._train_step.metrics

        def one(*arguments: tf.Tensor) -> tf.Tensor:
            numbers = self._train_step(*arguments)
            return tf.concat([tf.stack([numbers[name] for name in metrics]), told], axis=0)

        shares = self._strategy.run(one, args=(tokens, genre, step, place))
        numbers, told = tf.split(self._strategy.reduce("SUM", shares, axis=None), [len(metrics), told.shape[0]])
        skipped = numbers[-1] > 0.5
        # The numbers of a step that was skipped may be none, and no sum can hold them.
        counted = tf.where(skipped, tf.one_hot(len(metrics) - 1, len(metrics)), numbers)
        self._sums.assign_add(tf.concat([counted, [tf.cast(~skipped, tf.float32), 1.0]], axis=0))
        row = tf.where(skipped, self._skipped[1] + 1, 0)
        self._skipped.assign(tf.stack([self._skipped[0] + tf.cast(skipped, tf.int64), row]))
        self._done.assign_add(1)
        return told

    @tf.function(autograph=False)
    def total(self, value: tf.Tensor) -> tf.Tensor:
        """The sum of a scalar over all replicas, each of which has that of its worker."""
        return self._strategy.reduce("SUM", self._strategy.run(tf.identity, args=(value,)), axis=None)

    def line(self) -> dict[str, float]:
        """The mean of each metric since the last line, and the rate and weight of the last step.

        Of the metrics only `skipped` is there if an update was skipped in every step.
        """
        *sums, made, steps = self._sums.numpy()
        self._sums.assign(tf.zeros_like(self._sums))
        *names, last = self._train_step.metrics
        numbers = {name: float(total / made) for name, total in zip(names, sums[:-1], strict=True) if made}
        numbers[last] = float(sums[-1] / steps)
        rate, weight = self._train_step.schedules(tf.constant(self._last_place, tf.int64))
        return {
            **numbers,
            "weight": float(weight),
            "learning_rate": self._train_step.training.learning_rate * float(rate),
        }


class Trainer:
    """One run of the loop; see `train`."""

    def __init__(self, run: Run, dataset: Dataset, evaluate: Evaluate, log: Log, batches: type[TrainingBatches]):
        self._place = Place.from_environment()
        self._display = Display(log, hidden=not self._place.is_chief)
        self._run, self._config, self._evaluate = run, run.config, evaluate
        training = self._config.training
        if training.deterministic:
            tf.config.experimental.enable_op_determinism()
        if self._place.workers > 1:
            self._log(f"waiting for {self._place.workers} workers: {', '.join(self._place.addresses)}")
        self._strategy, devices = choose_strategy(training.strategy, self._place)
        self._log(f"training in {training.precision} on {devices}")
        self._check_batch()
        with self._strategy.scope():
            self._model = run.build_model()
            train_step = TrainStep(self._model, training, self._config.regularisation, self._config.seed)
        self._steps = DistributedSteps(self._strategy, train_step)
        self._dead = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoints = Checkpoints(
            run.checkpoints,
            training.keep_checkpoints,
            model=self._model,
            **{f"{name}_optimizer": group.optimizer for name, group in train_step.groups.items()},
            **self._steps.state,
            dead=self._dead,
        )
        if self._checkpoints.restore():
            train_step.reset_learning_rates()
            self._log(f"going on from step {self._steps.done}")
        elif training.start_from:
            take_weights(self._model, training.start_from)
            self._log(f"starting from the weights of {training.start_from}")
        music = self._config.music
        index = dataset.phrases("train", music.bars, sounding=self._config.data.sounding)
        self._batches = batches(
            index, training.batch_size, self._config.seed, self._config.data.transpose, self._config.data.balance
        )
        fits = isinstance(self._model.prior, FittedPrior)
        self._to_fit = held_out_phrases(index, _FITTED_PHRASES, self._config.seed) if fits else None
        self._fitted = -1
        genres = f"{len(run.genres)} genres: {', '.join(run.genres)}"
        self._log(f"{len(index)} training phrases of {music.bars} bars in {genres}")
        self._alarms = Alarms(run.layout, int(self._dead))
        if self._place.is_chief:
            run.update(devices=devices)
            self._curves = Curves(run.path, self._steps.done)
        self._stopped_by = 0
        self._told_to_stop = (False, False)
        self._started, self._seconds = time.monotonic(), run.facts.get("seconds", 0.0)
        # What was written with the newest checkpoint; earlier versions wrote steps alone.
        ahead = run.facts.get("schedule_place", 0.0) - run.facts.get("steps", 0)
        place = self._steps.done + max(0.0, ahead)
        self._schedule = Schedule(training.steps, training.minutes, place)
        self._next_place = round(place)

    def _check_batch(self) -> None:
        training, replicas = self._config.training, self._strategy.num_replicas_in_sync
        if training.batch_size % (replicas * training.accumulate):
            parts = f" in {training.accumulate} parts each" if training.accumulate > 1 else ""
            raise ConfigError(
                f"training.batch_size is {training.batch_size}; allowed: a multiple of "
                f"{replicas * training.accumulate}, for {replicas} replicas{parts}"
            )

    def train(self) -> int:
        """Train to the last step; returns what `musae_tf.training.train` does."""
        handlers = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        self._started, first = time.monotonic(), self._steps.done
        steps, chief = self._config.training.steps, self._place.is_chief
        self._display.open(f"training {self._config.name}", first, steps, read_log(self._run.path) if chief else [])
        try:
            self._barrier()
            return self._train_from(first)
        except WORKER_ERRORS as cause:
            if self._place.workers == 1:
                raise
            raise gone(cause) from None
        finally:
            self._display.close()
            if chief:
                self._curves.close()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _log(self, text: str) -> None:
        """Tell the user a sentence; only the chief does."""
        self._display.say(text)

    def _train_from(self, first: int) -> int:
        training = self._config.training
        batches = iter(distribute(self._strategy, self._batches, first, training.steps))
        for step in range(first + 1, training.steps + 1):
            self._one_step(*next(batches))
            self._display.step()
            if step % training.log_every == 0:
                self._log_numbers(step)
            stop, over = self._should_stop()
            if over:
                self._log(
                    f"training.minutes ({training.minutes:g}) are over at step {step} of {training.steps}; "
                    f"learning rates and weights have gone their whole way"
                )
                break
            if step % training.evaluate_every == 0 and step < training.steps:
                self._evaluate_now(step)
            stop = stop or self._should_stop()[0]
            if stop or (step % training.checkpoint_every == 0 and step < training.steps):
                self._save(step)
            if stop:
                self._barrier()
                return self._stopped_by or signal.SIGTERM
        last = self._steps.done
        if last > first:  # else the checkpoint is the last one, and its evaluation is in the log
            self._evaluate_now(last)
            self._save(last)
        if self._place.is_chief:
            ended_by = "steps" if last == training.steps else "minutes"
            self._run.update(state="finished", steps=last, ended_by=ended_by)
        self._barrier()
        return 0

    def _interrupt(self, number: int, frame: object) -> None:
        self._stopped_by = number

    def _stop_flags(self) -> tuple[bool, bool]:
        """Whether this process has been told to stop, and whether the time of the run is over."""
        return bool(self._stopped_by), self._schedule.over(self._run_seconds())

    def _run_seconds(self) -> float:
        """Of the whole run, with those before it was resumed."""
        return self._seconds + time.monotonic() - self._started

    def _should_stop(self) -> tuple[bool, bool]:
        """The same for the whole job: any worker's flags before the last step, so that all stop after it."""
        return self._told_to_stop if self._place.workers > 1 else self._stop_flags()

    def _barrier(self) -> None:
        """Wait for all workers, and see that all are at the same step.

        Raises:
            RunError: they have read different checkpoints.
        """
        if self._place.workers == 1:
            return
        step, replicas = float(self._steps.done), self._strategy.num_replicas_in_sync
        if float(self._steps.total(tf.constant(step))) != step * replicas:
            raise RunError(f"{self._run.path} is another folder on another worker; all of them must share it")

    def _one_step(self, tokens: tf.Tensor, genre: tf.Tensor) -> None:
        place = self._next_place
        following = self._schedule.advance(self._steps.done + 1, self._run_seconds())
        if self._place.workers == 1:
            self._steps.run(tokens, genre, place, ())
            self._next_place = round(following)
            return
        # All workers take the place that the chief measures: each of its replicas tells its part of it.
        own = self._strategy.num_replicas_in_sync // self._place.workers
        told = self._steps.run(
            tokens, genre, place, (*self._stop_flags(), following / own if self._place.is_chief else 0.0)
        )
        stop, over, agreed = told.numpy()
        self._told_to_stop = bool(stop > 0), bool(over > 0)
        self._next_place = round(float(agreed))

    def _log_numbers(self, step: int) -> None:
        numbers = self._steps.line()
        self._alarms.check_numbers(step, numbers)
        self._alarms.check_skipped(step, self._steps.skipped_in_a_row)
        if not self._place.is_chief:
            return
        self._curves.write("train", step, numbers)
        critic = f"critic {numbers['wasserstein']:.2f} " if "wasserstein" in numbers else ""
        learnt = "reconstruction" in numbers
        loss = f"loss {numbers['reconstruction']:.3f} {critic}right {numbers['accuracy']:.3f} " if learnt else ""
        self._display.numbers(f"{loss}{self._config.training.batch_size} phrases a step")

    def _fit_prior(self, step: int) -> None:
        """Fit the prior to the codes of now, if it is one that is fitted: the model is then what it would be if
        training ended here.
        """
        if self._to_fit is not None and self._fitted != step:
            index, genre = self._to_fit
            self._model.prior.fit(*encode(self._model, index.tokens()), genre)
            self._fitted = step

    def _evaluate_now(self, step: int) -> None:
        if not self._place.is_chief:
            return
        self._fit_prior(step)
        evaluation = self._evaluate(self._model)
        self._curves.write("evaluation", step, evaluation.numbers)
        self._display.evaluated(step, evaluation.numbers)
        for name, pixels in evaluation.pictures.items():
            self._curves.picture(name, step, pixels)
        for name, samples in evaluation.sounds.items():
            self._curves.sound(name, step, samples)
        spoken = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in evaluation.numbers.items())
        self._log(f"step {step}: {spoken}")
        self._alarms.check_music(step, evaluation.rebuilt, evaluation.original)

    def _save(self, step: int) -> None:
        if not self._place.is_chief:
            return
        self._fit_prior(step)
        self._dead.assign(self._alarms.dead)
        self._checkpoints.save(step)
        self._run.update(
            state="training",
            steps=step,
            seconds=round(self._run_seconds(), 1),
            skipped_steps=self._steps.skipped,
            schedule_place=self._next_place,
        )
