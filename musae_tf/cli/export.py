"""`musae export`: publish a trained model for a server."""

import shlex
from argparse import Namespace

from musae_tf.cli.parser import add_json, command, integer
from musae_tf.cli.shared import add_run, find_run, load_tensorflow, print_next


def add_export(commands) -> None:
    """Add `musae export`."""
    summary = "publish a trained model as a version that a server loads"
    example = "musae export runs/NAME --to exports/musae"
    parser = command(commands, "export", export, summary, example, "nothing was published")
    add_run(parser)
    to = "model folder, named as the model is to be called (default: RUN/export/musae)"
    parser.add_argument("--to", metavar="DIR", help=to)
    keep = "keep the newest N versions and remove older ones (default: keep all)"
    parser.add_argument("--keep", type=integer(1), metavar="N", help=keep)
    add_json(parser)


def export(arguments: Namespace) -> None:
    """`musae export RUN`."""
    path = find_run(arguments.run)
    load_tensorflow()
    import tensorflow as tf

    from musae_tf.export import check_folder, export_run, prune
    from musae_tf.training import Run

    if arguments.to is not None:
        check_folder(arguments.to)
    # The graph is to run anywhere, and layers choose the form that suits the devices they see.
    tf.config.set_visible_devices([], "GPU")
    published = export_run(Run.open(path), arguments.to)
    base = published.folder.parent
    arguments.report = {"folder": str(published.folder), "version": published.number}
    if arguments.keep is not None:
        arguments.stopped = f"{published.folder} is published"
        for old in prune(base, arguments.keep):
            print(f"removed {old.folder}")
    print_next((f"serve {base}", "answer requests with it from here"))
    name = base.resolve().name
    mount = shlex.quote(f"{base.resolve()}:/models/{name}:ro")
    print("  # or with the container of TensorFlow Serving")
    print(f"  docker run -p 8500:8500 -p 8501:8501 -e MODEL_NAME={shlex.quote(name)} -v {mount} tensorflow/serving")
