"""`musae studio`: the web page."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from musae_tf.cli.parser import Commands, Parser, command, integer
from musae_tf.cli.shared import add_deadline, add_model, find_run, newest_run
from musae_tf.errors import RunError

if TYPE_CHECKING:
    from musae_tf.studio.embedded import EmbeddedServer, RemoteServer


def add_studio(commands: Commands) -> None:
    """Add `musae studio`."""
    summary = "explore a model by ear in the browser"
    example, stopped = "musae studio runs/NAME", "the studio was not open yet"
    parser = command(commands, "studio", studio, summary, example, stopped, extra="studio")
    add_source(parser)
    host = "address of the page; 0.0.0.0 lets others in (default: 127.0.0.1)"
    parser.add_argument("--host", default="127.0.0.1", help=host)
    parser.add_argument("--port", type=integer(1, 65535), default=8080, metavar="N", help="of the page (default: 8080)")
    parser.add_argument("--no-browser", action="store_false", dest="browser", help="do not open a browser")


def studio(arguments: Namespace) -> None:
    """`musae studio [RUN|MODEL_DIR]` or `musae studio --server HOST:PORT`."""
    from musae_tf.studio.app import check_port, run

    check_port(arguments.host, arguments.port)
    server, name = find_source(arguments)
    with server:
        arguments.stopped = "the studio is closed"
        print(f"studio: http://{arguments.host}:{arguments.port}", flush=True)
        run(server, name, arguments.deadline, arguments.host, arguments.port, arguments.browser)


def add_source(parser: Parser) -> None:
    """Where the model is: here or on a server."""
    add_model(parser)
    parser.add_argument("--server", metavar="HOST:PORT", help="use the model on this server (default: none)")
    parser.add_argument(
        "--model", dest="model_name", default="musae", metavar="NAME", help="its name there (default: musae)"
    )
    add_deadline(parser)


def find_source(arguments: Namespace) -> "tuple[EmbeddedServer | RemoteServer, str]":
    """A server of the model, which is to be entered, and the model's name there.

    Raises:
        RunError: there is no such model, or it is named twice.
    """
    from musae_tf.studio.embedded import MODEL, EmbeddedServer, RemoteServer

    if arguments.server is not None:
        if arguments.model is not None or arguments.pretrained:
            given = arguments.model or "--pretrained"
            raise RunError(f"{given} and --server were given: the model is either here or on a server")
        return RemoteServer(arguments.server), arguments.model_name
    server = EmbeddedServer(str(_model(arguments.model, arguments.pretrained)))
    print("loading the model ...", flush=True)
    return server, MODEL


def _model(named: str | None, pretrained: bool) -> Path:
    """A run that has been exported, or a model folder; the pretrained model if nothing is named and nothing trained."""
    from musae_tf.pretrained import has_pretrained

    if named is None and newest_run() is None and has_pretrained():
        print("using the pretrained model: there is no run here", flush=True)
        pretrained = True
    path = find_run(named, pretrained) if named is None or pretrained else Path(named)
    if not path.is_dir():
        raise RunError(f"{path} is neither a run nor a model folder: there is no such folder")
    is_run = (path / "run.json").is_file()
    if not is_run and not any(folder.name.isdecimal() for folder in path.iterdir()):
        raise RunError(f"{path} is neither a run nor a model folder: it has no run.json and no numbered version")
    if is_run and not (path / "export" / "musae").is_dir():
        # In a process of its own: this one is to stay small.
        done = subprocess.run([sys.executable, "-m", "musae_tf.cli", "export", str(path)])
        if done.returncode:
            raise RunError(f"{path} could not be exported")
    return path
