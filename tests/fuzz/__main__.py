"""`python -m tests.fuzz [--files 2000] [--requests 100000] [--seed 0] [--json]`: what became of mutated files and of
hostile requests to a model server."""

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.measure import machine
from musae_tf.files import write_text
from tests.fuzz.run import fuzz
from tests.fuzz.tensors import fuzz_tensors
from tests.server.conftest import publish
from tests.server.models import build

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000, help="MIDI files; a tenth of other formats (default: 2000)")
    parser.add_argument("--requests", type=int, default=100_000, help="to a model server (default: 100000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each format")
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON file for all of it, and what ran it")
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, result in fuzz(Path(folder), arguments.files, arguments.seed):
            results[name] = result
            if arguments.json:
                print(json.dumps({"format": name, **result}), flush=True)
                continue
            kinds = ", ".join(f"{count} {kind}" for kind, count in result["rejected"].items()) or "none"
            print(
                f"{name}: {result['files']} files in {result['seconds']:.0f} s, {result['accepted']} accepted, "
                f"rejected: {kinds}; a worker took at most {result['peak_megabytes']} MB",
                flush=True,
            )
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.requests:
            build(Path(folder, "models"))
            base = publish(Path(folder, "models", "one"), Path(folder, "base"), 1).parent
            for name, codes in fuzz_tensors(base, arguments.requests, arguments.seed):
                answers[name] = codes
                print(json.dumps({"server": name, **codes}), flush=True)
    if arguments.out:
        command = (
            f"python -m tests.fuzz --files {arguments.files} --requests {arguments.requests} --seed {arguments.seed}"
        )
        report = {"command": command, "machine": machine(), "formats": results, "requests": answers}
        write_text(arguments.out, json.dumps(report, indent=1) + "\n")
