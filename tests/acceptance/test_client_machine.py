"""A machine that only asks: an environment with nothing but the base install, and the script of the README in it."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from musae_tf.music import Song
from musae_tf.server import ModelServer, Options
from musae_tf.server.options import one_model
from tests.acceptance.conftest import ROOT, run

pytestmark = pytest.mark.acceptance

BETWEEN = 5
"""Pieces that the script makes on the way between two."""


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def client(request, machine, distributions) -> Path:
    """A virtual environment with the base install of this package."""
    return machine(f"client-{request.param}", str(getattr(distributions, request.param)))


def test_it_is_small_and_has_no_tensorflow(client, tmp_path):
    listed = json.loads(
        run([sys.executable, "-m", "pip", "--python", client / "bin/python", "list", "--format=json"], tmp_path)
    )
    names = {package["name"].lower() for package in listed}
    assert "musae-tf" in names
    assert not [name for name in names if "tensorflow" in name or "keras" in name]
    # With the compiled files that the first imports leave behind.
    run([client / "bin/python", "-c", "import musae_tf.client"], tmp_path)
    size = sum(path.lstat().st_size for path in client.rglob("*") if not path.is_symlink())
    print(f"{size / 1e6:.0f} MB: {', '.join(sorted(names))}")
    assert size <= 150e6


WEIGHT = """
import time
started = time.process_time()
import musae_tf.client
taken = time.process_time() - started  # of the processor: other work on the machine does not count
# The peak that getrusage tells is inherited from the parent process.
print(taken, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_importing_the_client_takes_half_a_second_and_60_megabytes(client, tmp_path):
    measured = [run([client / "bin/python", "-c", WEIGHT], tmp_path).split() for _ in range(5)]
    seconds, megabytes = (min(float(values[place]) for values in measured) for place in (0, 1))
    print(f"{seconds:.2f} s, {megabytes / 1024:.0f} MB")
    assert seconds <= 0.5
    assert megabytes / 1024 <= 60


def script(port: int) -> str:
    """The README's script, for the genres of the tiny model."""
    blocks = re.findall(r"^    from musae_tf import Musae\n(?:\n|    .*\n)+", README, re.MULTILINE)
    (text,) = [block for block in blocks if "Musae.connect(" in block]
    lines = [line.removeprefix("    ") for line in text.splitlines()]
    assert len([line for line in lines if line]) <= 10
    changes = {"localhost:8500": f"localhost:{port}", "bach": "hymns", "palestrina": "dances"}
    changed = "\n".join(lines)
    for old, new in changes.items():
        assert old in changed
        changed = changed.replace(old, new)
    return changed


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readmes_script_makes_music(client, model_folder, tmp_path):
    shutil.copytree(model_folder, tmp_path / "musae")
    with ModelServer(Options(one_model("musae", str(tmp_path / "musae")), port=0, rest_port=None)) as server:
        (tmp_path / "out").mkdir()
        run([client / "bin/python", "-c", script(server.port)], tmp_path / "out")
        address = f"localhost:{server.port}"
        said = run([client / "bin/musae", "request", "sample", "--server", address, "--genre", "hymns", "--out",
                    "more.mid", "--temperature", "1"], tmp_path / "out")  # fmt: skip
    assert "more.mid" in said
    pieces = {path.name: Song.read(path) for path in (tmp_path / "out").glob("*.mid")}
    between = {f"between-{number}.mid" for number in range(BETWEEN)}
    assert set(pieces) == {"hymns.mid", "dances.mid", "moved.mid", "more.mid"} | between
    for name, song in pieces.items():
        assert len(song.bars()) == (16 if name == "more.mid" else 8), name
    assert sum(len(track.notes) for song in pieces.values() for track in song.tracks) > 0
