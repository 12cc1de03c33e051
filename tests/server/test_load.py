"""benchmarks/serving_load.py, a short one of the tiny model: right answers under load, a full queue, version swaps."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np

from benchmarks import serving_clients
from musae_tf.server import ModelServer, Options
from musae_tf.server.options import one_model
from tests.server.conftest import ROOT

FILE = "assets.extra/tf_serving_warmup_requests"
SMALL = """
max_batch_size { value: 64 } enable_large_batch_splitting { value: true } max_execution_batch_size { value: 16 }
batch_timeout_micros { value: 1000 } max_enqueued_batches { value: 8 } num_batch_threads { value: 2 }
"""


def test_under_load_nothing_fails_and_nothing_is_wrong(model_folder, tmp_path):
    (tmp_path / "batching").write_text(SMALL)
    shutil.copytree(model_folder, tmp_path / "tunes")
    (tmp_path / "tunes" / "1" / FILE).unlink()  # a start and two swaps with warm-up would take most of the time
    command = [sys.executable, "-m", "benchmarks.serving_load", "tunes", "--seconds=1", "--rounds=2", "--clients=8"]
    more = ["--phrases=2", "--swaps=2", "--flood=60", "--batching=batching", "--out=out.json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=600, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "out.json").read_text())
    assert [load["signature"] for load in report["loads"]] == ["sample", "reconstruct"]
    for part in (*report["loads"], report["swaps"]):
        assert part["requests"] > 0
        assert (part["failures"], part["wrong"]) == ({}, 0)
    for load in report["loads"]:
        assert load["phrases_per_batch"] > 1
        assert len(load["ratios"]) == 2
        assert load["cpu_microseconds_per_phrase"]["server"]["engine"] > 0
        assert load["cpu_microseconds_per_request"].keys() == {"engine", "gRPC", "ours"}
        assert min(load["cpu_microseconds_per_request"].values()) > 0
    assert report["swaps"]["swaps"] == 2
    # 60 requests of 4 batches each, and room for 8 batches.
    flood = report["flood"]
    assert flood["codes"].keys() == flood["slowest"].keys() == {"OK", "UNAVAILABLE"}
    assert sum(flood["codes"].values()) == 60
    assert 0 < flood["slowest"]["UNAVAILABLE"] < 60
    for word in (
        "ratio",
        "p99",
        "swaps under load",
        "microseconds a request: engine",
        "microseconds a phrase",
        " UNAVAILABLE within ",
    ):
        assert word in done.stdout


def test_the_load_generator_notices_wrong_answers_and_failures(model_folder):
    facts = json.loads((model_folder / "1" / "assets.extra" / "musae.json").read_text(encoding="utf-8"))
    cases = serving_clients.make_cases("sample", facts, 1)[:2]
    for case in cases:
        case.expected = np.full((1, facts["steps"], facts["tracks"]), -1)
    options = Options(one_model("tunes", str(model_folder)), port=0, rest_port=None, warm_up=False, drain_seconds=0)
    with ModelServer(options) as server:
        clients = serving_clients.Clients(server.port, "tunes", 2)
        left = iter([True] * 6)
        outcome = clients.load(cases, lambda: next(left, False))
        assert (outcome.wrong, len(outcome.latencies), outcome.failures) == (6, 6, {})
    left = iter([True] * 6)
    outcome = clients.load(cases, lambda: next(left, False))
    clients.close()
    assert (len(outcome.latencies), outcome.failures) == (0, {"UNAVAILABLE": 6})


def test_the_load_generator_names_what_the_server_answers(model_folder):
    facts = json.loads((model_folder / "1" / "assets.extra" / "musae.json").read_text(encoding="utf-8"))
    cases = serving_clients.make_cases("reconstruct", facts, 100)  # more than one frame
    for case in cases:
        case.inputs["tokens"][-1] = 10_000
    options = Options(one_model("tunes", str(model_folder)), port=0, rest_port=None, warm_up=False, drain_seconds=0)
    with ModelServer(options) as server:
        clients = serving_clients.Clients(server.port, "tunes", 1)
        left = iter([True] * 2)
        outcome = clients.load(cases, lambda: next(left, False))
        clients.close()
        clients = serving_clients.Clients(server.port, "nobody", 1)
        left = iter([True] * 2)
        other = clients.load(cases, lambda: next(left, False))
        clients.close()
    assert (outcome.failures, other.failures) == ({"INVALID_ARGUMENT": 2}, {"NOT_FOUND": 2})
