"""`python -m tests.fuzz.soak [--clients 64] [--seconds 60] [--swaps 10]`: clients over gRPC and REST ask a model server
while its versions are swapped and others attack it; no answer may be wrong and none may be missing."""

import argparse
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.measure import machine
from musae_tf.files import write_text
from musae_tf.protocol import services
from musae_tf.protocol.codec import to_array
from tests.fuzz.tensors import ROOT, megabytes, post, running_server
from tests.server.client import Client, predict_request
from tests.server.conftest import publish
from tests.server.models import build
from tests.waiting import wait_for


class Outcome:
    """What clients saw of one port.

    Attributes:
        right: answers that were as they should be.
        wrong: those that were not.
        lost: how often each error came instead.
        slowest: seconds of the slowest right answer.
    """

    def __init__(self) -> None:
        self.right = self.wrong = 0
        self.lost: Counter = Counter()
        self.slowest = 0.0

    def add(self, other: "Outcome") -> None:
        """Count what another saw too."""
        self.right, self.wrong = self.right + other.right, self.wrong + other.wrong
        self.lost += other.lost
        self.slowest = max(self.slowest, other.slowest)


def soak(models: Path, work: Path, clients: int, swaps: int, going: Callable[[int], bool], seconds: float = 0) -> dict:
    """Ask, swap and attack.

    Args:
        models: folder with `one` and `two` of tests/server/models.py.
        work: folder for the versions.
        clients: half of them over gRPC and half over REST, each with one request under way.
        swaps: how often a version is replaced by the next.
        going: whether a client goes on after a number of requests; it does until all versions are swapped.
        seconds: that the swaps are spread over.

    Returns:
        Counts, as JSON.

    Raises:
        AssertionError: the server has ended, or an attack had an effect.
    """
    base = publish(models / "one", work / "model", 1).parent
    with running_server(base, batching=True) as (process, port, rest_port):
        before = megabytes(process.pid)
        command = [sys.executable, "-m", "tests.fuzz.attacks", str(port), str(rest_port), "0"]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as attackers:
            assert attackers.stdout.readline() == "attacking\n"
            swapped = threading.Event()
            grpc_clients, rest_clients = Outcome(), Outcome()
            lock = threading.Lock()

            def ask(number: int) -> None:
                kind, to, total = (
                    (_ask_rest, rest_port, rest_clients) if number % 2 else (_ask_grpc, port, grpc_clients)
                )
                outcome = kind(to, number, lambda asked: not swapped.is_set() or going(asked))
                with lock:
                    total.add(outcome)

            threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
            for thread in threads:
                thread.start()
            try:
                _swap(models, base, port, swaps, seconds)
            finally:
                swapped.set()
                for thread in threads:
                    thread.join()
                attacks, _ = attackers.communicate()
            assert attackers.returncode == 0, "an attack had an effect"
        assert process.poll() is None, f"the server ended with {process.returncode}"
        return {
            "clients": clients,
            "swaps": swaps,
            "gRPC": vars(grpc_clients),
            "REST": vars(rest_clients),
            "attacks": json.loads(attacks),
            "megabytes": {"before": before, "after": megabytes(process.pid)},
        }


def _ask_grpc(port: int, number: int, going: Callable[[int], bool]) -> Outcome:
    """One client's requests, each after the other; versions may only go up."""
    outcome, asked, newest = Outcome(), 0, 1
    with Client(port) as client:
        call = client.stub(services.PREDICT)
        while going(asked):
            x, began = _rows(number, asked), time.monotonic()
            asked += 1
            try:
                answer = call(predict_request(x=x), timeout=30)
            except Exception as error:
                outcome.lost[str(error)] += 1
                continue
            outcome.slowest = max(outcome.slowest, time.monotonic() - began)
            version = answer.model_spec.version.value
            y, made_by = (to_array(answer.outputs[name]) for name in ("y", "version"))
            right = np.array_equal(y, x * [2, 3]) and made_by.tolist() == [_content(version)] * len(x)
            if right and version >= newest:
                outcome.right += 1
            else:
                outcome.wrong += 1
            newest = version
    return outcome


def _ask_rest(port: int, number: int, going: Callable[[int], bool]) -> Outcome:
    outcome, asked = Outcome(), 0
    connection = http.client.HTTPConnection("localhost", port, timeout=60)
    while going(asked):
        x, began = _rows(number, asked), time.monotonic()
        asked += 1
        try:
            status, answer = post(connection, json.dumps({"instances": x.tolist()}).encode())
        except (OSError, http.client.HTTPException) as error:
            outcome.lost[repr(error)] += 1
            connection.close()
            continue
        if status != 200:
            outcome.lost[f"{status} {answer.decode()}"] += 1
            continue
        outcome.slowest = max(outcome.slowest, time.monotonic() - began)
        predictions = json.loads(answer)["predictions"]
        made_by = {prediction["version"] for prediction in predictions}
        right = [prediction["y"] for prediction in predictions] == (x * [2, 3]).tolist()
        if right and len(made_by) == 1 and made_by <= {1, 2}:
            outcome.right += 1
        else:
            outcome.wrong += 1
    connection.close()
    return outcome


def _rows(client: int, request: int) -> np.ndarray:
    """One to four rows that no other request has."""
    return np.float32([[client, request]] * (1 + request % 4)) + np.arange(1 + request % 4, dtype=np.float32)[:, None]


def _content(version: int) -> int:
    """What a version says of itself: `one` and `two` in turn."""
    return 2 - version % 2


def _swap(models: Path, base: Path, port: int, swaps: int, seconds: float) -> None:
    began = time.monotonic()
    with Client(port) as client:
        for number in range(1, swaps + 1):
            # These pauses are the schedule of the soak; nothing is waited for in them.
            time.sleep(max(0.0, began + seconds * number / (swaps + 1) - time.monotonic()))
            publish(models / ("one" if _content(number + 1) == 1 else "two"), base, number + 1)
            wait_for(lambda number=number: client.states()[number][0] == "END")
            shutil.rmtree(base / str(number))
        time.sleep(max(0.0, began + seconds - time.monotonic()))


def main() -> int:
    """Run and print. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=64, help="(default: 64)")
    parser.add_argument("--seconds", type=float, default=60, help="(default: 60)")
    parser.add_argument("--swaps", type=int, default=10, help="of versions (default: 10)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON file for it, and what ran it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder, "models"))
        report = soak(
            Path(folder, "models"), Path(folder), arguments.clients, arguments.swaps, lambda asked: False,
            arguments.seconds,
        )  # fmt: skip
    print(json.dumps(report, indent=1))
    if arguments.out:
        write_text(arguments.out, json.dumps({"machine": machine(), **report}, indent=1) + "\n")
    return int(any(report[port]["wrong"] or report[port]["lost"] for port in ("gRPC", "REST")))


if __name__ == "__main__":
    sys.exit(main())
