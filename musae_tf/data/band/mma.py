"""The program mma (Musical MIDI Accompaniment, GPL), run as a program of its own: a score in, a MIDI file out."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from musae_tf.errors import DatasetError, MusicError

INSTALL = "install it with: apt-get install --no-install-recommends mma (Debian, Ubuntu)"
LIBRARIES = ("/usr/share/mma/lib", "/usr/local/share/mma/lib")
SECONDS = 60
"""A song takes a tenth of a second; a program that takes this long hangs."""


class Mma(NamedTuple):
    """An installed mma: the command, the folder of its groove files, and its version."""

    command: str
    library: str
    version: str


def find_mma(command: str | None = None, library: str | None = None) -> Mma:
    """Find the program and its library of grooves.

    Args:
        command: Name or path of the program; None for `mma` on the PATH.
        library: Folder with groove files (`stdlib/*.mma` and so on); None for the package's usual places.

    Raises:
        DatasetError: One of them is not there; the sentence says what to install.
    """
    program = shutil.which(command or "mma")
    if program is None:
        what = f"there is no program {command}" if command else "the program mma, which plays the songs, is not here"
        raise DatasetError(f"{what}; {INSTALL}")
    program = os.path.abspath(program)
    try:
        done = _run([program, "-v"], library)
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise DatasetError(f"{program} cannot be run: {cause}; {INSTALL}") from cause
    version = re.search(r"^\s*(\d[\w.]*)\s*$", done.stdout, re.MULTILINE)
    if version is None:
        raise DatasetError(f"{program} does not say its version as mma does (mma -v); {INSTALL}")
    beside = Path(program).resolve().parent.parent / "share" / "mma" / "lib"
    places = [library] if library else [str(beside), *LIBRARIES]
    for place in places:
        if os.path.isdir(os.path.join(place, "stdlib")):
            return Mma(program, os.path.abspath(place), version[1])
    raise DatasetError(f"no groove files of mma in {' or '.join(dict.fromkeys(places))} (folder stdlib); {INSTALL}")


def render(mma: Mma, score: str) -> bytes:
    """Play a score (text of mma's language) to the bytes of a MIDI file.

    Raises:
        MusicError: mma refuses the score, and why, or takes too long.
        DatasetError: The program has gone.
    """
    with tempfile.TemporaryDirectory(prefix="musae-mma-") as folder:
        path = Path(folder)
        (path / "song.mma").write_text(score, encoding="ascii")
        (path / "settings").touch()
        # -i: nobody's own settings file; -w: no warnings.
        command = [mma.command, "-w", "-i", str(path / "settings"), "-f", str(path / "song.mid"), "song.mma"]
        try:
            done = _run(command, mma.library, path)
        except subprocess.TimeoutExpired as cause:
            raise MusicError(f"mma did not finish in {SECONDS} s") from cause
        except OSError as cause:
            raise DatasetError(f"{mma.command} cannot be run any more: {cause.strerror or cause}; {INSTALL}") from cause
        try:
            if done.returncode == 0:
                return (path / "song.mid").read_bytes()
        except FileNotFoundError:
            pass
        raise MusicError(f"mma made no MIDI file: {_complaint(done.stdout + done.stderr) or f'code {done.returncode}'}")


def _run(command: list[str], library: str | None, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    # A clean environment: Python's variables are meant for this process, and hashes must not vary.
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    if folder:
        environment |= {"HOME": str(folder), "TMPDIR": str(folder)}
    if library:
        environment["MMA_LIBPATH"] = library
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=SECONDS, cwd=folder, env=environment,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def _complaint(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.startswith("Warning")]
    errors = [number for number, line in enumerate(lines) if line.lower().startswith("error")]
    return " ".join(lines[errors[0] if errors else -1 :])[:200]
