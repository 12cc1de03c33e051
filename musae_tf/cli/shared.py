"""What several commands have: options of one name and one meaning, run folders, TensorFlow without its noise.

Nothing here loads more than the standard library before a function asks for it: `musae --help` stays quick.
"""

import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from musae_tf.cli.parser import Parser, integer, number
from musae_tf.errors import DatasetError, RunError

if TYPE_CHECKING:
    from musae_tf.data import Dataset
    from musae_tf.training import Run

RUNS = Path("runs")
"""Where `musae train` makes run folders and other commands look for the newest."""


# --- options ----------------------------------------------------------------------------------------------------------


def add_run(parser: Parser) -> None:
    """The run, as an argument that may be left out."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="run folder (default: the newest in ./runs)")


def add_pretrained(parser: Parser) -> None:
    """The model of the package instead of a run."""
    parser.add_argument("--pretrained", action="store_true", help="the trained model that comes with musae-tf")


def add_model(parser: Parser) -> None:
    """A run or a model folder, as an argument that may be left out."""
    where = "a run, or a folder of numbered versions (default: the newest run, or else the pretrained model)"
    parser.add_argument("model", nargs="?", metavar="RUN|MODEL_DIR", help=where)
    add_pretrained(parser)


def add_dataset(parser: Parser) -> None:
    """Where the dataset of a run is."""
    where = "where the run's dataset is now (default: where it was)"
    parser.add_argument("--dataset", metavar="PATH", help=where)


def add_output(parser: Parser, folder: str) -> None:
    """How pieces are drawn and where they go."""
    temperature = "0: the most probable symbols, 1: as the model believes (default: 0)"
    parser.add_argument("--temperature", type=number(0, 100), default=0.0, metavar="T", help=temperature)
    trust = "0 to 1, how far to follow the code (default: what suits the command)"
    parser.add_argument("--trust", type=number(0, 1), metavar="X", help=trust)
    parser.add_argument("--seed", type=integer(0), default=0, metavar="N", help="same seed, same music (default: 0)")
    out = f"folder, or file of one piece: .mid, .musicxml, .mxl, .abc (default: {folder})"
    parser.add_argument("--out", metavar="PATH", help=out)
    kinds = ("mid", "musicxml", "mxl", "abc")
    which = f"of the files in a folder: {', '.join(kinds)} (default: mid)"
    parser.add_argument("--format", choices=kinds, default="mid", metavar="KIND", help=which)
    parser.add_argument("--wav", action="store_true", help="write sound as well")
    engraved = parser.add_mutually_exclusive_group()
    for flag, kind, needs in (("--score", "svg", "verovio"), ("--score-pdf", "pdf", "verovio and typst")):
        which = f"write an engraved score as well, {kind.upper()} (needs {needs})"
        engraved.add_argument(flag, dest="score", action="store_const", const=kind, help=which)


def add_server(parser: Parser, default: str | None = "localhost:8500") -> None:
    """A server and how it is asked; without a default, only if it is named."""
    what = "gRPC port of the server (default: localhost:8500)" if default else "ask this server (default: none)"
    parser.add_argument("--server", default=default, metavar="HOST:PORT", help=what)
    parser.add_argument("--model", default="musae", metavar="NAME", help="name of the model (default: musae)")
    version = parser.add_mutually_exclusive_group()
    newest = "version of the model (default: the newest)"
    version.add_argument("--model-version", type=integer(0, 2**63 - 1), metavar="N", help=newest)
    version.add_argument("--model-label", metavar="LABEL", help="label of a version (default: none)")
    add_deadline(parser)
    parser.add_argument("--tls", action="store_true", help="encrypt; the options below imply it")
    authority = "PEM file of the authority of the server's certificate (default: gRPC's)"
    parser.add_argument("--tls-ca", metavar="FILE", help=authority)
    own = "PEM file of the client's certificate, for mutual TLS (default: none)"
    parser.add_argument("--tls-cert", metavar="FILE", help=own)
    parser.add_argument("--tls-key", metavar="FILE", help="PEM file of its key (default: none)")
    parser.add_argument("--tls-name", metavar="NAME", help="name in the server's certificate (default: HOST)")


def add_deadline(parser: Parser) -> None:
    """How long to wait."""
    limit = "seconds until an answer must be there (default: 30)"
    parser.add_argument("--deadline", type=number(0.001, 1e6), default=30.0, metavar="S", help=limit)


# --- folders ----------------------------------------------------------------------------------------------------------


def find_run(path: str | None, pretrained: bool = False) -> Path:
    """The run folder that was named, or the one of the pretrained model, or the newest of ./runs.

    Raises:
        RunError: not a run folder, or none there.
    """
    if pretrained:
        if path is not None:
            raise RunError(f"{path} and --pretrained were given: name one model")
        from musae_tf.pretrained import pretrained_run

        return pretrained_run()
    if path is not None:
        if not (Path(path) / "run.json").is_file():
            raise RunError(f"{path} is not a run folder: it has no run.json (musae train makes one)")
        return Path(path)
    newest = newest_run()
    if newest is None:
        raise RunError(
            f"no run in ./{RUNS}: name a run folder, train one with musae train voices, or take --pretrained"
        )
    print(f"using {newest}, the newest run")
    return newest


def newest_run() -> Path | None:
    """The newest run of ./runs, if there is one."""
    runs = sorted(RUNS.glob("*/run.json"), key=lambda file: file.stat().st_mtime_ns)
    return runs[-1].parent if runs else None


def open_dataset(path: str | os.PathLike, layout: str = "", grid: str = "4/4x4") -> "Dataset":
    """Open a dataset, or say how to make it.

    Args:
        path: its folder.
        layout: track layout that it is wanted in, if that is known.
        grid: steps of a bar that it is wanted in.

    Raises:
        DatasetError: not there, or damaged.
    """
    if not Path(path).exists():
        on_grid = f" --grid {grid}" if grid != "4/4x4" else ""
        wanted = f" --layout {layout}{on_grid}" if layout else on_grid
        source = {"band": "band", "pop909": "pop909 --dir DIR"}.get(layout, "corpus")
        build = {
            "datasets/corpus": f"corpus{on_grid}",
            "datasets/band": f"band{on_grid}",
            "datasets/pop909": f"pop909 --dir DIR{on_grid}",
            "datasets/lmd": f"lmd --midi DIR --labels PATH{wanted}",
            "datasets/lpd": f"lpd --npz DIR --labels PATH{wanted}",
        }.get(Path(path).as_posix(), f"{source}{on_grid} --out {path}")
        raise DatasetError(
            f"there is no dataset {path}; make it with musae data build {build}, "
            f"or from your own MIDI files with musae data build folder DIR{wanted} --out {path}"
        )
    from musae_tf.data import Dataset

    return Dataset.open(path)


def dataset_of(run: Path, moved: str | None = None) -> "Dataset":
    """The dataset of a run, where it was or where it is now. Unlike reading the run itself, this needs no TensorFlow.

    Raises:
        RunError: the run does not say which it is.
        DatasetError: not there, or damaged.
    """
    if moved is not None:
        return open_dataset(moved)
    try:
        return open_dataset(json.loads((run / "run.json").read_text(encoding="utf-8"))["dataset"]["path"])
    except (OSError, ValueError, LookupError, TypeError):
        raise RunError(f"{run / 'run.json'} is damaged: it does not name the dataset of the run") from None


def evaluate_and_print(run: "Run", dataset: "Dataset", quick: bool = True, against: Sequence["Run"] = ()) -> dict:
    """Measure the run's model on held-out songs; tables to the screen, files to RUN/evaluation.

    Returns:
        The run, the file with everything, its headlines and what they say, for --json.
    """
    from musae_tf.evaluation.report import evaluate_run, plain

    result = evaluate_run(run, dataset, print, quick, against)
    return {
        "run": str(run.path),
        "file": str(run.path / "evaluation" / "evaluation.json"),
        "headlines": plain(result["headlines"]),
        "verdict": result["verdict"],
    }


def print_next(*commands: tuple[Sequence[object], str]) -> None:
    """Print what the user may want to do next: the words of `musae` commands, quoted here, and what each does."""
    called = Path(sys.argv[0])
    # Someone who called .venv/bin/musae has no `musae` on the path.
    program = str(called) if called.name == "musae" and not shutil.which("musae") else "musae"
    print("\nnext:")
    for command, purpose in commands:
        print(f"  # {purpose}\n  {shlex.join(map(str, (program, *command)))}")


# --- TensorFlow -------------------------------------------------------------------------------------------------------


def load_tensorflow() -> None:
    """Import TensorFlow and look for devices, quietly; with TF_CPP_MIN_LOG_LEVEL set by the user, as loud as that."""
    # The models are written for this backend; a user's choice for other programs must not reach them.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        _start()
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    # The level alone is not enough: TensorFlow's C++ side logs some lines before it has read it.
    with standard_error_held_back():
        _start()


def _start() -> None:
    import tensorflow as tf

    tf.config.list_physical_devices()


@contextmanager
def standard_error_held_back() -> Iterator[None]:
    """Collect what is written to file descriptor 2, and show it only if the block fails."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Exception:
            kept.seek(0)
            os.write(original, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
