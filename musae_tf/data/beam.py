"""The engine that turns chunks of songs into part files under Apache Beam, on one machine or on a cluster.

The pipeline is the chunks, reshuffled over the workers, and for each the same guarded process that the local engine
runs. So the songs below the source and the folder `.<name of the dataset>.partial` beside the dataset must lie on
storage that all workers see by the same path, and musae-tf must be installed on them.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from musae_tf.data.reader import Chunk, Reader
from musae_tf.data.workers import FileLimits, Worker
from musae_tf.errors import DatasetError


class WriteParts(beam.DoFn):
    """Writes the part file of a chunk and gives its number of items; a guarded process for each copy of it."""

    def __init__(self, reader: Reader, limits: FileLimits) -> None:
        self._reader, self._limits = reader, limits

    def setup(self) -> None:
        """Start the process."""
        self._worker = Worker(self._reader, self._limits)

    def process(self, chunk: tuple) -> Iterator[int]:
        """One chunk. Beam may ask for it again, or twice at once: the same bytes are renamed into the same place."""
        self._worker.start(Chunk(*chunk))
        yield self._worker.finish(timeout=None) or 0

    def teardown(self) -> None:
        """End the process."""
        self._worker.close()


def make_parts(
    chunks: Sequence[Chunk], reader: Reader, options: str, done: Callable[[int], None], limits: FileLimits | None = None
) -> None:
    """Write the part file of every chunk by a Beam pipeline, and call `done` when it has ended.

    Args:
        chunks: What to write.
        reader: The per-file function.
        options: Pipeline options as on Beam's command line, for instance "--runner=FlinkRunner --parallelism=64".
        done: Told of the number of items at the end: Beam tells of no progress that all runners have.
        limits: Of one file.

    Raises:
        DatasetError: Beam does not take the options, or the pipeline failed.
    """
    if not chunks:
        return
    try:
        settings = PipelineOptions(shlex.split(options))
        settings.get_all_options()
        with beam.Pipeline(options=settings) as pipeline:
            _ = (
                pipeline
                | "chunks" >> beam.Create(list(map(tuple, chunks)))
                | "spread over the workers" >> beam.Reshuffle()
                | "write parts" >> beam.ParDo(WriteParts(reader, limits or FileLimits()))
            )
    except SystemExit as cause:  # how argparse refuses
        raise DatasetError(f"Beam does not take the options {options!r}") from cause
    except Exception as cause:
        raise DatasetError(f"the Beam pipeline failed: {cause}") from cause
    missing = [chunk.path for chunk in chunks if not chunk.path.exists()]
    if missing:
        raise DatasetError(f"Beam's workers left no {missing[0]}: do they see the storage of this machine?")
    done(sum(len(chunk.items) for chunk in chunks))
