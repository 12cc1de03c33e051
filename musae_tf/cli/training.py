"""`musae train`, `evaluate` and `compare`: their options."""

from musae_tf.cli.parser import add_json, command
from musae_tf.cli.shared import add_dataset, add_pretrained
from musae_tf.commands.values import integer


def add_train(commands) -> None:
    """Add `musae train`."""
    summary = "train a model, or go on with a run that was stopped"
    example = "musae train configs/voices.yaml --set model.latent=64 --set training.steps=500"
    train = command(commands, "train", "train:train", summary, example, "training had not begun")
    train.add_argument("config", nargs="?", metavar="CONFIG", help="YAML file, for instance configs/voices.yaml")
    change = "change one key, for instance model.latent=64; may be repeated"
    train.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help=change)
    where = train.add_mutually_exclusive_group()
    where.add_argument("--run", metavar="DIR", help="run folder to make (default: runs/<name>-<date>-<time>)")
    go_on = "go on with this run, from its newest checkpoint (default: a new run)"
    where.add_argument("--resume", metavar="RUN", help=go_on)
    processes = "worker processes of this machine; when one dies, all are started again (default: this one)"
    train.add_argument("--workers", type=integer(1), metavar="N", help=processes)
    times = "with --workers, how often without a new checkpoint in between (default: 3)"
    train.add_argument("--restarts", type=integer(0), default=3, metavar="N", help=times)
    train.add_argument("--no-evaluate", action="store_false", dest="evaluate", help="no evaluation at the end")
    add_json(train)


def add_evaluate(commands) -> None:
    """Add `musae evaluate`."""
    summary = "measure trained models on held-out songs"
    evaluate = command(commands, "evaluate", "evaluate:evaluate", summary, "musae evaluate runs/NAME --quick")
    evaluate.add_argument("runs", nargs="*", metavar="RUN", help="run folders (default: the newest in ./runs)")
    add_pretrained(evaluate)
    beside = "evaluated runs to stand beside it on its page (default: none)"
    evaluate.add_argument("--against", nargs="+", action="extend", default=[], metavar="RUN", help=beside)
    evaluate.add_argument("--quick", action="store_true", help="reconstruction, prior and statistics only: seconds")
    add_dataset(evaluate)
    add_json(evaluate)


def add_compare(commands) -> None:
    """Add `musae compare`."""
    summary = "put evaluated runs side by side"
    compare = command(commands, "compare", "compare:compare", summary, "musae compare runs/ONE runs/OTHER")
    compare.add_argument("runs", nargs="+", metavar="RUN", help="run folders; differences are to the first")
    compare.add_argument("--out", metavar="FILE.csv", help="write the table with intervals as well (default: not)")
    add_json(compare)
