"""Requests that share a run of the model: results, limits, and what a bad one does to the others."""

import queue
import threading
import time

import grpc
import numpy as np
import pytest

from musae_tf.cores import available_cores
from musae_tf.protocol import services
from musae_tf.protocol.codec import to_array
from musae_tf.protocol.messages import BatchingParameters
from musae_tf.server import Options
from musae_tf.server.batching import limits_from
from musae_tf.server.handlers import Handlers
from musae_tf.server.options import Batching, one_model
from musae_tf.server.status import StatusError
from musae_tf.server.tasks import Task
from tests.server.client import predict_request, rows
from tests.server.conftest import publish
from tests.waiting import LIMIT, wait_for


def batching(per_model: bool = False, **numbers) -> Batching:
    parameters = BatchingParameters()
    for name, value in numbers.items():
        if name == "allowed_batch_sizes":
            parameters.allowed_batch_sizes.extend(value)
        elif name == "pad_variable_length_inputs":
            parameters.pad_variable_length_inputs = value
        else:
            getattr(parameters, name).value = value
    return Batching(parameters, per_model)


# One thread and a wait: what is sent at once mostly runs together.
TOGETHER = {"max_batch_size": 64, "batch_timeout_micros": 300_000, "num_batch_threads": 1}


def filled(count: int) -> dict:
    """So many rows run together, however long the last of them is on its way."""
    return {**TOGETHER, "max_batch_size": count, "batch_timeout_micros": int(LIMIT * 1e6)}


def send(client, requests, timeout: float = 30) -> list:
    """Send at once; each answer is a response or an RpcError."""
    stub = client.stub(services.PREDICT)
    calls = [stub.future(request, timeout=timeout) for request in requests]
    return [call.exception() or call.result() for call in calls]


def batches(server) -> int:
    return server.core.metrics.wrapped_run_count.first()


def test_requests_run_together_and_each_gets_its_own_rows(serve, base):
    server, client = serve(base, batching=batching(**filled(36)))
    inputs = [rows(count) + 100 * count for count in range(1, 9)]
    for x, response in zip(inputs, send(client, [predict_request(x=x) for x in inputs]), strict=True):
        np.testing.assert_array_equal(to_array(response.outputs["y"]), x * [2, 3])
    assert batches(server) == 1
    assert server.core.metrics.processed_batch_size.first() == 1
    # Strings, and an output filter, which has a queue of its own.
    texts = [np.array([f"text {number}".encode()] * number, object) for number in (6, 12, 18)]
    answers = send(client, [predict_request("shout", text=text) for text in texts])
    assert [to_array(answer.outputs["loud"]).tolist() for answer in answers] == [
        [f"TEXT {number}".encode()] * number for number in (6, 12, 18)
    ]
    assert batches(server) == 2


def test_a_bad_request_fails_alone(serve, base):
    server, client = serve(base, batching=batching(**TOGETHER))
    good = [predict_request("natural", x=np.array([number], np.int32)) for number in range(3)]
    failing = predict_request("natural", x=np.array([-1], np.int32))
    wrong_type = predict_request("natural", x=np.array([1.0], np.float32))
    answers = send(client, [good[0], failing, good[1], wrong_type, good[2]])
    assert [to_array(answers[place].outputs["x"]).tolist() for place in (0, 2, 4)] == [[0], [1], [2]]
    for place, word in ((1, "negative number"), (3, r"Expects arg\[0\] to be int32 but float is provided")):
        assert answers[place].code() is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError, match=word):
            raise answers[place]
    assert batches(server) > 1


def test_batches_are_padded_to_allowed_sizes(runs, serve, base):
    settings = {"max_batch_size": 16, "allowed_batch_sizes": [4, 16], "num_batch_threads": 1}
    server, client = serve(base, batching=batching(**settings), metrics_path="/metrics")
    call = client.stub(services.PREDICT).future
    with runs.held():
        before = call(predict_request(x=rows(4)), timeout=LIMIT)
        wait_for(lambda: runs.begun == 1)
        calls = [call(predict_request(x=rows(count)), timeout=LIMIT) for count in (1, 2)]
        wait_for(lambda: server.core.metrics.input_batch_size.first() == 3)
    answers = [before.result() and one.result() for one in calls]
    assert batches(server) == 2
    assert [len(answer.outputs["version"].int_val) for answer in answers] == [1, 2]
    assert 'padding_size_sum{execution_batch_size="4"} 1' in server.core.metrics.text()
    (empty,) = send(client, [predict_request(x=rows(0))])
    assert to_array(empty.outputs["y"]).shape == (0, 2)


def test_rows_of_different_length_are_padded_with_the_first_element(serve, base):
    _, client = serve(base, batching=batching(**filled(2), pad_variable_length_inputs=True))
    short, long = np.array([[5, 6]], np.float32), np.ones((1, 4), np.float32)
    answers = send(client, [predict_request("ragged", x=short), predict_request("ragged", x=long)])
    assert to_array(answers[0].outputs["x"]).tolist() == [[5, 6, 5, 5]]
    assert to_array(answers[1].outputs["x"]).tolist() == [[1, 1, 1, 1]]


def test_without_padding_different_lengths_run_apart(serve, base):
    server, client = serve(base, batching=batching(**TOGETHER))
    shapes = [(1, 2), (1, 4), (2, 4)]
    answers = send(client, [predict_request("ragged", x=np.ones(shape, np.float32)) for shape in shapes])
    assert [to_array(answer.outputs["x"]).shape for answer in answers] == shapes
    assert batches(server) in (2, 3)  # 3 if the odd one arrives between the others


def test_large_requests_are_split_if_asked(serve, base):
    settings = {**TOGETHER, "batch_timeout_micros": 0, "max_execution_batch_size": 4}
    server, client = serve(base, batching=batching(**settings, enable_large_batch_splitting=True))
    x = rows(11)
    np.testing.assert_array_equal(client.predict(x=x)["y"], x * [2, 3])
    assert batches(server) == 3


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        ("ragged", {"x": np.zeros((17, 0), np.float32)}),
        ("ragged", {"x": np.zeros((0, 3), np.float32)}),
        ("natural", {"x": np.zeros(0, np.int32)}),
        ("shout", {"text": np.zeros(0, object)}),
        ("add", {"a": np.zeros((0, 2), np.float32), "b": np.zeros((0, 2), np.float32)}),
    ],
    ids=["no columns", "no rows", "no integers", "no strings", "two inputs"],
)
def test_tensors_without_elements(serve, base, signature, inputs, splits):
    split = {"max_execution_batch_size": 4, "enable_large_batch_splitting": True, "max_enqueued_batches": 100}
    _, client = serve(
        base, batching=batching(**TOGETHER, **(split if splits else {}), pad_variable_length_inputs=splits)
    )
    answers = send(client, [predict_request(signature, **inputs) for _ in range(4)])
    assert not [answer for answer in answers if isinstance(answer, grpc.RpcError)]
    for answer in answers:
        for output in answer.outputs.values():
            assert to_array(output).shape == next(iter(inputs.values())).shape
    assert client.predict(x=rows())["version"] == [1]


@pytest.mark.parametrize(
    ("signature", "inputs", "code", "message"),
    [
        ("", {"x": rows(65)}, "INVALID_ARGUMENT", "Task size 65 is larger than maximum input batch size 64"),
        ("scalar", {"x": np.float32(1)}, "INVALID_ARGUMENT", "input tensors must have at least one dimension"),
        ("add", {"a": rows(1), "b": rows(2)}, "INVALID_ARGUMENT", "must have equal 0th-dimension size"),
        ("total", {"x": np.ones(2, np.float32)}, "FAILED_PRECONDITION", "Batched output tensor has 0 dimensions"),
    ],
)
def test_what_cannot_be_batched(serve, base, signature, inputs, code, message):
    _, client = serve(base, batching=batching(max_batch_size=64))
    with pytest.raises(grpc.RpcError, match=message) as failed:
        client.predict(signature, **inputs)
    assert failed.value.code().name == code


def test_a_full_queue_says_unavailable_and_goes_on(runs, serve, base):
    settings = {"max_batch_size": 1, "max_enqueued_batches": 2, "num_batch_threads": 1}
    _, client = serve(base, batching=batching(**settings))
    call = client.stub(services.PREDICT).future
    with runs.held():
        first = call(predict_request(x=rows()), timeout=LIMIT)
        wait_for(lambda: runs.begun == 1)
        calls = [call(predict_request(x=rows()), timeout=LIMIT) for _ in range(11)]
        wait_for(lambda: sum(one.done() for one in calls) == 9)
    failed = [one.exception() for one in (first, *calls)]
    assert failed.count(None) == 3
    for error in filter(None, failed):
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert error.details() == (
            "The batch scheduling queue to which this task was submitted is full; currently 2 batches enqueued and "
            "max_enqueued_batches is 2"
        )
    assert client.predict(x=rows())["version"] == [1]


def test_waiting_too_long_in_the_queue(runs, serve, base):
    server, client = serve(base, batching=batching(max_batch_size=1, num_batch_threads=1))
    with runs.held():
        first = client.stub(services.PREDICT).future(predict_request(x=rows()), timeout=LIMIT)
        wait_for(lambda: runs.begun == 1)
        # A client's own clock would strike first: asked from inside.
        answers, soon = queue.SimpleQueue(), time.monotonic() + 0.01
        Handlers(server.core).predict(predict_request(x=rows()), soon, lambda *answer: answers.put(answer))
        wait_for(lambda: time.monotonic() > soon)
    prediction, failed = answers.get(timeout=LIMIT)
    assert prediction is None
    assert isinstance(failed, StatusError)
    assert failed.code.name == "RESOURCE_EXHAUSTED"
    assert failed.message == "Run() timeout exceeded while waiting in batching queue"
    assert to_array(first.result().outputs["version"]) == [1]


def test_a_request_whose_client_has_gone_is_not_run(runs, serve, base, monkeypatch):
    abandoned = []
    abandon = Task.abandon
    monkeypatch.setattr(Task, "abandon", lambda task: abandon(task) or abandoned.append(task))
    server, client = serve(base, batching=batching(max_batch_size=1, num_batch_threads=1))
    call = client.stub(services.PREDICT).future
    with runs.held():
        first = call(predict_request(x=rows()), timeout=LIMIT)
        wait_for(lambda: runs.begun == 1)
        gone = [call(predict_request(x=rows()), timeout=LIMIT) for _ in range(3)]
        wait_for(lambda: server.core.metrics.input_batch_size.first() == 4)
        for one in gone:
            one.cancel()
        wait_for(lambda: len(abandoned) == 3)
    first.result()
    client.predict(x=rows())
    assert batches(server) == runs.begun == 2


def test_batching_holds_many_clients_and_gives_right_answers(serve, base):
    server, client = serve(base, batching=batching(max_batch_size=32, batch_timeout_micros=1000))
    wrong = []

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(40):
            x = random.standard_normal((random.integers(1, 5), 2)).astype(np.float32)
            if not np.array_equal(client.predict(x=x)["y"], x * np.float32([2, 3])):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert batches(server) < 16 * 40


def test_batches_at_the_same_time_share_the_cores():
    def threads(**settings) -> int:
        return Options(one_model("model", "/m"), **settings).engine_threads

    assert threads() == 0
    assert threads(batching=batching(num_batch_threads=1)) == available_cores()
    assert threads(batching=batching(num_batch_threads=10_000)) == 1
    assert threads(batching=batching(num_batch_threads=10_000), intra_op_threads=3) == 3


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"allowed_batch_sizes": [2, 8], "max_batch_size": 9},
         "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 8; expected 9"),
        ({"allowed_batch_sizes": [8, 8], "max_batch_size": 8}, "increasing order"),
        ({"max_batch_size": 0}, "max_batch_size must be at least 1; was 0"),
        ({"max_batch_size": 4, "max_execution_batch_size": 8, "enable_large_batch_splitting": True},
         "less than or equal to max_batch_size"),
    ],
)  # fmt: skip
def test_parameters_that_contradict_each_other_are_refused(numbers, message):
    with pytest.raises(StatusError, match=message):
        limits_from(batching(**numbers).parameters)


def test_parameters_of_the_version_itself(serve, base, saved_models):
    server, client = serve(base, batching=batching(per_model=True))
    client.predict(x=rows())
    assert batches(server) == 0  # a version without the file is not batched
    folder = publish(saved_models / "two", base, ".hidden")
    (folder / "batching_params.pbtxt").write_text("max_batch_size { value: 2 }")
    folder.rename(base / "2")
    wait_for(lambda: client.predict(x=rows())["version"] == [2])
    assert batches(server) >= 1
    with pytest.raises(grpc.RpcError, match="Task size 3 is larger than maximum input batch size 2"):
        client.predict(x=rows(3))
