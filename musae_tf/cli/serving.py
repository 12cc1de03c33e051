"""`musae export`, `serve` and `studio`: their options."""

import argparse

from musae_tf.cli.parser import Parser, add_full_help, add_json, add_rare, command
from musae_tf.cli.shared import add_deadline, add_model, add_run
from musae_tf.commands.serve_flags import FLAGS, Flag
from musae_tf.commands.values import boolean, integer, number, pairs


def add_export(commands) -> None:
    """Add `musae export`."""
    summary = "publish a trained model as a version that a server loads"
    example = "musae export runs/NAME --to exports/musae"
    export = command(commands, "export", "export:export", summary, example, "nothing was published")
    add_run(export)
    to = "model folder, named as the model is to be called (default: RUN/export/musae)"
    export.add_argument("--to", metavar="DIR", help=to)
    keep = "keep the newest N versions and remove older ones (default: keep all)"
    export.add_argument("--keep", type=integer(1), metavar="N", help=keep)
    add_json(export)


def add_serve(commands) -> None:
    """Add `musae serve`."""
    note = "The flags are those of its container."
    summary, example = "answer the TF Serving API with a model", "musae serve exports/musae --enable-batching"
    serve = command(commands, "serve", "serve:serve", summary, example, "nothing was served", note)
    add_model(serve)
    add_full_help(serve)
    for flag in FLAGS:
        _add_flag(serve, flag)


def _add_flag(serve: Parser, flag: Flag) -> None:
    kinds = {int: integer(flag.low, flag.high), float: number(flag.low, flag.high), dict: pairs, bool: boolean}
    settings = {"type": kinds.get(flag.kind, str), "metavar": flag.metavar, "default": flag.default}
    if flag.kind is bool:
        settings |= {"nargs": "?", "const": True, "metavar": "true|false", "default": bool(flag.default)}
    name = flag.name.replace("-", "_")
    if flag.common:
        serve.add_argument(f"--{flag.name}", dest=name, help=flag.help, **settings)
    else:
        add_rare(serve, f"--{flag.name}", dest=name, help=flag.help, **settings)
    settings["default"] = argparse.SUPPRESS
    names = {name, *([flag.also, flag.also.replace("-", "_")] if flag.also else [])} - {flag.name}
    for other in sorted(names):
        serve.add_argument(f"--{other}", dest=name, help=argparse.SUPPRESS, **settings)


def add_studio(commands) -> None:
    """Add `musae studio`."""
    summary = "explore a model by ear in the browser"
    studio = command(
        commands, "studio", "studio:studio", summary, "musae studio runs/NAME", "the studio was not open yet"
    )
    add_model(studio)
    studio.add_argument("--server", metavar="HOST:PORT", help="use the model on this server (default: none)")
    studio.add_argument(
        "--model", dest="model_name", default="musae", metavar="NAME", help="its name there (default: musae)"
    )
    add_deadline(studio)
    host = "address of the page; 0.0.0.0 lets others in (default: 127.0.0.1)"
    studio.add_argument("--host", default="127.0.0.1", help=host)
    studio.add_argument("--port", type=integer(1, 65535), default=8080, metavar="N", help="of the page (default: 8080)")
    studio.add_argument("--no-browser", action="store_false", dest="browser", help="do not open a browser")
