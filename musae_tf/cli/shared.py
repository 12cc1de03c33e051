"""Options that several commands have: one name, one meaning."""

from musae_tf.cli.parser import Parser
from musae_tf.commands.values import integer, number


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
    temperature = "0 takes the most probable symbols, 1 draws as the model believes (default: 0)"
    parser.add_argument("--temperature", type=number(0, 100), default=0.0, metavar="T", help=temperature)
    parser.add_argument("--seed", type=integer(0), default=0, metavar="N", help="same seed, same music (default: 0)")
    out = f"folder, or a file ending in .mid for a single piece (default: {folder})"
    parser.add_argument("--out", metavar="PATH", help=out)
    parser.add_argument("--wav", action="store_true", help="write sound as well")


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
    authority = "PEM file of the authority that signed the server's certificate (default: gRPC's)"
    parser.add_argument("--tls-ca", metavar="FILE", help=authority)
    own = "PEM file of the client's certificate, for mutual TLS (default: none)"
    parser.add_argument("--tls-cert", metavar="FILE", help=own)
    parser.add_argument("--tls-key", metavar="FILE", help="PEM file of its key (default: none)")
    parser.add_argument("--tls-name", metavar="NAME", help="name in the server's certificate (default: HOST)")


def add_deadline(parser: Parser) -> None:
    """How long to wait."""
    limit = "seconds until an answer must be there (default: 30)"
    parser.add_argument("--deadline", type=number(0.001, 1e6), default=30.0, metavar="S", help=limit)
