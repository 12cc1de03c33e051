"""Steps of the game on all replicas of a job, and the sums of their numbers."""

import tensorflow as tf

from musae_tf.config import Config
from musae_tf.training.average import WeightAverage
from musae_tf.training.game import Game
from musae_tf.training.schedules import learning_rate_share, regularisation_weight


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
