"""Claims: the embedded server is warm within ten seconds of its start; one phrase takes 0.1 s, and 64 take 0.5 s.

    python -m benchmarks.inference

A model of the preset `voices` with fresh weights is exported with its warm-up records. `musae serve` is started on it,
several times, and timed from the start of the process until it says that it serves. In a process of its own the same
version decodes codes greedily and at temperature 0.9, as the server runs it: so many loops side by side and so many
threads for one operation; and requests of one phrase and of 64, one after the other.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.measure import Report, parser
from musae_tf.config import Config, load_config

ROOT = Path(__file__).parent.parent
BATCHING = ROOT / "serving" / "config" / "batching.config"
BAR = 10.0
TOY = ["model.encoder_units=8", "model.decoder_units=8", "model.latent=16", "prior.axes=2", "model.decoder=flat",
       "model.hidden_parts=false", "model.known_ahead=false"]  # fmt: skip
ROWS = 16
TEMPERATURES = {"greedy": 0.0, "temperature 0.9": 0.9}
LATENCY_BARS = {1: 0.1, 64: 0.5}
"""Most seconds of a request with so many phrases."""


def export(base: Path, config: Config) -> None:
    """Write version 1 of a model with fresh weights, and its warm-up records."""
    from musae_tf.export import ModelSignatures
    from musae_tf.export.verify import requests, write_warmup
    from musae_tf.models import MusAE

    model = MusAE.for_training(config, (130,) * 4, ("a", "b", "c", "d"))
    servable = ModelSignatures(model, lambda signatures: json.dumps({"signatures": signatures}))
    servable.save(base / "1")
    write_warmup(base / "1", base.name, requests(model, servable.signatures))


def seconds_to_warm(base: Path) -> float:
    """From the start of `musae serve` until all is loaded and warm."""
    command = [sys.executable, "-m", "musae_tf.cli", "serve", base, "--port", "0", "--rest-api-port", "0",
               "--enable-batching", "--batching-parameters-file", BATCHING]  # fmt: skip
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        for line in process.stdout:
            if line.startswith("serving "):
                return time.monotonic() - began
        raise SystemExit(f"the server did not start: {process.stderr.read()}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def rates(base: Path, latent: int, seconds: float) -> tuple[dict[str, float], dict[int, list[float]]]:
    """Phrases a second of the signature `decode`, and seconds of requests that are alone, by their phrases.

    For a process that does without TensorFlow's Python.
    """
    from musae_tf.cli.shared import standard_error_held_back

    with standard_error_held_back():
        from musae_tf.server.engine import start_engine

        start_engine()
    from benchmarks.serving_server import Raw
    from musae_tf.server import Options
    from musae_tf.server.options import one_model, read_batching

    random, found = np.random.default_rng(1), {}
    alone: dict[int, list[float]] = {}
    for loops in (1, 2):
        text = BATCHING.read_text(encoding="utf-8")
        file = base.parent / "batching"
        file.write_text(text.replace("num_batch_threads { value: 2 }", f"num_batch_threads {{ value: {loops} }}"))
        batching = read_batching(file, False)
        session = Raw(base / "1", Options(one_model("model", str(base)), batching=batching))
        for name, temperature in TEMPERATURES.items():
            inputs = codes(random, ROWS, latent, temperature)
            session.throughput("decode", inputs, seconds / 10)
            run = f"{name}, {loops} at a time on {batching.cores_each} threads each"
            found[run] = session.throughput("decode", inputs, seconds)[0]
        for rows in LATENCY_BARS if loops == 1 else ():
            inputs = codes(random, rows, latent, 0.9)
            session.run("decode", inputs)
            alone[rows] = [clock(lambda: session.run("decode", inputs)) for _ in range(20)]  # noqa: B023
    return found, alone


def codes(random: np.random.Generator, rows: int, latent: int, temperature: float) -> dict[str, np.ndarray]:
    """A request of the signature `decode`."""
    return {
        "latent": random.normal(size=(rows, latent)).astype(np.float32),
        "temperature": np.full(rows, temperature, np.float32),
        "seed": random.integers(2**31, size=(rows, 2)).astype(np.int32),
    }


def clock(run: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.monotonic()
    run()
    return time.monotonic() - began


def child(part: str, base: Path, quick: bool) -> str:
    """Run a part of this benchmark in a process of its own; what it printed."""
    command = [sys.executable, "-m", "benchmarks.inference", "--part", part, str(base), *(["--quick"] if quick else [])]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def main() -> None:
    """Measure."""
    options = parser(__doc__, quick=True)
    options.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    arguments = options.parse_args()
    quick = arguments.quick
    config = load_config(ROOT / "configs" / "voices.yaml", TOY if quick else [])
    if arguments.part:
        part, base = arguments.part[0], Path(arguments.part[1])
        if part == "export":
            export(base, config)
        else:
            print(json.dumps(rates(base, config.model.latent, 0.3 if quick else 4.0)))
        return
    report = Report("inference", arguments)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "voices"
        base.mkdir()
        child("export", base, quick)
        found, alone = json.loads(child("rates", base, quick).splitlines()[-1])
        starts = [seconds_to_warm(base) for _ in range(1 if quick else arguments.rounds)]
    for run, phrases in found.items():
        print(f"decode, {run}: {phrases:,.0f} phrases/s")
    report.content |= {
        "phrases_a_second": found,
        "rows_of_a_request": ROWS,
        "seconds_of_a_request": alone,
        "seconds_to_warm": starts,
    }
    for rows, bar in LATENCY_BARS.items():
        phrases = "one phrase" if rows == 1 else f"{rows} phrases"
        report.add(f"seconds to decode {phrases}, median of 20", statistics.median(alone[str(rows)]), bar, True)
    report.add("seconds from the start of the embedded server until it is warm", statistics.median(starts), BAR, True)
    report.write()


if __name__ == "__main__":
    main()
