import pytest

from musae_tf.cli import build_parser
from musae_tf.data import BandSource, CorpusSource, FolderSource, LmdSource, LpdSource
from tests.data.makers import output

SOURCES = {"band": BandSource, "corpus": CorpusSource, "folder": FolderSource, "lmd": LmdSource, "lpd": LpdSource}


def test_every_source_has_a_command(tmp_path):
    """What the command line offers is what there is."""
    needed = {"folder": [str(tmp_path)], "lmd": ["--midi", str(tmp_path)], "lpd": ["--npz", str(tmp_path)]}
    for name, kind in SOURCES.items():
        arguments = build_parser().parse_args(["data", "build", name, *needed.get(name, [])])
        source = arguments.make_source(arguments)
        assert isinstance(source, kind)
        assert source.name == name
        assert source.licence
        assert source.layout
    with pytest.raises(SystemExit):
        build_parser().parse_args(["data", "build", "lakh"])


def test_no_tensorflow_without_need():
    assert (
        output("-c", "import sys, musae_tf.data, musae_tf.data.folder; print('tensorflow' in sys.modules)") == "False\n"
    )
