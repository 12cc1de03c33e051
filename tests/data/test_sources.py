import pytest

from musae_tf.cli import build_parser
from musae_tf.data.folder import FolderSource
from musae_tf.data.sources import SOURCES, get_source
from musae_tf.errors import DatasetError
from tests.data.makers import output


def test_sources_by_name(tmp_path):
    assert isinstance(get_source("folder", root=tmp_path), FolderSource)
    for name in SOURCES:
        folders = {"folder": "root", "lmd": "midi", "lpd": "npz"}
        source = get_source(name, **({folders[name]: tmp_path} if name in folders else {}))
        assert source.name == name
        assert source.licence
        assert source.layout


def test_unknown_source_or_option(tmp_path):
    with pytest.raises(DatasetError, match="unknown source 'lakh'; known sources: band, corpus, folder, lmd, lpd"):
        get_source("lakh")
    with pytest.raises(DatasetError, match=r"source 'folder': .*'genre'; its options: root, labels"):
        get_source("folder", root=tmp_path, genre="rock")


def test_every_source_has_a_command(tmp_path):
    """What the command line offers is what there is."""
    needed = {"folder": [str(tmp_path)], "lmd": ["--midi", str(tmp_path)], "lpd": ["--npz", str(tmp_path)]}
    for name in SOURCES:
        arguments = build_parser().parse_args(["data", "build", name, *needed.get(name, [])])
        source = arguments.make_source(arguments)
        assert source.name == name
    with pytest.raises(SystemExit):
        build_parser().parse_args(["data", "build", "lakh"])


def test_no_tensorflow_without_need():
    assert (
        output("-c", "import sys, musae_tf.data, musae_tf.data.folder; print('tensorflow' in sys.modules)") == "False\n"
    )
