"""Loads a version: the session, its batching, and the warm-up requests that come with it."""

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
from google.protobuf.message import DecodeError

from musae_tf.protocol.messages import BatchingParameters, PredictionLog
from musae_tf.server.batching import BatchingLimits, BatchScheduler, limits_from
from musae_tf.server.engine import Session
from musae_tf.server.options import Options, read_text_message
from musae_tf.server.prometheus import Metrics
from musae_tf.server.servable import Servable
from musae_tf.server.status import Code, ServeError, StatusError, invalid
from musae_tf.server.tasks import DirectRunner

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_LONGEST = 2**31 - 1


def masked_crc(data: bytes) -> int:
    """CRC-32C (Castagnoli) of some bytes, masked as TFRecord wants it."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(path: Path) -> Iterator[bytes]:
    """The records of a TFRecord file.

    Raises:
        StatusError: DATA_LOSS, not such a file or a damaged one.
    """
    with path.open("rb") as file:
        while header := file.read(_HEADER.size):
            length, length_crc = _HEADER.unpack(header) if len(header) == _HEADER.size else (0, -1)
            if masked_crc(header[:8]) != length_crc or length > _LONGEST:
                raise _damaged(path)
            content, footer = file.read(length), file.read(_FOOTER.size)
            if len(content) != length or len(footer) != _FOOTER.size:
                raise _damaged(path)
            if masked_crc(content) != _FOOTER.unpack(footer)[0]:
                raise _damaged(path)
            yield content


def _damaged(path: Path) -> StatusError:
    return StatusError(
        Code.DATA_LOSS,
        f"corrupted record in {path}. Please verify your warmup data is in TFRecord format.",
    )


FILE = Path("assets.extra", "tf_serving_warmup_requests")
_MOST = 1000


def warm_up(servable: Servable, iterations: int, metrics: Metrics) -> None:
    """Run the warm-up records of a version one after the other; no file is fine.

    Raises:
        StatusError: a record cannot be read, or its request fails: the version must not be served.
    """
    path = servable.path / FILE
    if not path.is_file():
        return
    started, status = time.monotonic(), Code.OK
    try:
        for number, record in enumerate(_logs(path)):
            if number >= _MOST:
                raise invalid(f"Number of warmup records exceeds the maximum ({_MOST}) at {path}")
            metrics.warmup_records.add(str(servable.path), Code.OK.name)
            for _ in range(iterations):
                _run(servable, record)
    except StatusError as error:
        status = error.code
        raise
    finally:
        metrics.warmup_latency.observe((time.monotonic() - started) * 1e6, str(servable.path), status.name)


def _logs(path: Path) -> Iterator[PredictionLog]:
    for record in read_records(path):
        try:
            yield PredictionLog.FromString(record)
        except DecodeError as error:
            raise invalid(f"Failed to parse warmup record: {error} from {path}") from None


def _run(servable: Servable, log: PredictionLog) -> None:
    kind = log.WhichOneof("log_type")
    if kind is None:
        return
    if kind != "predict_log":
        raise StatusError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
    prepared = servable.prepare(log.predict_log.request)
    servable.run(prepared.feeds, prepared.fetches, prepared.inputs)


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
