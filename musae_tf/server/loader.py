"""Loads a version: the session, its batching, and the warm-up requests that come with it."""

import time
from pathlib import Path

from musae_tf.protocol.messages import BatchingParameters
from musae_tf.server.batching import BatchingLimits, BatchScheduler, limits_from
from musae_tf.server.config import read_text_message
from musae_tf.server.engine import Session
from musae_tf.server.metrics import Metrics
from musae_tf.server.options import Options
from musae_tf.server.runner import DirectRunner
from musae_tf.server.servable import Servable
from musae_tf.server.status import ServeError, StatusError, invalid
from musae_tf.server.warmup import warm_up


class Loader:
    """Makes servables of version folders."""

    def __init__(self, options: Options, metrics: Metrics, direct: DirectRunner, scheduler: BatchScheduler | None):
        """Load with these options; servables run on `direct`, or in batches on `scheduler`."""
        self._options, self._metrics = options, metrics
        self._direct, self._scheduler = direct, scheduler

    def load(self, name: str, version: int, path: Path) -> Servable:
        """Load version `version` of model `name` from a folder.

        Raises:
            StatusError: what the loader, the batching parameters or a warm-up request failed with.
        """
        started = time.monotonic()
        options = self._options
        try:
            limits = self._batching(path)
            session = Session(path, options.tags, options.engine_threads, options.inter_op_threads)
        except StatusError:
            self._metrics.load_attempts.add(str(path), "fail")
            raise
        self._metrics.load_attempts.add(str(path), "success")
        self._metrics.load_latency.add(str(path), by=int((time.monotonic() - started) * 1e6))
        servable = Servable(path, session, self._direct, self._scheduler, limits)
        try:
            if options.warm_up:
                warm_up(servable, options.warmup_iterations, self._metrics)
        except BaseException:
            servable.close()
            raise
        return servable

    def _batching(self, path: Path) -> BatchingLimits | None:
        batching = self._options.batching
        if batching is None:
            return None
        if not batching.per_model:
            return limits_from(batching.parameters)
        own = path / "batching_params.pbtxt"
        if not own.is_file():
            return None
        try:
            return limits_from(read_text_message(own, BatchingParameters))
        except ServeError as error:
            raise invalid(str(error)) from None
