"""The randomness of a step, the same on any number of devices and after any interruption."""

import copy

import tensorflow as tf

from musae_tf.config import Config


class Noise:
    """All randomness of a step, drawn for the global batch from (seed, step) and cut to this replica's rows.

    So a run that is killed and resumed, or spread over other devices, sees the same numbers. Shapes: b rows of this
    replica, B rows of the global batch.
    """

    def __init__(self, config: Config, step: tf.Tensor, genre: tf.Tensor):
        """Make it in the context of a replica; `step` int64 scalar, `genre` int32 [b]."""
        self._batch = config.training.batch_size
        self._context = tf.distribute.get_replica_context()
        self._count = tf.shape(genre)[0]
        self._first = self._context.replica_id_in_sync_group * self._count
        self._root = tf.stack([tf.constant(config.seed, tf.int64), step])
        self._streams: dict[str, int] = {}
        self.all_genres = self.all_rows(genre)

    def part(self, first: tf.Tensor, count: int) -> "Noise":
        """The same randomness for `count` of this replica's rows, from row number `first`, an int32 scalar."""
        part = copy.copy(self)
        part._first, part._count = self._first + first, count
        return part

    def seed(self, stream: str) -> tf.Tensor:
        """A seed int64 [2] of its own for each stream of this step."""
        number = self._streams.setdefault(stream, len(self._streams))
        return tf.random.fold_in(self._root, number)

    def rows(self, of_global_batch: tf.Tensor) -> tf.Tensor:
        """The rows of this replica, [b, ...] of [B, ...]."""
        return of_global_batch[self._first : self._first + self._count]

    def all_rows(self, of_replica: tf.Tensor) -> tf.Tensor:
        """The rows of all replicas, [B, ...] of [b, ...], with gradients to them."""
        if self._context.num_replicas_in_sync == 1:
            return of_replica
        # A sum of rows and zeros, since gathering fails under MultiWorkerMirroredStrategy; as numbers that NCCL takes.
        after = self._batch - self._first - self._count
        padding = [[self._first, after], *[[0, 0]] * (of_replica.shape.rank - 1)]
        padded = tf.pad(tf.cast(of_replica, tf.float32), padding)
        rows = self._context.all_reduce(tf.distribute.ReduceOp.SUM, padded)
        return tf.cast(tf.ensure_shape(rows, [self._batch, *of_replica.shape[1:]]), of_replica.dtype)

    def normal(self, stream: str, width: int) -> tf.Tensor:
        """Standard normal float32 [b, width]."""
        return self.rows(tf.random.stateless_normal([self._batch, width], self.seed(stream)))

    def uniform(self, stream: str, *shape: int) -> tf.Tensor:
        """Uniform 0..1, float32 [b, *shape]."""
        return self.rows(tf.random.stateless_uniform([self._batch, *shape], self.seed(stream)))

    def draws(self, stream: str, limits: tf.Tensor, *shape: int) -> tf.Tensor:
        """Whole numbers from 0 to below `limits` int32 (broadcast to the shape), int32 [b, *shape]."""
        shares = self.uniform(stream, *shape)
        return tf.minimum(tf.cast(shares * tf.cast(limits, tf.float32), tf.int32), limits - 1)
