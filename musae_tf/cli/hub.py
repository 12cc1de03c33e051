"""`musae push` and `pull`: models on a hub, for others and from others."""

from argparse import Namespace
from pathlib import Path

from musae_tf.cli.parser import Commands, add_json, command
from musae_tf.cli.shared import RUNS, add_dataset, dataset_of, find_run, load_tensorflow, print_next


def add_hub(commands: Commands) -> None:
    """Add `musae push` and `musae pull`."""
    _add_push(commands)
    _add_pull(commands)


def _add_push(commands: Commands) -> None:
    summary = "put the model of a run on a hub, with a card of its licence, data and metrics"
    example = "musae push runs/NAME USER/NAME --license cc-by-4.0"
    note = "The hub is that of huggingface.co, or of HF_ENDPOINT; hf auth login or HF_TOKEN says who you are."
    parser = command(commands, "push", push, summary, example, "nothing was published, or all of it", note)
    parser.add_argument("run", metavar="RUN", help="run folder, finished and evaluated")
    parser.add_argument("repository", metavar="USER/NAME", help="where to; made if it is not there")
    licence = "of the model, as the hub writes it: cc-by-4.0, cc-by-nc-4.0, other"
    parser.add_argument("--license", required=True, metavar="ID", help=licence)
    tags = "a tag beside those of musae-tf and the genres; may be repeated"
    parser.add_argument("--tag", action="append", default=[], metavar="WORD", help=tags)
    parser.add_argument("--private", action="store_true", help="show a new one to its owner only")
    add_dataset(parser)
    add_json(parser)


def push(arguments: Namespace) -> None:
    """`musae push RUN USER/NAME`."""
    path = find_run(arguments.run)
    dataset = dataset_of(path, arguments.dataset)
    load_tensorflow()
    from musae_tf.pretrained.share import push as push_run
    from musae_tf.training import Run

    wanted = (arguments.repository, arguments.license, arguments.tag, arguments.private)
    commit = push_run(Run.open(path), dataset, *wanted)
    arguments.report = {"repository": arguments.repository, "commit": commit}


def _add_pull(commands: Commands) -> None:
    summary = "fetch a model that someone has put on a hub, as a run folder"
    note = "A model is a program: serve those of people you trust only. COMMIT makes sure that it stays the same one."
    parser = command(commands, "pull", pull, summary, "musae pull USER/NAME", note=note)
    parser.add_argument("repository", metavar="USER/NAME[@COMMIT]", help="which")
    parser.add_argument("--to", metavar="DIR", help=f"run folder to make (default: {RUNS}/NAME)")
    add_json(parser)


def pull(arguments: Namespace) -> None:
    """`musae pull USER/NAME`."""
    from musae_tf.pretrained import hub

    address = hub.read_address(arguments.repository)
    to = Path(arguments.to) if arguments.to else RUNS / address.repository.partition("/")[2]
    hub.pull(arguments.repository, to)
    arguments.report = {"repository": address.repository, "run": str(to)}
    print_next((("sample", to, "--wav"), "make music with it"))
