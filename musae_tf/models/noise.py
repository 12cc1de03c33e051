"""The randomness of a step, the same on any number of devices and after any interruption."""

import copy
import zlib

import tensorflow as tf


class Noise:
    """All randomness of a step, drawn for the global batch from (seed, step) and cut to this replica's rows.

    So a run that is killed and resumed, or spread over other devices, sees the same numbers. Shapes: b rows of this
    replica, as many on every other, B rows of the global batch.
    """

    def __init__(self, seed: int, step: tf.Tensor, genre: tf.Tensor):
        """Make it in the context of a replica; `step` int64 scalar, `genre` int32 [b]."""
        self._context = tf.distribute.get_replica_context()
        self._count = genre.shape[0] if genre.shape[0] is not None else tf.shape(genre)[0]
        self.batch = self._count * self._context.num_replicas_in_sync
        self._first = self._context.replica_id_in_sync_group * self._count
        self._root = tf.stack([tf.constant(seed, tf.int64), step])
        self.all_genres = self._all_rows(genre)

    def part(self, first: tf.Tensor, count: int) -> "Noise":
        """The same randomness for `count` of this replica's rows, from row number `first`, an int32 scalar."""
        part = copy.copy(self)
        part._first, part._count = self._first + first, count
        return part

    def seed(self, stream: str) -> tf.Tensor:
        """A seed int64 [2] of this step for each stream, by its name."""
        return tf.random.fold_in(self._root, zlib.crc32(stream.encode()) % 2**31)

    def rows(self, of_global_batch: tf.Tensor) -> tf.Tensor:
        """The rows of this replica, [b, ...] of [B, ...]."""
        return of_global_batch[self._first : self._first + self._count]

    @property
    def numbers(self) -> tf.Tensor:
        """Which rows of the global batch these are, int32 [b]."""
        return self._first + tf.range(self._count)

    def normal(self, stream: str, width: int) -> tf.Tensor:
        """Standard normal float32 [b, width]."""
        return self.rows(tf.random.stateless_normal([self.batch, width], self.seed(stream)))

    def uniform(self, stream: str, *shape: int) -> tf.Tensor:
        """Uniform 0..1, float32 [b, *shape]."""
        return self.rows(tf.random.stateless_uniform([self.batch, *shape], self.seed(stream)))

    def _all_rows(self, of_replica: tf.Tensor) -> tf.Tensor:
        """The integers of all replicas, int32 [B] of [b]."""
        if self._context.num_replicas_in_sync == 1:
            return of_replica
        # A sum of rows and zeros, since gathering fails under MultiWorkerMirroredStrategy; as numbers that NCCL takes.
        padding = [[self._first, self.batch - self._first - self._count]]
        rows = self._context.all_reduce(tf.distribute.ReduceOp.SUM, tf.pad(tf.cast(of_replica, tf.float32), padding))
        return tf.ensure_shape(tf.cast(rows, of_replica.dtype), [self.batch if isinstance(self.batch, int) else None])
