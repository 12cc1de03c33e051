import pytest

from musae_tf.data.folder import FolderSource
from musae_tf.data.sources import SOURCES, get_source
from musae_tf.errors import DatasetError
from tests.data.makers import output


def test_sources_by_name(tmp_path):
    assert isinstance(get_source("folder", root=tmp_path), FolderSource)
    for name in SOURCES:
        source = get_source(name, **({"root": tmp_path} if name == "folder" else {}))
        assert source.name == name
        assert source.licence
        assert source.layout


def test_unknown_source_or_option(tmp_path):
    with pytest.raises(DatasetError, match="unknown source 'lakh'; known sources: corpus, folder"):
        get_source("lakh")
    with pytest.raises(DatasetError, match=r"source 'folder': .*'genre'; its options: root, labels"):
        get_source("folder", root=tmp_path, genre="rock")


def test_no_tensorflow_without_need():
    assert (
        output("-c", "import sys, musae_tf.data, musae_tf.data.folder; print('tensorflow' in sys.modules)") == "False\n"
    )
