"""The batches of a run, dealt out to workers and their replicas."""

import tensorflow as tf

from musae_tf.data import TrainingBatches, tf_dataset


def distribute(
    strategy: tf.distribute.Strategy, batches: TrainingBatches, first: int, last: int
) -> tf.distribute.DistributedDataset:
    """Batches of the steps first .. last - 1, made ahead of their use; read no more of them.

    A worker makes its own rows of every global batch, and its replicas get them in order: all rows together, and which
    replica sees which, depend on nothing but the step.
    """
    per_replica = batches.batch_size // strategy.num_replicas_in_sync

    def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        mine = batches.batch_size // context.num_input_pipelines
        rows = slice(context.input_pipeline_id * mine, (context.input_pipeline_id + 1) * mine)
        made = tf_dataset(batches, first, last, rows).rebatch(per_replica, drop_remainder=True)
        # Of an input that ends, workers would ask each other before every step whether the end has come.
        return made.repeat()

    return strategy.distribute_datasets_from_function(pipeline)
