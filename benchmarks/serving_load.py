"""How much of a model's speed is left behind the embedded server, and does it stay right and up under load?

    python -m benchmarks.serving_load exports/musae [--seconds 60] [--clients 64] [--out results/bench]

What it does and claims: README.md beside this file. The exit code is 1 if a request failed or was answered wrongly.
"""

import contextlib
import itertools
import json
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import serving_server
from benchmarks.measure import Report, parser
from benchmarks.serving_clients import Case, Clients, Outcome, flood, make_cases

BATCHING = Path(__file__).parent.parent / "serving" / "config" / "batching.config"
AVAILABLE, END = 30, 50
BARS = {1: 0.65, 4: 0.95}
"""Share of the bare session's throughput by phrases a request."""


class Server:
    """The process of serving_server.py."""

    def __init__(self, base: Path, batching: Path):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serving_server.serve, args=(theirs, base, batching))
        self._process.start()
        theirs.close()
        self.port, self.facts = self._connection.recv()

    def __call__(self, command: str, *arguments):
        """What serving_server.py answers to one of its commands."""
        self._connection.send((command, *arguments))
        return self._connection.recv()

    def close(self) -> None:
        """Let it end."""
        with contextlib.suppress(OSError):
            self._connection.send(None)
        self._process.join(30)
        self._process.kill()


def batch_of(cases: list[Case], rows: int) -> dict[str, np.ndarray]:
    """The inputs of the first `rows` rows, as one batch."""
    return {name: np.concatenate([case.inputs[name] for case in cases])[:rows] for name in cases[0].inputs}


def measure_load(server: Server, clients: Clients, cases: list[Case], seconds: float, rounds: int, batch: int) -> dict:
    """Server and bare session in turns; the ratio of their throughputs in each round."""
    rows, ratios, bare, total = len(cases[0].expected), [], [], Outcome()
    clients.load(cases, _for(min(1.0, seconds / 4)))  # connections, first batches
    server_cpu, generator_cpu, batched = Counter(), 0.0, np.zeros(2)
    for _ in range(rounds):
        raw = server("throughput", cases[0].signature, batch_of(cases, batch), max(seconds / rounds / 2, 0.2))
        threads, own, batches = server("threads"), time.process_time(), server("batches")
        outcome = clients.load(cases, _for(seconds / rounds))
        server_cpu += Counter(server("threads")) - Counter(threads)
        generator_cpu += time.process_time() - own
        batched += np.subtract(server("batches"), batches)
        total += outcome
        bare.append(raw)
        ratios.append(len(outcome.latencies) * rows / outcome.seconds / raw[0])
    answered = len(total.latencies) or 1
    asked = answered * rows
    milliseconds = 1e3 * np.array(total.latencies or [np.nan])
    return {
        "signature": cases[0].signature,
        "phrases_per_request": rows,
        "requests": len(total.latencies),
        "failures": dict(total.failures),
        "wrong": total.wrong,
        "requests_per_second": len(total.latencies) / total.seconds,
        "phrases_per_second": asked / total.seconds,
        "bare_phrases_per_second": statistics.median(speed for speed, _ in bare),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "milliseconds": {"p50": np.percentile(milliseconds, 50), "p99": np.percentile(milliseconds, 99)},
        "phrases_per_batch": batched[0] / max(batched[1], 1),
        "cpu_microseconds_per_request": {
            share: 1e6 * sum(server_cpu[part] for part in parts) / answered
            for share, parts in serving_server.SHARES.items()
        },
        "cpu_microseconds_per_phrase": {
            "bare session": 1e6 * statistics.median(cpu for _, cpu in bare),
            "server": {name: 1e6 * spent / asked for name, spent in sorted(server_cpu.items())},
            "load generator": 1e6 * generator_cpu / asked,
        },
    }


def swap_versions(server: Server, clients: Clients, cases: list[Case], base: Path, swaps: int) -> dict:
    """Publish one version after the other, and remove the one before, while the clients go on."""
    done = threading.Event()
    numbers = [int(folder.name) for folder in base.iterdir() if folder.name.isdecimal()]
    current, taken = max(numbers), []

    def publish() -> None:
        nonlocal current
        try:
            for _ in range(swaps):
                started, following = time.monotonic(), current + 1
                shutil.copytree(base / str(current), base / f".{following}")
                (base / f".{following}").rename(base / str(following))
                while server("states").get(following) != AVAILABLE or server("states")[current] != END:
                    time.sleep(0.05)
                shutil.rmtree(base / str(current))
                current = following
                taken.append(time.monotonic() - started)
        finally:
            done.set()

    publisher = threading.Thread(target=publish)
    publisher.start()
    outcome = clients.load(cases, lambda: not done.is_set())
    publisher.join()
    return {
        "swaps": len(taken),
        "seconds_per_swap": statistics.median(taken) if taken else None,
        "requests": len(outcome.latencies),
        "failures": dict(outcome.failures),
        "wrong": outcome.wrong,
    }


def _for(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


@contextlib.contextmanager
def copied(folder: Path) -> Iterator[Path]:
    """A model folder with the newest version of another, to change at will."""
    newest = max((entry for entry in folder.iterdir() if entry.name.isdecimal()), key=lambda entry: int(entry.name))
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary) / folder.name
        shutil.copytree(newest, base / "1")
        yield base


def failed(part: dict) -> str:
    """How many requests of a load failed, and how."""
    kinds = ", ".join(f"{count} {name}" for name, count in part["failures"].items())
    return f"{sum(part['failures'].values())} failed{f' ({kinds})' if kinds else ''}"


def print_load(load: dict) -> None:
    """A measurement in words."""
    cpu = load["cpu_microseconds_per_phrase"]
    low, high = min(load["ratios"]), max(load["ratios"])
    print(f"{load['signature']}, {load['phrases_per_request']} phrases a request: "
          f"{load['phrases_per_second']:,.0f} phrases/s, the bare session {load['bare_phrases_per_second']:,.0f}: "
          f"ratio {load['ratio']:.2f} ({low:.2f} to {high:.2f})")  # fmt: skip
    print(f"  {load['requests']:,} requests, {failed(load)}, {load['wrong']} wrong; "
          f"p50 {load['milliseconds']['p50']:.0f} ms, p99 {load['milliseconds']['p99']:.0f} ms; "
          f"{load['phrases_per_batch']:.1f} phrases a batch")  # fmt: skip
    shares = ", ".join(f"{name} {spent:.0f}" for name, spent in load["cpu_microseconds_per_request"].items())
    print(f"  CPU, microseconds a request: {shares}")
    parts = ", ".join(f"{name} {spent:.0f}" for name, spent in cpu["server"].items())
    print(f"  CPU, microseconds a phrase: bare session {cpu['bare session']:.0f}; server: {parts}; "
          f"load generator {cpu['load generator']:.0f}")  # fmt: skip


def main() -> int:
    """Measure, print and write. Returns the exit code."""
    options = parser(__doc__)
    options.add_argument("model", type=Path, help="model folder, as musae export makes it")
    options.add_argument("--seconds", type=float, default=60, help="of load for each signature (default: 60)")
    options.add_argument("--clients", type=int, default=64, help="(default: 64)")
    options.add_argument("--phrases", type=int, nargs="+", default=[1, 4], help="of a request (default: 1 and 4)")
    options.add_argument("--swaps", type=int, default=10, help="version swaps under load (default: 10)")
    options.add_argument("--flood", type=int, default=1000, help="requests of 64 phrases sent at once (default: 1000)")
    options.add_argument("--batching", type=Path, default=BATCHING, help="BatchingParameters (default: serving/config)")
    arguments = options.parse_args()
    report = Report("serving_load", arguments)
    content = report.content
    with copied(arguments.model.resolve()) as base, contextlib.ExitStack() as stack:
        facts = json.loads((base / "1" / "assets.extra" / "musae.json").read_text(encoding="utf-8"))
        server = Server(base, arguments.batching)
        stack.callback(server.close)
        clients = Clients(server.port, base.name, arguments.clients)
        stack.callback(clients.close)
        content["machine"] |= server.facts
        batch = server.facts["batch_rows"]
        content["loads"] = []
        for signature, rows in itertools.product(("sample", "reconstruct"), arguments.phrases):
            cases = make_cases(signature, facts, rows)
            for case in cases:
                case.expected = server("raw", signature, case.inputs)
            load = measure_load(server, clients, cases, arguments.seconds, arguments.rounds, batch)
            requests = [case.request(base.name).SerializeToString() for case in cases[: max(1, batch // rows)]]
            load["request_microseconds"] = {name: 1e6 * spent for name, spent in server("stages", requests).items()}
            content["loads"].append(load)
            print_load(load)
        full = make_cases("sample", facts, min(64, batch * 4))
        flooded = flood(server.port, base.name, full[0], arguments.flood, arguments.clients)
        content["flood"] = {"phrases_per_request": len(full[0].inputs["seed"]), **vars(flooded)}
        answers = ", ".join(f"{n} {name} within {flooded.slowest[name]:.1f} s" for name, n in flooded.codes.items())
        print(f"{arguments.flood} requests of {len(full[0].inputs['seed'])} phrases at once: {answers}")
        content["swaps"] = swaps = swap_versions(server, clients, cases, base, arguments.swaps)
        print(f"{swaps['swaps']} version swaps under load: {swaps['requests']:,} requests, {failed(swaps)}, "
              f"{swaps['wrong']} wrong")  # fmt: skip
    for load in content["loads"]:
        asked = f"{load['signature']}, {load['phrases_per_request']} phrases a request"
        if load["phrases_per_request"] in BARS:
            bar = BARS[load["phrases_per_request"]]
            report.add(f"{asked}: throughput against a bare session", load["ratio"], bar)
    report.write()
    bad = any(part["failures"] or part["wrong"] for part in [*content["loads"], swaps])
    odd = flooded.codes.keys() - {"OK", "UNAVAILABLE"}
    return int(bad or bool(odd) or swaps["swaps"] < arguments.swaps)


if __name__ == "__main__":
    sys.exit(main())
