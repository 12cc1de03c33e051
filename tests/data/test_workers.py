"""Processes that read files for a build: what becomes of files that harm them."""

from musae_tf.data.build import build
from musae_tf.data.folder import FolderSource
from tests.data.makers import STUCK, VOICES, output, python, rejections, write_tree
from tests.waiting import LIMIT

HARMFUL = """
import os, sys, time
import numpy as np
from musae_tf.data import workers
from musae_tf.data.build import build
from musae_tf.data.folder import FolderSource
from musae_tf.data.workers import FileLimits
from musae_tf.music.named_layouts import get_layout

class Harmful(FolderSource):
    def load(self, item):
        if item.path in ("a/03.mid", "a/05.mid"):
            os.abort()
        if item.path == "a/04.mid":
            time.sleep(60)  # no work, which has a limit of its own
        if item.path == "a/06.mid":
            while True:
                pass
        if item.path == "a/35.mid":
            self.memory = np.ones(10**9, np.uint8)
        if item.path == "a/36.mid":
            self.memory = np.ones(10**8, np.uint8)
        return super().load(item)

if __name__ == "__main__":
    workers.FileLimits = lambda: FileLimits(seconds=0.5, memory=5 * 10**8, patience=6)
    summary = build(Harmful(sys.argv[1]), sys.argv[2], get_layout("voices"), workers=2)
    print(summary.songs, summary.rejected)
"""


def test_files_that_crash_hang_or_swell_the_reader_are_listed(tmp_path):
    root, target = write_tree(tmp_path / "music", a=40), tmp_path / "set"
    script = tmp_path / "harmful.py"
    script.write_text(HARMFUL)
    counts = "{'crashed the reader': 2, 'too large': 1, 'too slow': 2}"
    assert output(script, root, target).strip() == f"35 {counts}"
    assert {rejection["source"]: rejection["reason"].partition(": ")[2] for rejection in rejections(target)} == {
        "a/03.mid": "the process that read it died",
        "a/04.mid": "takes more than 0.5 seconds to read",
        "a/05.mid": "the process that read it died",
        "a/06.mid": "takes more than 0.5 seconds to read",
        "a/35.mid": "needs more than 500 MB of memory to read",
    }


def test_script_without_a_guard(tmp_path):
    root = write_tree(tmp_path / "music", a=70)
    script = tmp_path / "script.py"
    script.write_text(
        STUCK.split("if __name__")[0] + 'build(Stuck(sys.argv[1]), sys.argv[2], get_layout("voices"), workers=2)'
    )
    process = python(script, root, tmp_path / "set")
    _, error = process.communicate(timeout=LIMIT)
    assert "DatasetError: worker processes do not start; a script that builds a dataset" in error


def test_unexpected_errors_are_listed(tmp_path):
    root = write_tree(tmp_path / "music", a=3)

    class Odd(FolderSource):
        def load(self, item):
            if item.path == "a/01.mid":
                raise ZeroDivisionError("division by zero")
            return super().load(item)

    assert build(Odd(root), tmp_path / "set", VOICES, workers=0).rejected == {"failed unexpectedly": 1}
    assert rejections(tmp_path / "set")[0]["reason"] == "a/01.mid: ZeroDivisionError: division by zero"
