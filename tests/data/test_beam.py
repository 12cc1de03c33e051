"""The engine for Apache Beam, whose packages do not stand beside TensorFlow's: a Python that has it is looked for."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from musae_tf.data import FolderSource, build
from musae_tf.errors import DatasetError
from tests import corpus
from tests.data.makers import VOICES, content, python, write_tree

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from musae_tf.data import FolderSource, build
from musae_tf.errors import DatasetError
from musae_tf.music import get_layout

if __name__ == "__main__":
    root, target, options = sys.argv[1:]
    try:
        layout = get_layout("voices")
        build(FolderSource(root), target, layout, engine="beam", beam_options=options)
    except DatasetError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def beam_python() -> str:
    """A Python with Apache Beam, numpy, symusic and tqdm."""
    found = [os.environ.get("MUSAE_BEAM_PYTHON"), str(ROOT / ".venv-beam" / "bin" / "python")]
    if importlib.util.find_spec("apache_beam"):
        found.insert(0, sys.executable)
    for candidate in filter(None, found):
        if Path(candidate).exists():
            check = "import apache_beam, numpy, symusic, tqdm"
            if subprocess.run([candidate, "-c", check], capture_output=True).returncode == 0:
                return candidate
    pytest.skip(
        "no Python with Apache Beam: python -m venv .venv-beam && .venv-beam/bin/pip install -e '.[beam]', "
        "or name one in MUSAE_BEAM_PYTHON"
    )


def beam_build(beam_python, tmp_path, root, target, options) -> str:
    script = tmp_path / "beam_build.py"
    script.write_text(SCRIPT)
    process = python(script, root, target, options, interpreter=beam_python)
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return printed


@pytest.mark.parametrize("options", ["", "--direct_num_workers=2 --direct_running_mode=multi_processing"])
def test_same_bytes_as_processes(beam_python, tmp_path, options):
    root = write_tree(tmp_path / "music", a=40, b=30, none=3)
    for number, data in enumerate(list(corpus.broken_files().values())[:20]):
        (root / f"broken {number}.mid").write_bytes(data)
    build(FolderSource(root), tmp_path / "processes" / "set", VOICES, workers=2)
    assert beam_build(beam_python, tmp_path, root, tmp_path / "beam" / "set", options) == ""
    assert content(tmp_path / "beam" / "set") == content(tmp_path / "processes" / "set")


def test_options_that_beam_does_not_take(beam_python, tmp_path):
    root = write_tree(tmp_path / "music", a=3)
    printed = beam_build(beam_python, tmp_path, root, tmp_path / "set", "--runner=NoSuchRunner")
    assert "Beam" in printed
    assert "NoSuchRunner" in printed
    assert not (tmp_path / "set").exists()


@pytest.mark.skipif(importlib.util.find_spec("apache_beam") is not None, reason="Apache Beam is installed")
def test_what_to_install(tmp_path):
    root = write_tree(tmp_path / "music", a=3)
    with pytest.raises(DatasetError, match=r"the engine beam needs Apache Beam: pip install 'musae-tf\[beam\]'"):
        build(FolderSource(root), tmp_path / "set", VOICES, engine="beam")
    with pytest.raises(DatasetError, match="engine is 'spark'; allowed: processes, beam"):
        build(FolderSource(root), tmp_path / "set", VOICES, engine="spark")
