"""The `musae` command. This module only reads the command line: what a command needs is imported when it runs."""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence

from musae_tf import __version__
from musae_tf.commands.data_flags import SOURCES, SourceFlags
from musae_tf.commands.serve_flags import FLAGS
from musae_tf.commands.values import boolean, integer, number, pairs
from musae_tf.errors import MusaeError

CHANGE = "give a piece more or less notes, register or length"
USAGE = MusaeError.exit_code


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, and takes options before, between and after the arguments."""

    _reading = False

    def error(self, message: str):
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def parse_known_args(self, args=None, namespace=None):
        # argparse gives a command's arguments all at once: `transfer RUN --to bach SONG` needs its intermixed form,
        # which calls this method again.
        if self._subparsers is not None or self._reading:
            return super().parse_known_args(args, namespace)
        self._reading = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._reading = False


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as an exception that libraries clean up after as they do after Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0, 2 for a mistake that the user can mend, 75 for a worker that only has to be started again, 130
        after Ctrl-C, 143 after SIGTERM.
    """
    arguments = _parser().parse_args(argv)
    previous = _terminate_by_exception()
    try:
        module, function = arguments.command.split(":")
        code = getattr(importlib.import_module(f"musae_tf.commands.{module}"), function)(arguments)
        sys.stdout.flush()
        return code or 0
    except MusaeError as error:
        return _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "musae_tf"):
            raise
        return _fail(f"this command needs the package {package}, which is not here: pip install 'musae-tf[train]'")
    except BrokenPipeError:
        # The reader of the output (head, less) has gone; Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}")
    except KeyboardInterrupt as stop:
        caught = signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT
        print(f"\nmusae: stopped; {arguments.stopped}", file=sys.stderr)
        return 128 + caught
    finally:
        signal.signal(signal.SIGTERM, previous)


def _fail(sentence: str, code: int = USAGE) -> int:
    print(f"musae: {sentence}", file=sys.stderr)
    return code


def _terminate_by_exception():
    owner = os.getpid()

    def terminate(number: int, frame: object) -> None:
        if os.getpid() != owner:
            os._exit(128 + number)  # a worker process that inherited the handler
        raise _Terminated

    return signal.signal(signal.SIGTERM, terminate)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="musae",
        description="Train and use a latent space of multi-track symbolic music.",
        epilog="Start with: musae data build corpus, then musae train configs/voices.yaml.",
    )
    parser.add_argument("--version", action="version", version=f"musae-tf {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="name")
    _add_data(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_music(commands)
    _add_change(commands)
    _add_export(commands)
    _add_serve(commands)
    _add_request(commands)
    _add_studio(commands)
    return parser


def _command(commands, name: str, function: str, summary: str, stopped: str = "nothing was written") -> _Parser:
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.set_defaults(command=function, stopped=stopped)
    return parser


def _add_data(commands) -> None:
    data = commands.add_parser("data", help="build a dataset or look at one")
    kinds = data.add_subparsers(metavar="COMMAND", required=True, dest="kind")
    build = kinds.add_parser("build", help="read songs and write a dataset folder")
    sources = build.add_subparsers(metavar="SOURCE", required=True, dest="source")
    again = "the same command goes on from the parts that are done"
    for source in SOURCES:
        parser = _command(sources, source.name, "data:build_dataset", source.summary, again)
        for option in source.options:
            parser.add_argument(*option.flags, **option.settings)
        _add_build_options(parser, source)
    public = "download a public collection of music: sizes and licences are shown first"
    fetch = _command(kinds, "fetch", "fetch:fetch_collection", public, "the same command goes on from what has come")
    fetch.add_argument("collection", choices=("lmd", "lpd"), help="the Lakh MIDI or the Lakh Pianoroll Dataset")
    fetch.add_argument("--to", metavar="DIR", help="where to (default: downloads/<name>)")
    fetch.add_argument("--only", action="append", default=[], metavar="PART", help="one of its folders; repeatable")
    fetch.add_argument("--url", metavar="URL", help="a mirror: the files are at URL/<file name>")
    fetch.add_argument("--keep", action="store_true", help="keep the archives after they are unpacked")
    fetch.add_argument("--yes", action="store_true", help="agree to sizes and licences without being asked")
    info = _command(kinds, "info", "data:info", "what a dataset holds")
    info.add_argument("dataset", metavar="PATH", help="dataset folder")
    info.add_argument("--rejected", action="store_true", help="list every file that was not used, and why")
    info.add_argument("--labels", action="store_true", help="list which genres occur together")
    info.add_argument("--duplicates", action="store_true", help="list songs that repeat another one")
    check = _command(kinds, "check", "data:check", "whether a dataset is whole and sound")
    check.add_argument("dataset", metavar="PATH", help="dataset folder")
    export = _command(kinds, "export", "data:export", "write songs of a dataset as MIDI files, with a table of them")
    export.add_argument("dataset", metavar="PATH", help="dataset folder")
    export.add_argument("--out", metavar="DIR", required=True, help="folder for the files")
    export.add_argument("--song", action="append", metavar="ID", help="this song only; may be repeated")
    export.add_argument("--genre", help="songs of this genre only")
    export.add_argument("--split", choices=("train", "validation", "test"), help="songs of this split only")
    export.add_argument("--limit", type=integer(1), metavar="N", help="the first N songs only")
    export.add_argument("--png", action="store_true", help="draw the first bars of every song as well")
    export.add_argument("--tables", action="store_true", help="write the tables only, of all songs and rejections")


def _add_build_options(parser: _Parser, source: SourceFlags) -> None:
    """What can be asked of every source."""
    out = f"dataset folder (default: {source.out or 'datasets/<name of DIR>'})"
    parser.add_argument("--out", metavar="PATH", help=out)
    layouts = "track layout: voices, band, band_paper or lpd5 (default: the source's)"
    parser.add_argument("--layout", help=layouts)
    drums = "a kit, or one voice (default: kit)"
    parser.add_argument("--drums", choices=("kit", "voice"), default="kit", help=drums)
    keep = "the note that stays where several sound (default: the layout's, which is the highest)"
    parser.add_argument("--keep", choices=("highest", "lowest"), help=keep)
    candidates = (
        "where several tracks could play a part: merge them, take the best (the one that strikes most often), or make "
        "a song of all combinations (default: merge)"
    )
    parser.add_argument("--candidates", choices=("merge", "best", "all"), default="merge", help=candidates)
    filters = (
        "take only songs in 4/4 throughout, only songs in which all parts sound, cut out bars in which a part is "
        "silent (default: none of these)"
    )
    names = ("four-four", "all-parts", "no-silent-bars")
    parser.add_argument("--filters", nargs="+", choices=names, default=(), help=filters)
    phrase = "with no-silent-bars, keep stretches of at least N bars only (default: 1)"
    parser.add_argument("--phrase-bars", type=integer(1, 1024), default=1, metavar="N", help=phrase)
    genres = f"keep the N most frequent genres, or these (default: {source.genres or 'all'})"
    parser.add_argument("--genres", metavar="N|A,B,...", help=genres)
    parser.add_argument("--labelled", action="store_true", help="leave out songs with none of the genres")
    parser.add_argument("--workers", type=integer(1), metavar="N", help="processes (default: one a core)")
    parser.add_argument("--seed", type=integer(0), default=1, metavar="N", help="decides the split (default: 1)")
    engine = "what reads the files: processes of this machine, or Apache Beam (default: processes)"
    parser.add_argument("--engine", choices=("processes", "beam"), default="processes", help=engine)
    options = 'pipeline options of Beam in one string: --beam-options="--runner=FlinkRunner --parallelism=64"'
    parser.add_argument("--beam-options", default="", metavar="STRING", help=options)
    parser.add_argument("--force", action="store_true", help="build again even if it is there already")


def _add_train(commands) -> None:
    summary = "train a model, or go on with a run that was stopped"
    train = _command(commands, "train", "train:train", summary, "training had not begun")
    train.add_argument("config", nargs="?", metavar="CONFIG", help="YAML file, for instance configs/voices.yaml")
    change = "change one key, for instance model.latent=64; may be repeated"
    train.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help=change)
    where = train.add_mutually_exclusive_group()
    where.add_argument("--run", metavar="DIR", help="run folder to make (default: runs/<name>-<date>-<time>)")
    where.add_argument("--resume", metavar="RUN", help="go on with this run, from its newest checkpoint")
    processes = "train in N worker processes of this machine; when one dies, all are started again"
    train.add_argument("--workers", type=integer(1), metavar="N", help=processes)
    times = "with --workers, how often without a new checkpoint in between (default: 3)"
    train.add_argument("--restarts", type=integer(0), default=3, metavar="N", help=times)
    train.add_argument("--no-evaluate", action="store_false", dest="evaluate", help="no evaluation at the end")


def _add_evaluate(commands) -> None:
    evaluate = _command(commands, "evaluate", "evaluate:evaluate", "measure trained models on held-out songs")
    evaluate.add_argument("runs", nargs="*", metavar="RUN", help="run folders (default: the newest in ./runs)")
    _add_pretrained(evaluate)
    beside = "evaluated runs to stand beside it on its page"
    evaluate.add_argument("--against", nargs="+", action="extend", default=[], metavar="RUN", help=beside)
    evaluate.add_argument("--quick", action="store_true", help="reconstruction, prior and statistics only: seconds")
    _add_dataset(evaluate)
    compare = _command(commands, "compare", "compare:compare", "put evaluated runs side by side")
    compare.add_argument("runs", nargs="+", metavar="RUN", help="run folders; differences are to the first")
    compare.add_argument("--out", metavar="FILE.csv", help="write the table with intervals as well")


def _add_music(commands) -> None:
    for parser in _music_commands(commands, "music", _add_model):
        _add_output(parser, "RUN/samples; samples with --pretrained")


def _add_change(commands) -> None:
    change = _command(commands, "change", "change:change", CHANGE)
    _add_model(change)
    _add_changes(change)
    _add_dataset(change)
    _add_output(change, "RUN/samples; samples with --pretrained")


def _add_changes(change: _Parser) -> None:
    change.add_argument("song", metavar="SONG.mid")
    what = "notes, register or length of all tracks, or of one as in soprano:notes; may be repeated"
    for flag in ("--more", "--less"):
        change.add_argument(flag, action="append", default=[], metavar="NAME", help=what)
    sweep = "several pieces instead, from less to more of NAME"
    change.add_argument("--sweep", metavar="NAME", help=sweep)
    points = "pieces of a sweep (default: 5)"
    change.add_argument("--points", type=integer(2, 256), default=5, metavar="N", help=points)
    units = "in standard deviations over the training music (default: 2)"
    change.add_argument("--strength", type=number(0, 10), default=2.0, metavar="X", help=units)
    change.add_argument("--bars", type=integer(1), metavar="N", help="take the first N bars only (default: all)")


def _add_request(commands) -> None:
    summary = "have music made by a model on a server"
    token = "A token in the environment variable MUSAE_TOKEN is sent along."
    request = commands.add_parser("request", help=summary, description=f"{summary.capitalize()}. {token}")
    kinds = request.add_subparsers(metavar="COMMAND", required=True, dest="kind")
    change = _command(kinds, "change", "request:change", CHANGE)
    _add_server(change)
    _add_changes(change)
    for parser in (*_music_commands(kinds, "request", _add_server), change):
        _add_output(parser, "here")
        parser.add_argument("--png", action="store_true", help="draw pictures as well (needs matplotlib)")
    nothing = "nothing was learnt"
    _add_server(_command(kinds, "describe", "request:describe", "genres, tracks and sizes of the model", nothing))
    states = "versions of the model and their states; exit code 1 if none is available"
    _add_server(_command(kinds, "status", "request:status", states, nothing))


def _music_commands(commands, module: str, add_model: Callable[[_Parser], None]) -> tuple[_Parser, ...]:
    """The commands that make music, whatever says where the model is."""
    sample = _command(commands, "sample", f"{module}:sample", "make new pieces")
    add_model(sample)
    sample.add_argument("--genre", help="genre by name (default: one piece of each)")
    sample.add_argument("--bars", type=integer(1, 4096), default=16, metavar="N", help="length (default: 16)")
    sample.add_argument("--tempo", type=number(1, 1000), metavar="BPM", help="quarters a minute (default: the genre's)")

    reconstruct = _command(commands, "reconstruct", f"{module}:reconstruct", "encode a piece and decode it again")
    add_model(reconstruct)
    reconstruct.add_argument("song", metavar="SONG.mid")

    between = "make pieces between one piece and another"
    interpolate = _command(commands, "interpolate", f"{module}:interpolate", between)
    add_model(interpolate)
    interpolate.add_argument("start", metavar="START.mid")
    interpolate.add_argument("end", metavar="END.mid")
    points = "pieces, reconstructions of both ends included (default: 5)"
    interpolate.add_argument("--points", type=integer(2, 256), default=5, metavar="N", help=points)
    path = "straight from code to code, or along great arcs (default: linear)"
    interpolate.add_argument("--path", choices=("linear", "spherical"), default="linear", help=path)

    transfer = _command(commands, "transfer", f"{module}:transfer", "move a piece towards another genre")
    add_model(transfer)
    transfer.add_argument("song", metavar="SONG.mid")
    transfer.add_argument("--to", required=True, metavar="GENRE", help="genre to move to")
    transfer.add_argument("--source", metavar="GENRE", help="genre that the piece is in (default: the model decides)")
    amount = "0 stays, 1 goes the whole way (default: 1)"
    transfer.add_argument("--strength", type=number(0, 10), default=1.0, metavar="X", help=amount)

    for parser in (reconstruct, interpolate, transfer):
        parser.add_argument("--bars", type=integer(1), metavar="N", help="take the first N bars only (default: all)")
    return sample, reconstruct, interpolate, transfer


def _add_export(commands) -> None:
    summary = "publish a trained model as a version that a server loads"
    export = _command(commands, "export", "export:export", summary, "nothing was published")
    _add_run(export)
    to = "model folder, named as the model is to be called (default: RUN/export/musae)"
    export.add_argument("--to", metavar="DIR", help=to)
    keep = "keep the newest N versions and remove older ones (default: keep all)"
    export.add_argument("--keep", type=integer(1), metavar="N", help=keep)


def _add_serve(commands) -> None:
    serve = _command(commands, "serve", "serve:serve", "answer the TF Serving API with a model", "nothing was served")
    where = "a run, or a folder of numbered versions (default: the newest run)"
    serve.add_argument("model", nargs="?", metavar="RUN|MODEL_DIR", help=where)
    _add_pretrained(serve)
    for flag in FLAGS:
        kinds = {int: integer(flag.low, flag.high), float: number(flag.low, flag.high), dict: pairs, bool: boolean}
        settings = {"type": kinds.get(flag.kind, str), "metavar": flag.metavar, "default": flag.default}
        if flag.kind is bool:
            settings |= {"nargs": "?", "const": True, "metavar": "true|false", "default": bool(flag.default)}
        name = flag.name.replace("-", "_")
        serve.add_argument(f"--{flag.name}", dest=name, help=flag.help, **settings)
        settings["default"] = argparse.SUPPRESS
        names = {name, *([flag.also, flag.also.replace("-", "_")] if flag.also else [])} - {flag.name}
        for other in sorted(names):
            serve.add_argument(f"--{other}", dest=name, help=argparse.SUPPRESS, **settings)


def _add_studio(commands) -> None:
    summary = "explore a model by ear in the browser"
    studio = _command(commands, "studio", "studio:studio", summary, "the studio was not open yet")
    where = "a run, or a folder of numbered versions (default: the newest run, or else the pretrained model)"
    studio.add_argument("model", nargs="?", metavar="RUN|MODEL_DIR", help=where)
    _add_pretrained(studio)
    studio.add_argument("--server", metavar="HOST:PORT", help="use the model on this server instead")
    studio.add_argument("--model-name", default="musae", metavar="NAME", help="its name there (default: musae)")
    limit = "seconds until an answer must be there (default: 30)"
    studio.add_argument("--deadline", type=number(0.001, 1e6), default=30.0, metavar="S", help=limit)
    host = "address of the page; 0.0.0.0 lets others in (default: 127.0.0.1)"
    studio.add_argument("--host", default="127.0.0.1", help=host)
    studio.add_argument("--port", type=integer(1, 65535), default=8080, metavar="N", help="default: 8080")
    studio.add_argument("--no-browser", action="store_false", dest="browser", help="do not open a browser")


def _add_output(parser: _Parser, folder: str) -> None:
    temperature = "0 takes the most probable symbols, 1 draws as the model believes (default: 0)"
    parser.add_argument("--temperature", type=number(0, 100), default=0.0, metavar="T", help=temperature)
    parser.add_argument("--seed", type=integer(0), default=0, metavar="N", help="same seed, same music (default: 0)")
    out = f"folder, or a file ending in .mid for a single piece (default: {folder})"
    parser.add_argument("--out", metavar="PATH", help=out)
    parser.add_argument("--wav", action="store_true", help="write sound as well")


def _add_run(parser: _Parser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help="run folder (default: the newest in ./runs)")


def _add_model(parser: _Parser) -> None:
    _add_run(parser)
    _add_pretrained(parser)


def _add_pretrained(parser: _Parser) -> None:
    parser.add_argument("--pretrained", action="store_true", help="the trained model that comes with musae-tf")


def _add_dataset(parser: _Parser) -> None:
    parser.add_argument("--dataset", metavar="PATH", help="where the run's dataset is now, if it was moved")


def _add_server(parser: _Parser) -> None:
    server = "gRPC port of the server (default: localhost:8500)"
    parser.add_argument("--server", default="localhost:8500", metavar="HOST:PORT", help=server)
    parser.add_argument("--model", default="musae", metavar="NAME", help="name of the model (default: musae)")
    version = parser.add_mutually_exclusive_group()
    version.add_argument("--model-version", type=integer(0, 2**63 - 1), metavar="N", help="default: the newest")
    version.add_argument("--model-label", metavar="LABEL", help="label of a version")
    limit = "seconds until an answer must be there (default: 30)"
    parser.add_argument("--deadline", type=number(0.001, 1e6), default=30.0, metavar="S", help=limit)
    parser.add_argument("--tls", action="store_true", help="encrypt; the options below imply it")
    parser.add_argument(
        "--tls-ca", metavar="FILE", help="PEM file of the authority that signed the server's certificate"
    )
    parser.add_argument("--tls-cert", metavar="FILE", help="PEM file of the client's certificate, for mutual TLS")
    parser.add_argument("--tls-key", metavar="FILE", help="PEM file of its key")
    parser.add_argument("--tls-name", metavar="NAME", help="name in the server's certificate, if not HOST")


if __name__ == "__main__":
    sys.exit(main())
