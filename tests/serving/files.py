"""The files of a deployment, read for the tests."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SERVING = Path(__file__).parents[2] / "serving"
GRPC_PORT, REST_PORT = 8500, 8501
MODEL, MODEL_PATH = "musae", "/models/musae"


def documents(path: Path) -> list[dict]:
    """All documents of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def tool(name: str) -> str:
    """A command that a package of the `dev` extra brings."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed: pip install 'musae-tf[dev]'")
    return found


def run(*command: str | Path, **options) -> subprocess.CompletedProcess:
    """A command's outcome, with its output as text."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **options)


def dockerfile() -> str:
    """The Dockerfile with continued lines joined and comments left out."""
    text = (SERVING / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return re.sub(r"\\\n\s*", " ", "\n".join(lines))


def entrypoint() -> dict[str, str]:
    """The server's flags in the image, by name."""
    return flags(re.findall(r'"(--[^"]+)"', re.search(r"ENTRYPOINT (.*)", dockerfile()).group(1)))


def flags(arguments: list[str]) -> dict[str, str]:
    """{"port": "8500"} of ["--port=8500"]."""
    return dict(argument.removeprefix("--").split("=", 1) for argument in arguments)
