"""The training loop: steps, curves, checkpoints, alarms. Killed at any moment, it resumes to the same curve."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from musae_tf.data import Dataset, TrainingBatches, tf_dataset
from musae_tf.data.pipeline import held_out_phrases
from musae_tf.errors import ConfigError, RunError
from musae_tf.models import FittedPrior, MusAE
from musae_tf.models.inference import encode
from musae_tf.progress import progress
from musae_tf.training.alarms import Alarms
from musae_tf.training.devices import choose_strategy
from musae_tf.training.game import Game
from musae_tf.training.logs import Logs
from musae_tf.training.run import Run
from musae_tf.training.schedules import learning_rate_share, regularisation_weight

# Phrases whose codes a prior is fitted to, evenly over the genres.
_FITTED_PHRASES = 4096


@dataclass
class Evaluation:
    """What the loop wants to know of a model in between: numbers for the curves, music for the alarms, pictures."""

    numbers: dict[str, float]
    rebuilt: np.ndarray
    original: np.ndarray
    pictures: dict[str, np.ndarray] = field(default_factory=dict)


def train(
    run: Run, dataset: Dataset, evaluate: Callable[[MusAE], Evaluation], say: Callable[[str], None] = print
) -> int:
    """Train a run from its newest checkpoint, or from the start, to its last step.

    Args:
        run: its configuration says everything.
        dataset: the one the run was made for.
        evaluate: called every `training.evaluate_every` steps.
        say: takes the sentences for the user.

    Returns:
        0 when the run is finished; else the number of the signal (SIGINT, SIGTERM) that stopped it, after a checkpoint.

    Raises:
        RunError: another dataset, a checkpoint that does not fit, a full disk.
        TrainingError: the numbers blew up or the model is dead.
    """
    if dataset.hash != run.facts["dataset"]["hash"]:
        raise RunError(
            f"{run.path} was started on dataset {run.facts['dataset']['hash'][:12]}; {dataset.path} is "
            f"{dataset.hash[:12]}: build the same dataset again or start a new run"
        )
    return _Trainer(run, dataset, evaluate, say).train()


class _Trainer:
    def __init__(self, run: Run, dataset: Dataset, evaluate: Callable[[MusAE], Evaluation], say: Callable[[str], None]):
        self._run, self._config, self._evaluate, self._say = run, run.config, evaluate, say
        training = self._config.training
        if training.deterministic:
            tf.config.experimental.enable_op_determinism()
        self._strategy, devices = choose_strategy(training.strategy)
        say(f"training on {devices}")
        run.update(devices=devices)
        replicas = self._strategy.num_replicas_in_sync
        if training.batch_size % replicas:
            raise ConfigError(
                f"training.batch_size is {training.batch_size}; allowed: a multiple of {replicas} replicas"
            )
        with self._strategy.scope():
            self._model = run.build_model()
            self._game = Game(self._model, self._config)
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Sums since the last line of the log, so that a resumed run writes the same line.
        self._sums = tf.Variable(tf.zeros(len(self._game.metrics) + 1), trainable=False)
        self._average = run.average_of(self._model)
        self._checkpoint = tf.train.Checkpoint(
            model=self._model,
            **{f"{name}_optimizer": player.optimizer for name, player in self._game.players.items()},
            **({"average": self._average.averages} if self._average else {}),
            step=self._step,
            sums=self._sums,
        )
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(run.checkpoints), max_to_keep=training.keep_checkpoints
        )
        self._restore()
        music = self._config.music
        index = dataset.phrases("train", music.bars, sounding=self._config.data.sounding)
        self._batches = TrainingBatches(
            index, training.batch_size, self._config.seed, self._config.data.transpose, self._config.data.balance
        )
        fits = isinstance(self._model.prior, FittedPrior)
        self._to_fit = held_out_phrases(index, _FITTED_PHRASES, self._config.seed) if fits else None
        self._fitted = -1
        say(f"{len(index)} training phrases of {music.bars} bars in {len(run.genres)} genres: {', '.join(run.genres)}")
        self._alarms = Alarms(run.layout)
        self._logs = Logs(run.path, int(self._step))
        self._stopped_by = 0
        self._started, self._seconds = time.monotonic(), run.facts.get("seconds", 0.0)

    def _restore(self) -> None:
        if self._manager.latest_checkpoint is None:
            return
        try:
            self._checkpoint.restore(self._manager.latest_checkpoint).assert_consumed()
        except (AssertionError, ValueError, tf.errors.OpError) as cause:
            reason = str(cause).splitlines()[0]
            raise RunError(f"checkpoint {self._manager.latest_checkpoint} does not fit this run: {reason}") from None
        self._say(f"going on from step {int(self._step)}")

    def train(self) -> int:
        training = self._config.training
        handlers = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        self._started, first = time.monotonic(), int(self._step)
        bar = progress(total=training.steps, initial=first, title=f"training {self._config.name}", unit="steps")
        say = self._say

        def say_above_the_bar(text: str) -> None:
            with bar.external_write_mode():
                say(text)

        self._say = say_above_the_bar
        try:
            for tokens, genre in self._input(first):
                self._one_step(tokens, genre)
                step = int(self._step)
                bar.update()
                if step % training.log_every == 0:
                    self._log(step, bar)
                if training.minutes and time.monotonic() - self._started > 60 * training.minutes:
                    self._say(f"training.minutes ({training.minutes:g}) are over at step {step}")
                    break
                if step % training.evaluate_every == 0 and step < training.steps:
                    self._evaluate_now(step)
                if self._stopped_by or (step % training.checkpoint_every == 0 and step < training.steps):
                    self._save(step)
                if self._stopped_by:
                    return self._stopped_by
            if int(self._step) > first:  # else the checkpoint is the last one, and its evaluation is in the log
                self._evaluate_now(int(self._step))
                self._save(int(self._step))
            self._run.update(state="finished", steps=int(self._step))
            return 0
        finally:
            bar.close()
            self._logs.close()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _interrupt(self, number: int, frame: object) -> None:
        self._stopped_by = number

    def _input(self, first: int):
        training = self._config.training
        per_replica = training.batch_size // self._strategy.num_replicas_in_sync

        def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
            # A worker reads its own rows of every global batch; rebatching hands them to its replicas in order.
            mine = training.batch_size // context.num_input_pipelines
            rows = slice(context.input_pipeline_id * mine, (context.input_pipeline_id + 1) * mine)
            return tf_dataset(self._batches, first, training.steps, rows).rebatch(per_replica)

        return self._strategy.distribute_datasets_from_function(pipeline)

    @tf.function(reduce_retracing=True)
    def _play(self, tokens, genre, step, weight):
        shares = self._strategy.run(self._game.step, args=(tokens, genre, step, weight))
        if self._average:
            self._average.update(step)
        return {name: self._strategy.reduce("SUM", share, axis=None) for name, share in shares.items()}

    def _one_step(self, tokens, genre) -> None:
        step = int(self._step)
        self._game.set_learning_rates(learning_rate_share(self._config.training, step))
        weight = regularisation_weight(self._config.regularisation, step)
        numbers = self._play(tokens, genre, self._step.read_value(), tf.constant(weight, tf.float32))
        self._sums.assign_add(tf.stack([*(numbers[name] for name in self._game.metrics), 1.0]))
        self._step.assign_add(1)

    def _log(self, step: int, bar) -> None:
        *sums, count = self._sums.numpy()
        self._sums.assign(tf.zeros_like(self._sums))
        numbers = {name: float(total / count) for name, total in zip(self._game.metrics, sums, strict=True)}
        numbers["weight"] = regularisation_weight(self._config.regularisation, step - 1)
        numbers["learning_rate"] = self._config.training.learning_rate * learning_rate_share(
            self._config.training, step - 1
        )
        self._alarms.check_numbers(step, numbers)
        self._logs.write("train", step, numbers)
        critic = f"critic {numbers['wasserstein']:.2f} " if "wasserstein" in numbers else ""
        bar.set_postfix_str(
            f"loss {numbers['reconstruction']:.3f} {critic}"
            f"right {numbers['accuracy']:.3f} {self._config.training.batch_size} phrases a step"
        )

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
        with self._finished_model(step):
            evaluation = self._evaluate(self._model)
        self._logs.write("evaluation", step, evaluation.numbers)
        for name, pixels in evaluation.pictures.items():
            self._logs.picture(name, step, pixels)
        spoken = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in evaluation.numbers.items())
        self._say(f"step {step}: {spoken}")
        self._alarms.check_music(step, evaluation.rebuilt, evaluation.original)

    def _save(self, step: int) -> None:
        with self._finished_model(step):
            pass  # what was fitted stays; averages are saved beside the weights
        try:
            self._manager.save(checkpoint_number=step)
        except (OSError, tf.errors.OpError) as cause:
            for unfinished in self._run.checkpoints.glob("*_temp"):
                shutil.rmtree(unfinished, ignore_errors=True)
            # TensorFlow adds the path and the place in the graph.
            reason = getattr(cause, "strerror", None) or str(cause).splitlines()[0].partition(" [Op:")[0]
            reason = "No space left on device" if "No space left" in reason else reason
            raise RunError(f"cannot write a checkpoint in {self._run.checkpoints}: {reason}") from None
        seconds = self._seconds + time.monotonic() - self._started
        self._run.update(state="training", steps=step, seconds=round(seconds, 1))
