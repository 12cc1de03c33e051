"""`musae export`: publish a trained model for a server."""

import shlex
from argparse import Namespace

from musae_tf.commands.quiet import load_tensorflow
from musae_tf.commands.runs import find_run, print_next


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
