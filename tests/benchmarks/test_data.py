"""The benchmarks of the dataset builder, on a few songs: every route reads, all ways end in the same bytes."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def report_of(tmp_path, name: str, *arguments: str) -> dict:
    out = tmp_path / "report.json"
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text(encoding="utf-8"))


def test_data_build(tmp_path):
    report = report_of(tmp_path, "data_build", "--songs", "4", "--peer-limit", "2")
    routes = {name: route for name, route in report["routes"].items() if route}
    assert {name: route["files"] for name, route in routes.items() if name.startswith("authors")} == {
        "authors": 2,
        "authors, vectorised": 2,
    }
    assert all(route["phrases"] > 0 and route["processor_seconds"] > 0 for route in routes.values())
    assert routes["authors"]["phrases"] == routes["authors, vectorised"]["phrases"]
    assert routes["one worker"]["phrases"] == routes["files alone"]["phrases"]
    assert report["ratios"]["size"] > 100


def test_data_scale(tmp_path):
    report = report_of(tmp_path, "data_scale", "--songs", "60", "--kills", "2")
    assert report["same_bytes"] == {"one worker": True, "interrupted": True}
    assert report["builds"]["two workers"]["files"] == 60
    assert report["builds"]["two workers"]["songs"] > 30
    assert report["builds"]["a tenth of the tree"]["files"] < 60
    assert report["numbers"]["peak_megabytes"] > 0
