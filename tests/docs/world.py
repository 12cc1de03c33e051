"""A folder in which the commands of the documentation work: run, datasets, pieces and files of the names they use."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import matplotlib

from musae_tf.data import Dataset, FolderSource, build
from musae_tf.music import get_layout
from tests.client.certificates import make_certificates
from tests.corpus import band_song, four_voice_song
from tests.data.makers import write_played
from tests.data.msd import TRACKS, write_lakh, write_npz, write_song_file
from tests.docs.markdown import ROOT

GENRES = {"dances": "bach", "hymns": "palestrina"}
"""The genres of the tiny run, and what its copy here calls them; the served model has the old names."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class World:
    """The folder, and how a command line is run in it.

    Attributes:
        path: the folder; it is the home of its commands too.
        port: of the gRPC server that stands for localhost:8500 and HOST:8500.
    """

    def __init__(self, path: Path, run: Path, evaluated: Path, model: Path, songs: Path):
        self.path = path
        self.port = free_port()
        for name in ("configs", "serving", "examples", "benchmarks"):
            (path / name).symlink_to(ROOT / name)
        for old, new in GENRES.items():
            shutil.copytree(songs / old, path / "songs" / new)
        build(FolderSource(path / "songs"), path / "datasets/corpus", get_layout("voices"), workers=1)
        shutil.copytree(run, path / "runs/NAME")
        self._rename(path / "runs/NAME/run.json")
        for name in ("ONE", "OTHER"):
            shutil.copytree(evaluated, path / "runs" / name)
        shutil.copytree(model, path / "exports/musae")
        for number, name in enumerate(("mine", "from", "to", "inbox/one")):
            (path / name).parent.mkdir(exist_ok=True)
            four_voice_song(4 + number, seed=number).write(path / f"{name}.mid")
        song = four_voice_song(4, seed=9)
        replace(song, tracks=song.tracks[:1]).write(path / "melody.mid")
        for number in range(8):
            (path / "hymnal").mkdir(exist_ok=True)
            four_voice_song(4, seed=50 + number).write(path / f"hymnal/{number}a.mid")
        shutil.copytree(path / "songs", path / "midi")
        rows = [f"{file.relative_to(path / 'midi')},{file.parent.name}" for file in (path / "midi").rglob("*.mid")]
        (path / "labels.csv").write_text("path,labels\n" + "\n".join(rows) + "\n")
        self._collections(path / "downloads")
        chorales = {part: [[[72, 67, 60, 48]] * 32] for part in ("train", "valid", "test")}
        (path / "Jsb16thSeparated.json").write_text(json.dumps(chorales))
        for number in range(1, 5):
            write_played(path / "POP909", number)
        (path / "certificates").mkdir()
        certificates = make_certificates(path / "certificates")
        shutil.copy(certificates.server_key, path / "server.key")
        shutil.copy(certificates.server, path / "server.pem")
        self._programs()

    @staticmethod
    def _collections(downloads: Path) -> None:
        """A few songs, and genres of some, in the folders that `musae data fetch` makes."""
        lmd, lpd = downloads / "lmd", downloads / "lpd"
        write_lakh(lmd / "lmd_matched")
        for number, track in enumerate(TRACKS):
            write_song_file(lmd / "lmd_matched_h5", track, ["rock"], f"AR{number}")
            write_npz(lpd / "lpd_5_cleansed", track, f"{number:032x}", band_song(6, number))
        (lmd / "tagtraum").mkdir()
        (lmd / "tagtraum/msd_tagtraum_cd2.cls").write_text(f"{TRACKS[0]}\tRock\n")
        (lpd / "id_lists_tagtraum").mkdir()
        (lpd / "id_lists_tagtraum/id_list_Rock.txt").write_text(f"{TRACKS[0]}\n")

    def _rename(self, file: Path) -> None:
        facts = json.loads(file.read_text())
        facts["genres"] = [GENRES[genre] for genre in facts["genres"]]
        facts["tempos"] = {GENRES[genre]: tempo for genre, tempo in facts["tempos"].items()}
        facts["dataset"] = {"path": "datasets/corpus", "name": "corpus", "hash": self.dataset.hash}
        file.write_text(json.dumps(facts))

    @property
    def dataset(self) -> Dataset:
        return Dataset.open(self.path / "datasets/corpus")

    def _programs(self) -> None:
        """`musae` and `python` on the path of `shell`."""
        (self.path / "bin").mkdir()
        for name, module in (("python", ""), ("musae", "-m musae_tf.cli ")):
            # No links: a link to the interpreter of an environment does not find its packages.
            program = self.path / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {module}"$@"\n')
            program.chmod(0o755)

    def local(self, text: str) -> str:
        """Code or a line with the address and the genres of this world's server, if it has to do with the server."""
        changed = re.sub(r"\b(localhost|HOST):8500\b", f"localhost:{self.port}", text)
        if changed == text and re.match(r"musae request|python examples/(latent|style)", text):
            changed += f" --server localhost:{self.port}"
        if changed != text:
            for old, new in GENRES.items():
                changed = re.sub(rf"\b{new}\b", old, changed)
        return changed

    def arguments(self, line: str) -> list[str]:
        """What follows `musae`, as a shell would give it."""
        home = str(self.path)
        return [word.replace("~", home, 1) if word.startswith("~") else word for word in shlex.split(line)[1:]]

    def shell(self, line: str, timeout: float = 300.0) -> subprocess.CompletedProcess:
        """Run a line with bash."""
        return subprocess.run(
            ["bash", "-c", line], cwd=self.path, env=self.environment, capture_output=True, text=True, timeout=timeout
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{self.path / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.path),
            "MPLCONFIGDIR": matplotlib.get_cachedir(),  # its list of fonts, which takes seconds to make, is not there
            "PYTHONPATH": str(ROOT),
            "MIDO_BACKEND": "tests.live.backend",  # no sound card is needed
        }

    def start(self, arguments: list[str], ready: str, timeout: float = 180.0) -> subprocess.Popen:
        """Start `musae`, and return when it has said that it is ready."""
        process = subprocess.Popen(
            [sys.executable, "-m", "musae_tf.cli", *arguments], cwd=self.path, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        stop = threading.Timer(timeout, process.kill)
        stop.start()
        said = ""
        try:
            for line in process.stdout:
                said += line
                if ready in line:
                    return process
        finally:
            stop.cancel()
        raise AssertionError(f"ended with {process.wait()}: {said}")
