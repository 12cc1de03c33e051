import pytest
from hypothesis import settings

from musae_tf.data.dataset import Dataset
from tests.data.makers import build_voices, write_tree

# Times of single examples say little on a machine that does other work.
settings.register_profile("data", deadline=None)
settings.load_profile("data")


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A folder of MIDI files in three genres, and some without one."""
    return write_tree(tmp_path_factory.mktemp("tree"), north=12, south=12, west=6, none=3)


@pytest.fixture(scope="session")
def dataset(tree, tmp_path_factory):
    """The dataset of `tree`."""
    target = tmp_path_factory.mktemp("datasets") / "tree"
    build_voices(tree, target)
    return Dataset.open(target, verify=True)
