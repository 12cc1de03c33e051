"""A short run of the fuzz target; `make fuzz` makes a long one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.seeds import SEEDS, write_seeds


@pytest.fixture(scope="module")
def results():
    # In a process of its own: the system's count of memory is the highest of all children that a process ever had.
    command = [sys.executable, "-m", "tests.fuzz", "--files", "120", "--requests", "0", "--seed", "7", "--json"]
    root = Path(__file__).parents[2]
    lines = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {result["format"]: result for result in map(json.loads, lines)}


@pytest.mark.parametrize("kind", ["midi", "npz", "h5", "tables", "beats"])
def test_mutated_files_are_accounted_for(results, kind):
    """The run itself compares files and outcomes; here, that it tried both outcomes and stayed small."""
    result = results[kind]
    assert result["accepted"] + sum(result["rejected"].values()) == result["files"] > 10
    assert result["accepted"] > 0
    assert result["rejected"]
    assert set(result["rejected"]) <= {
        "unreadable", "too large", "with no track or bar for layout band", "with no track or bar for layout lpd5",
        "with unreadable labels", "refused", "without a beat",
    }  # fmt: skip
    assert result["peak_megabytes"] < 1000


def test_seeds_are_those_that_the_code_makes(tmp_path):
    write_seeds(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in SEEDS.iterdir()}
    for path in tmp_path.glob("*.mid"):
        assert path.read_bytes() == (SEEDS / path.name).read_bytes()
