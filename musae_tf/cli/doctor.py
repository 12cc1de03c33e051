"""`musae doctor`: what is installed on this machine and whether it works."""

import platform
import shutil
import socket
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from musae_tf import __version__
from musae_tf.cli.parser import Commands, add_json, command
from musae_tf.cli.shared import RUNS, add_server, load_tensorflow
from musae_tf.cores import available_cores
from musae_tf.errors import MusaeError
from musae_tf.proxies import exempt, named, place

LEAST_SPACE = 2e9
"""Bytes: a run of the default preset with its dataset, export and evaluation needs less."""

LEAST_CACHE = 0.1e9
"""Bytes: the pretrained model, unpacked, needs less."""

PROXY_SECONDS = 3.0
"""How long a proxy may take to answer."""

LEAST_PYTHON = (3, 10)


class Purpose(NamedTuple):
    """What somebody may want to do: the extra of the package that it needs, and all packages of it.

    Without the first of them it was not asked for; with it, and without another, it is broken. So the first is one that
    no other extra brings along.
    """

    extra: str
    packages: tuple[str, ...]


PURPOSES = {
    "base": Purpose("", ("numpy", "symusic", "protobuf", "grpcio", "shtab")),
    "train": Purpose("train", (
        "tensorflow-probability", "tensorflow", "keras", "tf-keras", "tensorboard", "pypianoroll", "pyyaml", "tqdm",
        "scipy", "scikit-learn", "threadpoolctl", "tabulate", "jinja2", "soundfile")),
    "serve": Purpose("server", (
        "grpcio-health-checking", "grpcio-reflection", "tensorflow", "uvicorn", "httptools", "starlette",
        "google-crc32c")),
    "sound": Purpose("train", ("midirenderer", "pretty_midi")),
    "pictures": Purpose("train", ("matplotlib",)),
    "corpus": Purpose("corpus", ("music21",)),
    "lakh": Purpose("lakh", ("pypianoroll", "h5py", "tqdm")),
    "beam": Purpose("beam", ("apache-beam", "tqdm")),
    "score": Purpose("score", ("verovio",)),
    "pdf": Purpose("pdf", ("typst",)),
    "studio": Purpose("studio", ("nicegui",)),
    "live": Purpose("live", ("python-osc", "mido", "python-rtmidi")),
    "hub": Purpose("hub", ("huggingface_hub", "tqdm")),
    "litert": Purpose("litert", ("ai-edge-litert",)),
    "telemetry": Purpose("telemetry", (
        "opentelemetry-instrumentation-grpc", "opentelemetry-instrumentation-asgi", "opentelemetry-api",
        "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")),
    "docs": Purpose("docs", ("mkdocs-material", "mkdocs", "mkdocstrings", "mkdocstrings-python")),
}  # fmt: skip
"""Every extra of the package is here, but `gpu`, which the line of the devices is about, and `dev`, which is all."""

_NEEDED = "base"


class Finding(NamedTuple):
    """One thing that was looked at: `missing` if something needed is not there, `absent` if it was not asked for."""

    name: str
    state: Literal["ok", "absent", "missing"]
    text: str


def add_doctor(commands: Commands) -> None:
    """Add `musae doctor`."""
    summary = "what is installed here and whether it works"
    example = "musae doctor --server localhost:8500"
    parser = command(commands, "doctor", doctor, summary, example, "not all was seen")
    add_server(parser, default=None)
    add_json(parser)


def doctor(arguments: Namespace) -> int:
    """`musae doctor [--server HOST:PORT]`.

    Returns:
        1 if something that is needed is missing, otherwise 0.
    """
    found = []
    for finding in _look(arguments):
        found.append(finding)
        print(f"{finding.state:<8}{finding.name:<20}{finding.text}", flush=True)
    missing = [finding.name for finding in found if finding.state == "missing"]
    print(f"\nmissing: {', '.join(missing)}" if missing else "\nnothing that is needed is missing")
    arguments.report = {"ok": not missing, "findings": [finding._asdict() for finding in found]}
    return int(bool(missing))


def _look(arguments: Namespace) -> Iterator[Finding]:
    from musae_tf.pretrained.archive import cache_folder

    yield _musae()
    yield _python()
    for name, purpose in PURPOSES.items():
        yield _packages(name, purpose)
    yield _devices()
    yield _sound()
    for name, path in (("this folder", Path()), ("runs", RUNS), ("datasets", Path("datasets"))):
        yield _folder(name, path)
    yield _folder("temporary files", Path(tempfile.gettempdir()))
    yield _folder("cache", cache_folder(), "; the environment variable MUSAE_CACHE names another folder")
    yield _space("disk", Path(), LEAST_SPACE, "a dataset and a run")
    yield _space("disk of the cache", cache_folder(), LEAST_CACHE, "the pretrained model")
    yield _proxies()
    if arguments.server is not None:
        yield _server(arguments)


def _musae() -> Finding:
    return Finding("musae-tf", "ok", f"{__version__} in {Path(__file__).parent.parent}")


def _python() -> Finding:
    enough = sys.version_info >= LEAST_PYTHON
    more = "" if enough else f"; {'.'.join(map(str, LEAST_PYTHON))} or newer is needed"
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}{more}"
    return Finding("python", "ok" if enough else "missing", text)


def _packages(name: str, purpose: Purpose) -> Finding:
    versions = {package: _version(package) for package in purpose.packages}
    lacking = [package for package, version in versions.items() if version is None]
    if not lacking:
        return Finding(name, "ok", ", ".join(f"{package} {version}" for package, version in versions.items()))
    remedy = f"pip install 'musae-tf[{purpose.extra}]'" if purpose.extra else "pip install musae-tf"
    asked_for = name == _NEEDED or purpose.packages[0] not in lacking
    return Finding(name, "missing" if asked_for else "absent", f"{', '.join(lacking)}: {remedy}")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> Finding:
    if _version("tensorflow") is None:
        return Finding("devices", "absent", "no TensorFlow: a machine that only asks a server needs none")
    try:
        load_tensorflow()
        import tensorflow as tf
    except Exception as cause:  # whatever a broken installation raises is what the user has to see
        return Finding("devices", "missing", f"TensorFlow does not load: {str(cause).splitlines()[0]}")
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    names = [details.get("device_name", "GPU") for details in gpus]
    cores = available_cores()
    return Finding("devices", "ok", ", ".join([f"{cores} cores", *names] if names else [f"{cores} cores", "no GPU"]))


def _sound() -> Finding:
    if _version("midirenderer") is None:
        return Finding("synthesiser", "absent", "pip install 'musae-tf[train]' for --wav")
    import numpy as np

    from musae_tf.music import Song, Track
    from musae_tf.music.audio import render
    from musae_tf.music.song import NOTE

    note = np.array([(0, 240, 60, 100)], NOTE)
    try:
        loudest = float(np.abs(render(Song(480, [Track("test", 0, False, note)], end=480))).max())
    except MusaeError as error:
        return Finding("synthesiser", "missing", str(error))
    if loudest == 0:
        return Finding("synthesiser", "missing", "the synthesiser renders silence")
    return Finding("synthesiser", "ok", "a note was rendered with the sound font of pretty_midi")


def _folder(name: str, path: Path, remedy: str = "") -> Finding:
    there = _existing(path)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as cause:
        return Finding(name, "missing", f"cannot write in {there}: {cause.strerror or cause}{remedy}")
    return Finding(name, "ok", f"{path.absolute()} can be written{'' if there == path.absolute() else ' when needed'}")


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())


def _space(name: str, path: Path, least: float, purpose: str) -> Finding:
    there = _existing(path)
    free = shutil.disk_usage(there).free
    enough = free >= least
    more = "" if enough else f"; {least / 1e9:g} GB are needed for {purpose}"
    return Finding(name, "ok" if enough else "missing", f"{free / 1e9:,.1f} GB are free in {there}{more}")


def _proxies() -> Finding:
    """Proxies of the environment, and whether somebody listens there."""
    found = named()
    if not found:
        return Finding("proxy", "ok", "none in the environment")
    text = ", ".join(map(str, found)) + (f"; not for {exempt()}" if exempt() else "; no_proxy is not set")
    for proxy in found:
        try:
            socket.create_connection(place(proxy.url), PROXY_SECONDS).close()
        except (OSError, ValueError) as cause:
            reason = getattr(cause, "strerror", None) or cause
            remedy = f"mend or unset {proxy.variable}, or set no_proxy to what is reached without it"
            return Finding("proxy", "missing", f"{text}; no connection to {proxy.url} ({reason}): {remedy}")
    return Finding("proxy", "ok", f"{text}; addresses of this machine are never asked for through a proxy")


def _server(arguments: Namespace) -> Finding:
    from musae_tf.cli.served import open_client

    try:
        with open_client(arguments) as musae:
            model = musae.describe()
    except MusaeError as error:
        return Finding("server", "missing", str(error))
    return Finding(
        "server", "ok", f"{arguments.server}: {model.name}, version {model.version}, {', '.join(model.genres)}"
    )
