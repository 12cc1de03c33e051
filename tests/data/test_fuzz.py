"""A short run of the fuzz target; `make fuzz` makes a long one."""

import pytest

from tests.fuzz.run import fuzz
from tests.fuzz.seeds import SEEDS, write_seeds


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return dict(fuzz(tmp_path_factory.mktemp("fuzz"), files=120, seed=7))


@pytest.mark.parametrize("kind", ["midi", "npz", "h5", "tables"])
def test_mutated_files_are_accounted_for(results, kind):
    """The run itself compares files and outcomes; here, that it tried both outcomes and stayed small."""
    result = results[kind]
    assert result["accepted"] + sum(result["rejected"].values()) == result["files"] > 10
    assert result["accepted"] > 0
    assert result["rejected"]
    assert set(result["rejected"]) <= {
        "unreadable", "too large", "with no track or bar for layout band", "with no track or bar for layout lpd5",
        "with unreadable labels", "refused",
    }  # fmt: skip
    assert result["peak_megabytes"] < 1000


def test_seeds_are_those_that_the_code_makes(tmp_path):
    write_seeds(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in SEEDS.iterdir()}
    for path in tmp_path.glob("*.mid"):
        assert path.read_bytes() == (SEEDS / path.name).read_bytes()
