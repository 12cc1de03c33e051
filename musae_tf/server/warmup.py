"""Warm-up: requests recorded in assets.extra/tf_serving_warmup_requests, run before a version becomes available."""

import time
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError, Message

from musae_tf.protocol.messages import PredictionLog
from musae_tf.server.inference import classify, multi_infer, regress
from musae_tf.server.metrics import Metrics
from musae_tf.server.predict import run_predict
from musae_tf.server.records import read_records
from musae_tf.server.servable import Servable
from musae_tf.server.status import Code, StatusError, invalid

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


def _logs(path: Path) -> Iterator[Message]:
    for record in read_records(path):
        try:
            yield PredictionLog.FromString(record)
        except DecodeError as error:
            raise invalid(f"Failed to parse warmup record: {error} from {path}") from None


def _run(servable: Servable, log: Message) -> None:
    kind = log.WhichOneof("log_type")
    if kind is None:
        return
    if kind == "predict_log":
        run_predict(servable, log.predict_log.request)
    elif kind == "classify_log":
        request = log.classify_log.request
        classify(servable, request.model_spec.signature_name, request.input)
    elif kind == "regress_log":
        request = log.regress_log.request
        regress(servable, request.model_spec.signature_name, request.input)
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        multi_infer(servable, request.tasks, request.input)
    else:
        raise StatusError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
