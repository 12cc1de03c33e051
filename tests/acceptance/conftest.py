"""Distributions of the package, and environments of their own with nothing but them."""

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent.parent


class Distributions(NamedTuple):
    """What is published."""

    wheel: Path
    sdist: Path


def run(command: list, folder: Path) -> str:
    """What a command prints, in `folder` and with nothing of this environment but its PATH."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def distributions(tmp_path_factory) -> Distributions:
    """Those in the folder that MUSAE_DIST names, as `make release` has made them; else made of the files here."""
    folder = Path(os.environ.get("MUSAE_DIST") or tmp_path_factory.mktemp("dist")).absolute()
    if "MUSAE_DIST" not in os.environ:
        run([sys.executable, "-m", "build", "--outdir", folder, ROOT], folder)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Distributions(wheel, sdist)


@pytest.fixture(scope="session")
def machine(tmp_path_factory) -> Callable[[str, str], Path]:
    """`machine(name, requirement)`: a virtual environment with what is asked for, and nothing else."""

    def made(name: str, requirement: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        venv.create(folder / "venv", symlinks=True, with_pip=False)
        python = folder / "venv" / "bin" / "python"
        run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", requirement], folder)
        return folder / "venv"

    return made
