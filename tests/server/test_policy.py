"""Which versions are wanted, and the order of loads and unloads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musae_tf.protocol.messages import ModelConfig
from musae_tf.server.versions import Action, Phase, Standing, choose, next_action, version_folders


@pytest.mark.parametrize(
    ("versions", "action"),
    [
        ([], None),
        ([(1, True, Phase.NEW)], Action(1, load=True)),
        ([(1, True, Phase.NEW), (2, True, Phase.NEW)], Action(2, load=True)),
        ([(1, False, Phase.READY), (2, True, Phase.NEW)], Action(2, load=True)),
        ([(1, False, Phase.READY), (2, True, Phase.LOADING)], None),
        ([(1, False, Phase.READY), (2, True, Phase.FAILED)], None),
        ([(1, False, Phase.READY), (2, True, Phase.READY)], Action(1, load=False)),
        ([(1, False, Phase.READY), (2, False, Phase.READY), (3, True, Phase.NEW)], Action(1, load=False)),
        ([(1, False, Phase.READY)], Action(1, load=False)),
        ([(1, True, Phase.READY), (2, True, Phase.READY)], None),
    ],
)
def test_next_action(versions, action):
    assert next_action(Standing(*entry) for entry in versions) == action


@given(st.dictionaries(st.integers(0, 5), st.tuples(st.booleans(), st.sampled_from(Phase))))
def test_a_model_that_is_wanted_never_loses_its_last_ready_version(entries):
    versions = [Standing(number, *entry) for number, entry in entries.items()]
    action = next_action(versions)
    if action is not None and not action.load and any(entry.wanted for entry in versions):
        ready = [entry.version for entry in versions if entry.phase is Phase.READY]
        assert set(ready) - {action.version}


def test_only_whole_numbers_are_versions(tmp_path):
    for name in (
        "1",
        "00000123",
        "v1",
        "1.0",
        "3.tmp",
        "-4",
        "+5",
        ".6",
        "\N{ARABIC-INDIC DIGIT SEVEN}",
        str(2**63),
        str(2**63 - 1),
    ):
        (tmp_path / name).mkdir()
    (tmp_path / "8").write_text("any child counts, as in the container")
    assert {number: path.name for number, path in version_folders(tmp_path).items()} == {
        1: "1", 123: "00000123", 8: "8", 2**63 - 1: str(2**63 - 1)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ({}, [3]),
        ({"latest": {}}, [3]),
        ({"latest": {"num_versions": 2}}, [2, 3]),
        ({"latest": {"num_versions": 9}}, [1, 2, 3]),
        ({"all": {}}, [1, 2, 3]),
        ({"specific": {"versions": [1, 7]}}, [1]),
    ],
)
def test_choose(policy, wanted, tmp_path):
    versions = {number: tmp_path / str(number) for number in (1, 2, 3)}
    assert sorted(choose(versions, ModelConfig(model_version_policy=policy).model_version_policy)) == wanted
